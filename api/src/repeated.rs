//! `Idempotency-Key`: by what a request that comes again is known.
//! The submits ask. What must stay true: the same wishes and the same picture are the same request, however they are
//! spelled, and a key alone, without the request that it came with, leads to nothing.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use jobs::StoryRequest;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// A UUID has 36; more than this is no key but a mistake.
const LONGEST_KEY: usize = 255;

/// The key of a request that may be repeated.
///
/// # Errors
/// `invalid_parameter`.
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<String>> {
    let Some(header) = request.headers().get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    match header.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(unquoted(key).to_owned())),
        _ => Err(Error::field(
            "Idempotency-Key",
            format!("an Idempotency-Key has 1 to {LONGEST_KEY} visible ASCII characters"),
        )),
    }
}

/// The key without its quotation marks, which are syntax (draft-ietf-httpapi-idempotency-key, RFC 8941 §3.3.3).
fn unquoted(key: &str) -> &str {
    let inner = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    inner.filter(|inner| !inner.is_empty()).unwrap_or(key)
}

/// Equal for the same picture, by its bytes or by its address, with the same wishes, however the form spelled them.
pub(crate) fn fingerprint(request: &StoryRequest, picture: &str) -> Result<String> {
    let wishes = serde_json::to_vec(request).map_err(|error| Error::Internal(error.to_string()))?;
    let picture = Sha256::new().chain_update(picture).chain_update(wishes);
    Ok(hex::encode(picture.finalize()))
}

pub(crate) fn key_reused() -> Error {
    let message = "this Idempotency-Key came with other pictures or other fields before; use a new key for a new story";
    Error::Refused(Kind::IdempotencyKeyReused, message.to_owned())
}
