//! Which address leads to which handler. `lib.rs` builds the application from it.
//! What must stay true: an address that exists answers other methods with 405 and `Allow`, everything else with 404,
//! both as problems; every address under here but the page's is in the OpenAPI document.

use actix_web::error::JsonPayloadError;
use actix_web::web::{self, JsonConfig, QueryConfig, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, Resource, Responder};

use crate::error::{Error, Kind};
use crate::{
    batches, deliveries, docs, events, explain, gallery, health, image, openapi, page, problems,
    session, stories, styles, submit, uploads,
};

/// Bodies of JSON that are more than this are not what such an address takes.
const SMALL_BODY: usize = 16 * 1024;

/// All addresses of the service.
pub(crate) fn all(config: &mut ServiceConfig) {
    config
        .app_data(QueryConfig::default().error_handler(|error, _| {
            let message = format!("the query cannot be read: {error}");
            Error::Refused(Kind::MalformedRequest, message).into()
        }))
        .app_data(
            JsonConfig::default()
                .limit(SMALL_BODY)
                .error_handler(|error, _| unreadable(&error).into()),
        )
        .configure(of_stories)
        .service(
            web::resource("/v1/batches")
                .route(web::post().to(batches::submit))
                .default_service(web::to(|| refused("POST"))),
        )
        .service(reading("/v1/batches/{id}", batches::see))
        .service(
            web::resource("/v1/uploads")
                .route(web::post().to(uploads::upload))
                .default_service(web::to(|| refused("POST"))),
        )
        .service(reading("/v1/gallery", gallery::list))
        .service(
            reading("/v1/session", session::see)
                .route(web::post().to(session::open))
                .route(web::delete().to(session::close))
                .default_service(web::to(|| refused("GET, HEAD, POST, DELETE"))),
        )
        .service(
            reading("/v1/styles", styles::list)
                .route(web::post().to(styles::add))
                .default_service(web::to(|| refused("GET, HEAD, POST"))),
        )
        .service(
            reading("/v1/styles/{name}", styles::one)
                .route(web::delete().to(styles::remove))
                .default_service(web::to(|| refused("GET, HEAD, DELETE"))),
        )
        .service(reading("/problems", problems::list))
        .service(reading("/problems/{kind}", problems::one))
        .service(reading("/livez", health::livez))
        .service(reading("/readyz", health::readyz))
        .service(reading("/metrics", health::metrics))
        .service(reading("/openapi.json", openapi::document))
        .service(reading("/docs", docs::moved))
        .service(reading("/docs/", docs::page))
        .service(reading("/docs/errors", docs::errors))
        .service(reading("/docs/errors/{kind}", docs::error))
        .service(reading("/docs/{file}", docs::file))
        .service(reading("/", page::page))
        .service(reading("/assets/{file}", page::asset))
        .service(reading("/icon.svg", page::icon))
        .service(reading("/story.js", page::moved))
        .service(reading("/story.css", page::moved))
        .default_service(web::to(nothing_here));
}

/// The addresses of stories.
fn of_stories(config: &mut ServiceConfig) {
    config
        .service(
            reading("/v1/stories", stories::list)
                .route(web::post().to(submit::submit))
                .default_service(web::to(|| refused("GET, HEAD, POST"))),
        )
        .service(
            reading("/v1/stories/{id}", stories::one)
                .route(web::delete().to(stories::remove))
                .default_service(web::to(|| refused("GET, HEAD, DELETE"))),
        )
        .service(
            web::resource("/v1/stories/{id}/shared")
                .route(web::put().to(gallery::share))
                .default_service(web::to(|| refused("PUT"))),
        )
        .service(reading("/v1/stories/{id}/image", image::image))
        .service(reading("/v1/stories/{id}/events", events::follow))
        .service(reading("/v1/stories/{id}/explain", explain::explain))
        .service(
            web::resource("/v1/stories/{id}/cancel")
                .route(web::post().to(stories::cancel))
                .default_service(web::to(|| refused("POST"))),
        )
        .service(
            web::resource("/v1/stories/{id}/retry")
                .route(web::post().to(stories::retry))
                .default_service(web::to(|| refused("POST"))),
        )
        .service(reading("/v1/stories/{id}/deliveries", deliveries::list))
        .service(
            web::resource("/v1/stories/{id}/deliveries/{number}/replay")
                .route(web::post().to(deliveries::replay))
                .default_service(web::to(|| refused("POST"))),
        );
}

/// An address that is only looked at.
fn reading<Args, Show>(path: &str, show: Show) -> Resource
where
    Args: FromRequest + 'static,
    Show: Handler<Args> + Clone,
    Show::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(show.clone()))
        .route(web::head().to(show))
        .default_service(web::to(|| refused("GET, HEAD")))
}

/// What is wrong with a body of JSON.
fn unreadable(error: &JsonPayloadError) -> Error {
    let kind = match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            Kind::BodyTooLarge
        }
        JsonPayloadError::ContentType => Kind::UnsupportedMediaType,
        JsonPayloadError::Deserialize(wrong) if wrong.is_data() => Kind::InvalidParameter,
        _ => Kind::MalformedRequest,
    };
    Error::Refused(
        kind,
        format!("the body is not what this address takes: {error}"),
    )
}

async fn refused(allow: &'static str) -> Result<&'static str, Error> {
    Err(Error::Method { allow })
}

async fn nothing_here(request: HttpRequest) -> Result<&'static str, Error> {
    let path: String = request.path().chars().take(100).collect();
    let message = format!("there is nothing at {path}; /openapi.json describes what there is");
    Err(Error::Refused(Kind::NotFound, message))
}
