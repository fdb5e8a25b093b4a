//! Entity tags: how a caller says which version of an answer it already has.
//! Used by everything that can be looked at again. What must stay true: equal bytes have equal tags, in every process.

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, IF_NONE_MATCH, IfNoneMatch};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::error::{Error, Result};

/// A weak tag of these bytes (FNV-1a, 64 bits: a tag tells versions of one thing apart, it guards nothing).
pub fn of(bytes: &[u8]) -> EntityTag {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    EntityTag::new_weak(format!("{hash:016x}"))
}

/// The tag of what is shown as JSON.
///
/// # Errors
/// `internal`, if it has no JSON.
pub(crate) fn of_view(view: &impl Serialize) -> Result<EntityTag> {
    let bytes = serde_json::to_vec(view).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(of(&bytes))
}

/// An answer with this in it, which may be kept so long, or that the caller has it already.
///
/// # Errors
/// As [`of_view`].
pub(crate) fn shown(
    answer: &mut HttpResponseBuilder,
    request: &HttpRequest,
    view: &impl Serialize,
    kept: &'static str,
) -> Result<HttpResponse> {
    let tag = of_view(view)?;
    if matches(known(request).as_ref(), &tag) {
        return Ok(unchanged(&tag, kept));
    }
    Ok(answer
        .insert_header((ETAG, tag.to_string()))
        .insert_header((CACHE_CONTROL, kept))
        .json(view))
}

/// The versions that a caller has, if it says so.
pub fn known(request: &HttpRequest) -> Option<IfNoneMatch> {
    let said = request.headers().contains_key(IF_NONE_MATCH);
    said.then(|| request.get_header()).flatten()
}

/// Whether this version is one that the caller has (weak comparison, RFC 9110 §13.1.2).
pub fn matches(known: Option<&IfNoneMatch>, tag: &EntityTag) -> bool {
    match known {
        None => false,
        Some(IfNoneMatch::Any) => true,
        Some(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(tag)),
    }
}

/// The answer to a caller who has this version: how long it may be kept is said as with the version itself (RFC 9110
/// §15.4.5).
pub(crate) fn unchanged(tag: &EntityTag, kept: &'static str) -> HttpResponse {
    HttpResponse::NotModified()
        .insert_header((CACHE_CONTROL, kept))
        .insert_header((ETAG, tag.to_string()))
        .finish()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_tag_matches_itself_in_a_list_weak_or_strong_and_nothing_else() {
        let tag = of(b"one");
        let has = |text: String| {
            let request = TestRequest::default().insert_header((IF_NONE_MATCH, text));
            matches(known(&request.to_http_request()).as_ref(), &tag)
        };
        assert!(has(format!("\"x\", {tag}")));
        assert!(has(tag.to_string().trim_start_matches("W/").to_owned()));
        assert!(has("*".to_owned()));
        assert!(!has(of(b"two").to_string()));
        assert!(!matches(None, &tag));
        let silent = TestRequest::default().to_http_request();
        assert!(known(&silent).is_none());
    }
}
