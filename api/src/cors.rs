//! Pages of other sites that an operator lets ask, each by its origin: what browsers are told of them (CORS).
//! `lib.rs` wraps the application in it; without `--cors-origin` nobody is told anything. What must stay true: no answer is for
//! a page to read that is not named, and none comes with cookies, so a page acts with a key of its own or as anybody.

use actix_cors::Cors;
use actix_web::http::Uri;
use actix_web::middleware::Condition;

/// What such pages may do.
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];
/// What they may send beside what every page may.
const SENT: [&str; 12] = [
    "accept",
    "authorization",
    "cache-control",
    "content-type",
    "idempotency-key",
    "if-none-match",
    "last-event-id",
    "prefer",
    "range",
    "traceparent",
    "x-api-key",
    "x-request-id",
];
/// What they may read beside what every page may.
const READ: [&str; 13] = [
    "accept-ranges",
    "allow",
    "content-range",
    "etag",
    "idempotency-replayed",
    "link",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];
/// For how many seconds a browser need not ask again. Longer ones are cut by browsers themselves.
const REMEMBERED: usize = 3600;

/// Lets pages of these origins ask, if there are any.
pub(crate) fn around(origins: &[String]) -> Condition<Cors> {
    let cors = Cors::default()
        .allowed_methods(METHODS)
        .allowed_headers(SENT)
        .expose_headers(READ)
        .max_age(REMEMBERED);
    let cors = origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(origin));
    Condition::new(!origins.is_empty(), cors)
}

/// An origin as browsers write it: scheme, host, and a port that is not the usual one.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let example =
        "write an origin as browsers do, such as https://app.example, without path and wildcard";
    let uri: Uri = text.trim().parse().map_err(|_| example)?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.authority()) else {
        return Err(example.to_owned());
    };
    let plain = host
        .as_str()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    if !matches!(scheme, "http" | "https")
        || !plain
        || !matches!(uri.path(), "" | "/")
        || uri.query().is_some()
    {
        return Err(example.to_owned());
    }
    let host = host.as_str().to_ascii_lowercase();
    let usual = if scheme == "http" { ":80" } else { ":443" };
    let host = host.strip_suffix(usual).unwrap_or(&host);
    Ok(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_browsers_write_it_and_nothing_wider_is_taken() {
        for (text, read) in [
            ("https://app.example", "https://app.example"),
            (" https://App.example:443/", "https://app.example"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(read));
        }
        for wrong in [
            "*",
            "null",
            "app.example",
            "https://*.example",
            "https://app.example/path",
            "https://app.example?x",
            "https://me@app.example",
            "ftp://app.example",
            "",
        ] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }
}
