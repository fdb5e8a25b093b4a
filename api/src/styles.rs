//! `/v1/styles`: what a story can be told in. The page and programs ask before they submit; `adding` takes new ones.
//! What must stay true: the list is the one by which submits are judged.

mod adding;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;

use crate::callers::Caller;
use crate::error::{Problem, Result};
use crate::view::{StyleView, StylesView};

pub(crate) use adding::*;

/// The styles a story can be told in: those of the service and those you have added.
#[utoipa::path(get, path = "/v1/styles", tag = "styles", responses(
    (status = 200, description = "The styles; none until a worker has loaded its weights", body = StylesView),
    (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn list(caller: Caller) -> Result<HttpResponse> {
    let view = match caller.store.styles().await? {
        Some(catalogue) => StylesView {
            bundle: Some(catalogue.bundle),
            styles: catalogue.styles.into_iter().map(StyleView::of).collect(),
        },
        None => StylesView {
            bundle: None,
            styles: Vec::new(),
        },
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-cache"))
        .json(view))
}
