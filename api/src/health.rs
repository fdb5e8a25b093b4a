//! `/livez`, `/readyz`, `/metrics`: whether the process runs, whether it can take and tell stories, with reasons.
//! Load balancers, `storyteller health` and the page's first seconds ask. What must stay true: ready means that
//! the database and the picture store answered just now and no part has said otherwise; a draining service is not.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use operation::metrics::{MEDIA_TYPE, exposition};
use serde::Serialize;
use tokio::time::error::Elapsed;
use utoipa::ToSchema;

use crate::error::Error;
use crate::service::Service;

/// A part that has not answered by then does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the service can work, and what keeps it from it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"ready": false, "reasons": {"worker": "the networks are being loaded"}}))]
pub struct Readiness {
    /// All is well.
    pub ready: bool,
    /// What is not well, by part; empty when ready.
    pub reasons: BTreeMap<String, String>,
}

/// The process runs, answers and can recover from whatever keeps it from working.
#[utoipa::path(get, path = "/livez", tag = "operation", responses(
    (status = 200, description = "The process lives"),
    (status = 503, description = "It has to be started anew, and why"),
))]
pub(crate) async fn livez(service: Data<Service>) -> HttpResponse {
    let doomed = service.state.health.doomed();
    let mut answer = if doomed.is_none() {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(serde_json::json!({"alive": doomed.is_none(), "reason": doomed}))
}

/// The service can take and tell stories.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "Ready", body = Readiness),
    (status = 503, description = "Not ready, and why", body = Readiness),
))]
pub(crate) async fn readyz(service: Data<Service>) -> HttpResponse {
    let state = &service.state;
    let mut reasons = state.health.reasons();
    let (database, pictures) = tokio::join!(
        tokio::time::timeout(PATIENCE, state.store.ping()),
        tokio::time::timeout(PATIENCE, state.images.ping()),
    );
    note(
        &mut reasons,
        "database",
        database.map(|answer| answer.map_err(|error| error.to_string())),
    );
    note(
        &mut reasons,
        "pictures",
        pictures.map(|answer| answer.map_err(|error| error.to_string())),
    );
    if service.stopping.is_cancelled() {
        reasons.insert(
            "service".to_owned(),
            "it is stopping: running stories are finished, no new ones are taken".to_owned(),
        );
    }
    let ready = reasons.is_empty();
    let mut answer = if ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(Readiness { ready, reasons })
}

/// What Prometheus asks for.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, description = "Counters and gauges as Prometheus reads them", content_type = "text/plain"),
))]
pub(crate) async fn metrics(service: Data<Service>) -> Result<HttpResponse, Error> {
    let state = &service.state;
    let text = exposition(&state.store, &state.health)
        .await
        .map_err(|error| Error::Internal(error.to_string()))?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type(MEDIA_TYPE)
        .body(text))
}

/// The cause stays in the log: a connection string has no place in an answer.
fn note(
    reasons: &mut BTreeMap<String, String>,
    part: &str,
    ping: Result<Result<(), String>, Elapsed>,
) {
    let reason = match ping {
        Ok(Ok(())) => return,
        Ok(Err(cause)) => {
            tracing::warn!(part, cause, "not ready");
            "it answers with an error; the log has the cause".to_owned()
        }
        Err(_) => format!("it has not answered within {} s", PATIENCE.as_secs()),
    };
    reasons.insert(part.to_owned(), reason);
}
