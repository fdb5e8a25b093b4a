//! `POST /v1/batches` and `GET /v1/batches/{id}`: an album at once, told picture by picture.
//! `routes.rs` leads here. What must stay true: a picture that is not taken spoils no other one, and what is accepted is
//! accepted with the whole batch, in one transaction.

mod submitting;

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use jobs::Batch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::{Error, Kind, Problem, Result};
use crate::feed::{News, Watch};
use crate::service::Service;
use crate::stories::{Texts, only};
use crate::view::BatchView;
use crate::{etag, wait};

pub(crate) use submitting::*;

/// How long answers may be kept; a 304 says it as its 200 does.
const OF_A_BATCH: &str = "private, no-cache";

/// A batch: how many of its stories stand where, and each of them. It is there for as long as one of its stories is.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches",
    params(
        ("id" = Uuid, Path, description = "The batch's id"),
        ("wait" = Option<u32>, Query, minimum = 0, maximum = 60, description = "Wait up to so many seconds (0 to 60) for the end of the last story"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version you have"),
    ),
    responses(
        (status = 200, description = "The batch", body = BatchView, headers(("ETag" = String, description = "The version of the batch"))),
        (status = 304, description = "Still the version you have"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_parameter`: `wait` is not 0 to 60", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn see(
    request: HttpRequest,
    id: Path<String>,
    query: Texts,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = Uuid::parse_str(&id).map_err(|_| no_batch(&id))?;
    only(&query, &["wait"])?;
    let patience = wait::of_query(query.get("wait").map(String::as_str))?;
    let batch = once_ended(&service, id, patience).await?;
    let view = BatchView::of(batch);
    etag::shown(&mut HttpResponse::Ok(), &request, &view, OF_A_BATCH)
}

/// The batch as it stands when the last story of it has ended, or when `patience` is over.
async fn once_ended(service: &Service, id: Uuid, patience: Duration) -> Result<Batch> {
    let until = Instant::now() + patience;
    let mut watched: Option<(Uuid, Watch)> = None;
    loop {
        let batch = find(service, id).await?;
        let mut open = batch.stories.iter().filter(|story| !story.state.is_final());
        let open = match open.next() {
            Some(story) if Instant::now() < until => story.id,
            _ => return Ok(batch),
        };
        let Some((_, watch)) = watched.as_mut().filter(|(story, _)| *story == open) else {
            // before another look, or a change right after this one would be missed
            watched = Some((open, service.feed.watch(open)));
            continue;
        };
        tokio::select! {
            _ = watch.until(|news: &News| news.standing.state.is_final()) => {}
            () = tokio::time::sleep_until(until) => {}
            () = service.shutdown.cancelled() => return Ok(batch),
        }
    }
}

async fn find(service: &Service, id: Uuid) -> Result<Batch> {
    let batch = service.state.store.batch(id).await?;
    batch.ok_or_else(|| no_batch(&id.to_string()))
}

fn no_batch(id: &str) -> Error {
    let id: String = id.chars().take(40).collect();
    Error::Refused(Kind::NotFound, format!("there is no batch {id}"))
}
