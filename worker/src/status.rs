//! A small HTTP listener beside the worker: `/livez`, `/readyz` with reasons, `/metrics`.
//! The `worker` program starts it if it is told where to listen. What must stay true: it shows and changes nothing,
//! it answers while the networks load and while the worker drains, and it shows no cause that could hold a secret.

use std::net::TcpListener;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use jobs::metrics::{MEDIA_TYPE, exposition};
use jobs::{Health, Store};
use tokio_util::sync::CancellationToken;

/// What is shown.
#[derive(Clone)]
pub struct Status {
    /// Asked whether it answers, and how the queue stands.
    pub store: Store,
    /// What the parts of this process say about themselves.
    pub health: Health,
    /// Once it is cancelled the process is not ready any more.
    pub shutdown: CancellationToken,
}

/// Answers on `listener` until it is dropped.
///
/// # Errors
/// When the socket cannot be served.
pub async fn run(status: Status, listener: TcpListener) -> std::io::Result<()> {
    let status = Data::new(status);
    HttpServer::new(move || {
        App::new()
            .app_data(status.clone())
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run()
    .await
}

async fn livez() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(serde_json::json!({"alive": true}))
}

async fn readyz(status: Data<Status>) -> HttpResponse {
    let mut reasons = status.health.reasons();
    if let Err(cause) = status.store.ping().await {
        tracing::warn!(%cause, "not ready");
        reasons.insert("database".to_owned(), "it does not answer".to_owned());
    }
    if status.shutdown.is_cancelled() {
        let stopping = "it is stopping: what runs is finished, nothing new is taken";
        reasons.insert("service".to_owned(), stopping.to_owned());
    }
    let ready = reasons.is_empty();
    let mut answer = if ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(serde_json::json!({"ready": ready, "reasons": reasons}))
}

async fn metrics(status: Data<Status>) -> HttpResponse {
    match exposition(&status.store, &status.health).await {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .content_type(MEDIA_TYPE)
            .body(text),
        Err(cause) => {
            tracing::error!(%cause, "no metrics");
            HttpResponse::InternalServerError().body("the log says why there are no metrics")
        }
    }
}
