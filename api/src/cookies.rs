//! The cookie by which a browser that has logged in is known.
//! `session.rs` sets it, `callers.rs` and `sites.rs` look for it. What must stay true: of several only ours is read.

use actix_web::http::header::HeaderMap;
use jobs::Credential;

/// The cookie of a browser that was let in. With the prefix, which browsers take from https alone, no neighbouring host can
/// set it (RFC 6265bis).
pub(crate) const COOKIES: [&str; 2] = ["__Host-storyteller", "storyteller"];

/// The session of a browser, if it sends one.
pub fn session(headers: &HeaderMap) -> Option<Credential> {
    let texts = headers
        .get_all("cookie")
        .filter_map(|value| value.to_str().ok());
    let pairs: Vec<(&str, &str)> = texts
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .collect();
    COOKIES.iter().find_map(|cookie| {
        let mut named = pairs.iter().filter(|(name, _)| name == cookie);
        named.find_map(|(_, value)| Credential::session(value))
    })
}
