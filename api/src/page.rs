//! The page at `/` and its three files, compiled into the program.
//! A browser asks for them; they speak only the documented API. What must stay true: no inline script or style,
//! or the Content-Security-Policy of `requests.rs` would block it.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::{Service, etag};

const PAGE: &str = include_str!("../ui/index.html");
const LOOKS: &str = include_str!("../ui/story.css");
const BEHAVIOUR: &str = include_str!("../ui/story.js");
const ICON: &str = include_str!("../ui/icon.svg");

/// The page, knowing how large a picture may be.
pub(crate) async fn page(request: HttpRequest, service: Data<Service>) -> HttpResponse {
    let html = PAGE.replace("MAX_BYTES", &service.config.caps.bytes.to_string());
    file(&request, "text/html; charset=utf-8", html)
}

/// Its looks.
pub(crate) async fn looks(request: HttpRequest) -> HttpResponse {
    file(&request, "text/css; charset=utf-8", LOOKS.to_owned())
}

/// Its behaviour.
pub(crate) async fn behaviour(request: HttpRequest) -> HttpResponse {
    file(
        &request,
        "text/javascript; charset=utf-8",
        BEHAVIOUR.to_owned(),
    )
}

/// The sign in the browser's tab.
pub(crate) async fn icon(request: HttpRequest) -> HttpResponse {
    file(&request, "image/svg+xml", ICON.to_owned())
}

/// A browser keeps the files but asks each time whether they are still these: an upgrade shows at once.
fn file(request: &HttpRequest, media_type: &'static str, text: String) -> HttpResponse {
    let tag = etag::of(text.as_bytes());
    if etag::matches(etag::known(request).as_ref(), &tag) {
        return HttpResponse::NotModified()
            .insert_header((ETAG, tag.to_string()))
            .finish();
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, tag.to_string()))
        .body(text)
}
