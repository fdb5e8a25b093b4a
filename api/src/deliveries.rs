//! What was sent to a story's webhook, attempt by attempt, and sending it again.
//! `routes.rs` leads here; the dispatcher, elsewhere, does the sending. What must stay true: a replay keeps the
//! message's id, so that a receiver can tell it from a new one.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path};

use crate::callers::Caller;
use crate::error::{Error, Kind, Problem, Result};
use crate::seen::{find, known_id};
use crate::service::Service;
use crate::sites::OwnSite;
use crate::view::{DeliveriesView, DeliveryView};

/// What was sent to the story's webhook, and what is still to be sent.
#[utoipa::path(get, path = "/v1/stories/{id}/deliveries", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "One for each end of the story; none before, or if it has no webhook", body = DeliveriesView),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(id: Path<String>, service: Data<Service>) -> Result<HttpResponse> {
    let job = find(&service, known_id(&id)?).await?;
    let deliveries = service.state.store.deliveries(job.id).await?;
    let deliveries = deliveries
        .into_iter()
        .map(|delivery| DeliveryView::of(job.id, delivery));
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(DeliveriesView {
            deliveries: deliveries.collect(),
        }))
}

/// Sends a webhook again, now, whatever became of it before; the whole schedule lies before it again.
#[utoipa::path(post, path = "/v1/stories/{id}/deliveries/{number}/replay", tag = "webhooks",
    params(
        ("id" = Uuid, Path, description = "The job's id"),
        ("number" = u32, Path, description = "Which of the story's deliveries"),
    ),
    responses(
        (status = 202, description = "It is due now. An address that had answered 410 is in use again", body = DeliveryView),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn replay(
    _site: OwnSite,
    caller: Caller,
    path: Path<(String, String)>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let (id, number) = path.into_inner();
    let job = find(&service, known_id(&id)?).await?;
    let store = &caller.store;
    let number: u32 = number.parse().map_err(|_| no_delivery(&number))?;
    if !store.replay_delivery(job.id, number).await? {
        return Err(no_delivery(&number.to_string()));
    }
    let mut deliveries = store.deliveries(job.id).await?.into_iter();
    let delivery = deliveries.find(|delivery| delivery.number == number);
    let delivery = delivery.ok_or_else(|| no_delivery(&number.to_string()))?;
    Ok(HttpResponse::Accepted().json(DeliveryView::of(job.id, delivery)))
}

fn no_delivery(number: &str) -> Error {
    let number: String = number.chars().take(20).collect();
    let message = format!("this story has no delivery {number}; `…/deliveries` lists those it has");
    Error::Refused(Kind::NotFound, message)
}
