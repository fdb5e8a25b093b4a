//! `Idempotency-Key`: by what a request that comes again is known, and which requests are just being answered.
//! The submits ask. What must stay true: the same wishes and the same picture are the same request, however they are
//! spelled; a key alone leads to nothing; and one that is at work is free again however its request ends.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use jobs::StoryRequest;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

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

/// A caller's key: of two callers the same words are two keys.
type Name = (Option<Uuid>, String);
type Names = Arc<Mutex<HashSet<Name>>>;

/// The keys whose requests this process is just answering. Another process that is asked at the same moment goes to work as
/// well, and the database lets one of the two be the first.
#[derive(Debug, Default)]
pub(crate) struct Running(Names);

/// One of them. Dropping it ends it.
pub(crate) struct AtWork {
    names: Names,
    name: Name,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.remove(&self.name);
    }
}

impl Running {
    /// Begins the work on a request of this owner with this key.
    ///
    /// # Errors
    /// `request_in_progress` if one is under way.
    pub(crate) fn begin(&self, owner: Option<Uuid>, key: &str) -> Result<AtWork> {
        let name = (owner, key.to_owned());
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !names.insert(name.clone()) {
            let message = "a request with this Idempotency-Key is still being answered; send it again in a moment for its answer";
            return Err(Error::Refused(Kind::RequestInProgress, message.to_owned()));
        }
        Ok(AtWork {
            names: Arc::clone(&self.0),
            name,
        })
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
