//! What happens around every request: an id, a look at whom it asks, one line in the log, and the headers that keep a
//! browser safe.
//! `lib.rs` wraps the whole application in [`around`]. What must stay true: every answer, errors included,
//! carries `X-Request-Id`, and nothing the page loads can come from another place than this service.

use std::rc::Rc;
use std::time::Instant;

use actix_web::HttpMessage as _;
use actix_web::ResponseError as _;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    Encoding, HeaderMap, HeaderName, HeaderValue, VARY,
};
use actix_web::http::{Method, Uri};
use actix_web::middleware::Next;
use actix_web::web::Data;
use operation::metrics::METRICS;
use operation::traces;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::connections::{Turns, UnderWay};
use crate::error::{Error, Kind};
use crate::service::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ids than this are replaced: they end in every log line of the request.
const LONGEST_ID: usize = 64;

/// The route of addresses that are none: callers may invent as many as they like.
const NO_ROUTE: &str = "none";

/// `blob:` is the preview of the picture before it is sent; everything else is files of this service.
const SAFETY: [(&str, &str); 5] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
];

/// Swagger UI has its arrows and crosses as pictures in its style.
const OF_DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Gives the request an id, answers it, adds the headers and logs one line.
///
/// # Errors
/// Whatever the handlers answer that is not a response yet.
pub(crate) async fn around(
    service: Data<Service>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let under_way = UnderWay::on(request.conn_data::<Rc<Turns>>());
    let id = request_id(&request);
    let span = tracing::info_span!(
        "request", id = %id, method = %request.method(), path = request.path(), key = tracing::field::Empty
    );
    traces::follow(&span, given_trace(request.headers()));
    ask_for_something_readable(&mut request);
    let asked = request.method().clone();
    let route = request.match_pattern();
    let of_docs = request.path().starts_with("/docs/");
    let started = Instant::now();
    async move {
        let route = route.as_deref().unwrap_or(NO_ROUTE);
        let meant = service.config.hosts.check(request.request());
        let answer = match meant.and_then(|()| storable(request.uri())) {
            Ok(()) => next
                .call(request)
                .await
                .map(ServiceResponse::map_into_boxed_body),
            Err(refusal) => Ok(request.into_response(Error::error_response(&refusal))),
        };
        let status = match &answer {
            Ok(answer) => answer.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        METRICS
            .requests
            .with_label_values(&[method(&asked), route, status.as_str()])
            .inc();
        METRICS
            .request_seconds
            .with_label_values(&[route])
            .observe(started.elapsed().as_secs_f64());
        let milliseconds = started.elapsed().as_millis() as u64;
        tracing::info!(status = status.as_u16(), milliseconds, "answered");
        let mut answer = answer?;
        let headers = answer.headers_mut();
        for (name, value) in SAFETY {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        say_that_encodings_vary(headers);
        if of_docs {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(OF_DOCS));
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        Ok(answer.map_body(|_, body| under_way.until_the_end_of(body)))
    }
    .instrument(span)
    .await
}

/// The trace that whoever asks would have gone on with, if he names one.
pub(crate) fn given_trace(headers: &HeaderMap) -> Option<&str> {
    headers.get(traces::TRACEPARENT)?.to_str().ok()
}

/// Who takes no encoding that there is, not even none, gets the plain answer and not a refusal that he could read as little.
fn ask_for_something_readable(request: &mut ServiceRequest) {
    let known = [
        Encoding::identity(),
        Encoding::gzip(),
        Encoding::brotli(),
        Encoding::zstd(),
    ];
    let wish = request.get_header::<AcceptEncoding>();
    if wish.is_some_and(|wish| wish.negotiate(known.iter()).is_none()) {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
}

/// Those who keep answers must know that another caller may get this one otherwise, also if it is not compressed this time.
fn say_that_encodings_vary(headers: &mut HeaderMap) {
    let said = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"accept-encoding");
    let picture = |value: &HeaderValue| value.as_bytes().starts_with(b"image/");
    let fixed = headers.get(CONTENT_TYPE).is_none_or(picture)
        || headers
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| encoding == "identity");
    if !fixed && !headers.get_all(VARY).any(said) {
        headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    }
}

/// The caller's own id if it is one, a new one otherwise.
fn request_id(request: &ServiceRequest) -> String {
    let acceptable = |id: &&str| {
        (1..=LONGEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(acceptable)
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Callers may invent methods; the metrics know those that exist here.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Nothing here has an address with a NUL character, which the database could not even look for.
fn storable(address: &Uri) -> Result<(), Error> {
    let whole = address.path_and_query().map_or("", |whole| whole.as_str());
    if !whole.contains("%00") {
        return Ok(());
    }
    let message = "the address has a NUL character (%00), and nothing here has one in its name";
    Err(Error::Refused(Kind::MalformedRequest, message.to_owned()))
}
