//! Which address leads to which handler. `lib.rs` builds the application from it.
//! What must stay true: an address that exists answers other methods with 405 and `Allow`, everything else with 404,
//! both as problems; every address under here but the page's is in the OpenAPI document.

use actix_web::web::{self, QueryConfig, ServiceConfig};
use actix_web::{HttpRequest, Resource, Route};

use crate::error::{Error, Kind};
use crate::{health, openapi, page, problems, stories, styles, submit};

const READ: &str = "GET, HEAD";

/// All addresses of the service.
pub(crate) fn all(config: &mut ServiceConfig) {
    config
        .app_data(QueryConfig::default().error_handler(|error, _| {
            Error::Refused(
                Kind::MalformedRequest,
                format!("the query cannot be read: {error}"),
            )
            .into()
        }))
        .service(
            address(
                "/v1/stories",
                "GET, HEAD, POST",
                [web::get().to(stories::list), web::head().to(stories::list)],
            )
            .route(web::post().to(submit::submit)),
        )
        .service(address(
            "/v1/stories/{id}",
            READ,
            [web::get().to(stories::one), web::head().to(stories::one)],
        ))
        .service(address(
            "/v1/stories/{id}/image",
            READ,
            [
                web::get().to(stories::image),
                web::head().to(stories::image),
            ],
        ))
        .service(address(
            "/v1/stories/{id}/cancel",
            "POST",
            [web::post().to(stories::cancel)],
        ))
        .service(address(
            "/v1/styles",
            READ,
            [web::get().to(styles::list), web::head().to(styles::list)],
        ))
        .service(address(
            "/problems",
            READ,
            [
                web::get().to(problems::list),
                web::head().to(problems::list),
            ],
        ))
        .service(address(
            "/problems/{kind}",
            READ,
            [web::get().to(problems::one), web::head().to(problems::one)],
        ))
        .service(address(
            "/livez",
            READ,
            [web::get().to(health::livez), web::head().to(health::livez)],
        ))
        .service(address(
            "/readyz",
            READ,
            [
                web::get().to(health::readyz),
                web::head().to(health::readyz),
            ],
        ))
        .service(address(
            "/openapi.json",
            READ,
            [
                web::get().to(openapi::document),
                web::head().to(openapi::document),
            ],
        ))
        .configure(pages)
        .default_service(web::to(nothing_here));
}

/// What a browser asks for.
fn pages(config: &mut ServiceConfig) {
    config
        .service(address(
            "/",
            READ,
            [web::get().to(page::page), web::head().to(page::page)],
        ))
        .service(address(
            "/story.css",
            READ,
            [web::get().to(page::looks), web::head().to(page::looks)],
        ))
        .service(address(
            "/story.js",
            READ,
            [
                web::get().to(page::behaviour),
                web::head().to(page::behaviour),
            ],
        ))
        .service(address(
            "/icon.svg",
            READ,
            [web::get().to(page::icon), web::head().to(page::icon)],
        ));
}

fn address<const N: usize>(
    path: &'static str,
    allow: &'static str,
    routes: [Route; N],
) -> Resource {
    let refuse = move || async move { Err::<&'static str, _>(Error::Method { allow }) };
    let resource = routes
        .into_iter()
        .fold(web::resource(path), Resource::route);
    resource.default_service(web::to(refuse))
}

async fn nothing_here(request: HttpRequest) -> Result<&'static str, Error> {
    let path: String = request.path().chars().take(100).collect();
    Err(Error::Refused(
        Kind::NotFound,
        format!("there is nothing at {path}; /openapi.json describes what there is"),
    ))
}
