//! `/openapi.json`: the whole API in the form that programs read.
//! Made from the annotations of the handlers. What must stay true: every address of `routes.rs` is in it (the
//! tests compare the two), and the page, which is for people, is not.

mod names;
mod parameters;
mod security;

use actix_web::HttpResponse;
use utoipa::OpenApi;

use names::Names;
use parameters::Parameters;
use security::Keys;

/// The document.
#[derive(OpenApi)]
#[openapi(
    modifiers(&Keys, &Names, &Parameters),
    info(
        title = "Neural Storyteller",
        description = "Send a picture, get a story. Errors are RFC 9457 problems; their types are at `GET /problems`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "stories", description = "Asking for stories and looking at them"),
        (name = "batches", description = "Many pictures at once"),
        (name = "gallery", description = "What people let everybody see"),
        (name = "webhooks", description = "What was told to your own service"),
        (name = "styles", description = "What a story can be told in"),
        (name = "accounts", description = "Who asks"),
        (name = "errors", description = "What can go wrong, as a closed list"),
        (name = "operation", description = "For those who run the service"),
    ),
    paths(
        crate::submit::submit,
        crate::stories::list,
        crate::stories::one,
        crate::explain::explain,
        crate::image::image,
        crate::events::follow,
        crate::stories::remove,
        crate::uploads::upload,
        crate::batches::submit,
        crate::batches::see,
        crate::gallery::share,
        crate::gallery::list,
        crate::stories::cancel,
        crate::stories::retry,
        crate::deliveries::list,
        crate::deliveries::replay,
        crate::styles::list,
        crate::styles::add,
        crate::styles::one,
        crate::styles::remove,
        crate::session::see,
        crate::session::open,
        crate::session::close,
        crate::problems::list,
        crate::problems::one,
        crate::health::livez,
        crate::health::readyz,
        crate::health::metrics,
        document,
    )
)]
pub(crate) struct Api;

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operation", responses((status = 200, description = "An OpenAPI 3.1 document", content_type = "application/json")))]
pub(crate) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(Api::openapi())
}
