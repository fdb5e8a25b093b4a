//! Which address leads to which handler. `lib.rs` builds the application from it.
//! What must stay true: an address that exists answers other methods with 405 and `Allow`, everything else with 404,
//! both as problems; every address under here but the page's is in the OpenAPI document.

use actix_web::web::{self, QueryConfig, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, Resource, Responder};

use crate::error::{Error, Kind};
use crate::{deliveries, health, openapi, page, problems, stories, styles, submit};

/// All addresses of the service.
pub(crate) fn all(config: &mut ServiceConfig) {
    config
        .app_data(QueryConfig::default().error_handler(|error, _| {
            let message = format!("the query cannot be read: {error}");
            Error::Refused(Kind::MalformedRequest, message).into()
        }))
        .service(
            reading("/v1/stories", stories::list)
                .route(web::post().to(submit::submit))
                .default_service(web::to(|| refused("GET, HEAD, POST"))),
        )
        .service(reading("/v1/stories/{id}", stories::one))
        .service(reading("/v1/stories/{id}/image", stories::image))
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
        .service(reading("/", page::page))
        .service(reading("/assets/{file}", page::asset))
        .service(reading("/icon.svg", page::icon))
        .default_service(web::to(nothing_here));
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

async fn refused(allow: &'static str) -> Result<&'static str, Error> {
    Err(Error::Method { allow })
}

async fn nothing_here(request: HttpRequest) -> Result<&'static str, Error> {
    let path: String = request.path().chars().take(100).collect();
    let message = format!("there is nothing at {path}; /openapi.json describes what there is");
    Err(Error::Refused(Kind::NotFound, message))
}
