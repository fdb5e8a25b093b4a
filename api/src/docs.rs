//! `/docs`: the API to be read and tried in a browser, and a page for each type of problem under `/docs/errors`.
//! Swagger UI comes with the program, from the package of its vendored files, and reads `/openapi.json`. What must stay
//! true: nothing is loaded from anywhere else, and the pages need no script or style in their HTML.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use crate::error::{Error, Kind, Result};
use crate::etag;

/// What the page of Swagger UI asks for; the package has more, for those who build it in.
const FILES: [&str; 7] = [
    "index.css",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];
const STYLE: &str = include_str!("../ui/docs/docs.css");
static CONFIG: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.json").try_it_out_enabled(true)));

/// The files of the page lie beside it.
pub(crate) async fn moved() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs/"))
        .finish()
}

/// The page.
pub(crate) async fn page(request: HttpRequest) -> Result<HttpResponse> {
    of_swagger(&request, "index.html")
}

/// Its files.
pub(crate) async fn file(request: HttpRequest, name: Path<String>) -> Result<HttpResponse> {
    match name.as_str() {
        "docs.css" => Ok(shown(&request, "text/css; charset=utf-8", STYLE.into())),
        name if FILES.contains(&name) => of_swagger(&request, name),
        _ => Err(nothing()),
    }
}

/// Every type of problem, for people.
pub(crate) async fn errors(request: HttpRequest) -> HttpResponse {
    let mut list = "<h1>What can go wrong</h1>\n<p>Every error answer has a <code>type</code> from this list, and so has every \
                    story that failed. Programs read it at <a href=\"/problems\">/problems</a>.</p>\n<dl>\n"
        .to_owned();
    for kind in Kind::all() {
        let (name, title) = (kind.name(), text(kind.title()));
        // a string takes everything
        let _ = writeln!(
            list,
            "<dt><a href=\"/docs/errors/{name}\">{name}</a></dt><dd>{title}</dd>"
        );
    }
    list.push_str("</dl>\n");
    html(&request, "What can go wrong", &list)
}

/// One type of problem, for people.
pub(crate) async fn error(request: HttpRequest, name: Path<String>) -> Result<HttpResponse> {
    let kind = Kind::named(&name).ok_or_else(nothing)?;
    Ok(about(&request, kind))
}

/// The page about a type of problem.
pub(crate) fn about(request: &HttpRequest, kind: Kind) -> HttpResponse {
    let again = if kind.retryable() {
        "The same request may succeed later."
    } else {
        "The same request will not succeed later."
    };
    let body = format!(
        "<h1>{title}</h1>\n<p><code>{name}</code> · status {status}</p>\n<p>{meaning}</p>\n<p>{again}</p>\n\
         <p><a href=\"/docs/errors\">All types of problems</a> · <a href=\"/docs/\">The API</a></p>\n",
        title = text(kind.title()),
        name = kind.name(),
        status = kind.status().as_u16(),
        meaning = text(kind.meaning()),
    );
    html(request, kind.title(), &body)
}

fn html(request: &HttpRequest, title: &str, body: &str) -> HttpResponse {
    let title = text(title);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title} · Neural Storyteller</title>\n\
         <link rel=\"icon\" href=\"/icon.svg\">\n<link rel=\"stylesheet\" href=\"/docs/docs.css\">\n</head>\n\
         <body><main>\n{body}</main></body>\n</html>\n"
    );
    shown(request, "text/html; charset=utf-8", page.into_bytes())
}

/// As HTML, with what stands between backticks as code.
fn text(plain: &str) -> String {
    let plain = plain
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let pieces = plain.split('`').enumerate();
    pieces
        .map(|(number, piece)| match number % 2 {
            0 => piece.to_owned(),
            _ => format!("<code>{piece}</code>"),
        })
        .collect()
}

fn of_swagger(request: &HttpRequest, name: &str) -> Result<HttpResponse> {
    let found = utoipa_swagger_ui::serve(name, CONFIG.clone())
        .map_err(|error| Error::Internal(error.to_string()))?;
    let file = found.ok_or_else(nothing)?;
    Ok(shown(request, &file.content_type, file.bytes.into_owned()))
}

/// A browser keeps it but asks each time whether it is still this: an upgrade shows at once.
fn shown(request: &HttpRequest, media_type: &str, bytes: Vec<u8>) -> HttpResponse {
    let tag = etag::of(&bytes);
    let known = etag::matches(etag::known(request).as_ref(), &tag);
    let mut answer = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((ETAG, tag.to_string()));
    if known {
        return answer.finish();
    }
    answer.insert_header((CONTENT_TYPE, media_type)).body(bytes)
}

fn nothing() -> Error {
    let message = "there is no such page; /docs/ and /docs/errors have what there is";
    Error::Refused(Kind::NotFound, message.to_owned())
}
