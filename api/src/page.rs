//! The page at `/` and its files under `/assets/`, compiled into the program.
//! A browser asks for them; they speak only the documented API. What must stay true: no inline script or style,
//! or the Content-Security-Policy of `requests.rs` would block it, and nothing comes from anywhere else.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::error::{Error, Kind, Result};
use crate::etag;
use crate::service::Service;

const PAGE: &str = include_str!("../ui/index.html");
const ICON: &str = include_str!("../ui/icon.svg");
/// How long a file may be kept without asking. A 304 says it as its 200 does (RFC 9110 §15.4.5).
const ASK_EACH_TIME: &str = "no-cache";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of `api/ui`, with their types, by name.
macro_rules! assets {
    ($($name:literal: $media_type:expr),* $(,)?) => {
        &[$(($name, $media_type, include_str!(concat!("../ui/", $name)))),*]
    };
}

/// What the page asks for. One file for each part of it; `lean-qr.js` is the npm package of this name, unchanged.
const ASSETS: &[(&str, &str, &str)] = assets! {
    "story.css": CSS, "rooms.css": CSS, "wall.css": CSS,
    "main.js": SCRIPT, "book.js": SCRIPT, "camera.js": SCRIPT, "card.js": SCRIPT, "elements.js": SCRIPT, "gallery.js": SCRIPT,
    "kiosk.js": SCRIPT, "lean-qr.js": SCRIPT, "login.js": SCRIPT, "messages.js": SCRIPT, "mine.js": SCRIPT, "pictures.js": SCRIPT,
    "rooms.js": SCRIPT, "service.js": SCRIPT, "sheet.js": SCRIPT, "slideshow.js": SCRIPT, "styles.js": SCRIPT,
    "tastes.js": SCRIPT, "tiles.js": SCRIPT, "told.js": SCRIPT, "why.js": SCRIPT, "words.js": SCRIPT,
};

/// The page, knowing how large a picture may be and which version serves it.
pub(crate) async fn page(request: HttpRequest, service: Data<Service>) -> HttpResponse {
    let html = PAGE
        .replace("MAX_BYTES", &service.config.caps.bytes.to_string())
        .replace("SERVICE_VERSION", env!("CARGO_PKG_VERSION"));
    file(&request, "text/html; charset=utf-8", html)
}

/// Its looks, behaviour and words.
pub(crate) async fn asset(request: HttpRequest, name: Path<String>) -> Result<HttpResponse> {
    let known = ASSETS.iter().find(|(file, ..)| *file == name.as_str());
    let (_, media_type, text) = known.ok_or_else(|| {
        let message = "the page has no such file; load it again if the service was upgraded";
        Error::Refused(Kind::NotFound, message.to_owned())
    })?;
    Ok(file(&request, media_type, (*text).to_owned()))
}

/// Where files lay before they had a folder: a browser that kept an older page finds them.
pub(crate) async fn moved(request: HttpRequest) -> HttpResponse {
    let name = match request.path() {
        "/story.css" => "story.css",
        _ => "main.js",
    };
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, format!("/assets/{name}")))
        .finish()
}

/// The sign in the browser's tab.
pub(crate) async fn icon(request: HttpRequest) -> HttpResponse {
    file(&request, "image/svg+xml", ICON.to_owned())
}

/// A browser keeps the files but asks each time whether they are still these: an upgrade shows at once.
fn file(request: &HttpRequest, media_type: &'static str, text: String) -> HttpResponse {
    let tag = etag::of(text.as_bytes());
    if etag::matches(etag::known(request).as_ref(), &tag) {
        return etag::unchanged(&tag, ASK_EACH_TIME);
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CACHE_CONTROL, ASK_EACH_TIME))
        .insert_header((ETAG, tag.to_string()))
        .body(text)
}
