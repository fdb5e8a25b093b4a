//! Webhooks by Standard Webhooks 1.0: secrets and signatures.
//! The dispatcher signs; receivers written in Rust may verify with this as well. What must stay true: a signature is
//! over id, time and body together, it is compared in constant time, and a secret is never shown.

mod options;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use rand::Rng as _;
use sha2::Sha256;

pub use options::WebhookOptions;

use crate::error::{Error, Result};

/// What every secret begins with, so that people and scanners recognise one.
const PREFIX: &str = "whsec_";
/// The sizes of secrets in bytes that the specification allows.
const SIZES: std::ops::RangeInclusive<usize> = 24..=64;
/// What is made here: as much as the hash can use.
const NEW_SIZE: usize = 32;
/// More than the old and the new one is no rotation but a mistake.
const MOST_SECRETS: usize = 2;
/// How old or how far ahead a message may be before it counts as replayed by a stranger.
const TOLERANCE: Duration = Duration::from_secs(300);
/// The only scheme with a shared secret.
const VERSION: &str = "v1";

/// The names of the headers.
pub const ID: &str = "webhook-id";
/// Seconds since 1970 at which this attempt was signed.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// One signature for each secret, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// What sender and receiver share.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// The secrets in use: one, or two while one replaces the other.
#[derive(Clone, Debug)]
pub struct Secrets(Vec<Secret>);

/// The headers of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// The same for every attempt at one message.
    pub id: String,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// Signatures, separated by spaces.
    pub signature: String,
    /// The trace that the receiver may go on with (W3C Trace Context); not part of what is signed.
    pub traceparent: Option<String>,
}

/// Why a message is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More than five minutes from now.
    #[error("the message is from another time: it is more than five minutes away from now")]
    Time,
    /// No signature is by one of the secrets.
    #[error("no signature of the message was made with this secret")]
    Signature,
}

impl Secret {
    /// A new one, by chance.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = vec![0; NEW_SIZE];
        rand::rng().fill(&mut bytes[..]);
        Secret(bytes)
    }

    /// The secret in writing, for whoever may know it.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }

    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length: longer ones are hashed first");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signature = self.mac(id, timestamp, body).finalize().into_bytes();
        format!("{VERSION},{}", BASE64_STANDARD.encode(signature))
    }
}

impl Default for Secret {
    fn default() -> Self {
        Secret::new()
    }
}

impl FromStr for Secret {
    type Err = Error;

    /// Reads `whsec_` and base64.
    fn from_str(text: &str) -> Result<Self> {
        let refused = |reason: String| Error::Setting {
            setting: "webhook secret",
            reason,
        };
        let encoded = text.trim().strip_prefix(PREFIX).ok_or_else(|| {
            refused(format!(
                "does not begin with {PREFIX}; `storyteller webhooks secret` makes one"
            ))
        })?;
        let bytes = BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| refused(format!("is no base64 after {PREFIX}")))?;
        if !SIZES.contains(&bytes.len()) {
            let (least, most) = (SIZES.start(), SIZES.end());
            let has = bytes.len();
            return Err(refused(format!(
                "has {has} bytes; {least} to {most} are allowed"
            )));
        }
        Ok(Secret(bytes))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl Secrets {
    /// One secret alone.
    #[must_use]
    pub fn one(secret: Secret) -> Self {
        Secrets(vec![secret])
    }

    /// The headers of a message: a signature with each secret, so that receivers who know either accept it.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Headers {
        let signatures: Vec<_> = self
            .0
            .iter()
            .map(|secret| secret.sign(id, timestamp, body))
            .collect();
        Headers {
            id: id.to_owned(),
            timestamp,
            signature: signatures.join(" "),
            traceparent: None,
        }
    }

    /// Whether a message comes from somebody who knows one of the secrets, and from about `now` (seconds since 1970).
    ///
    /// # Errors
    /// Why it is not accepted. How long it takes says nothing about how nearly a signature fits.
    pub fn verify(
        &self,
        headers: &Headers,
        body: &[u8],
        now: i64,
    ) -> std::result::Result<(), Refused> {
        if now.abs_diff(headers.timestamp) > TOLERANCE.as_secs() {
            return Err(Refused::Time);
        }
        let mut accepted = false;
        for signature in headers.signature.split(' ') {
            let Some((VERSION, encoded)) = signature.split_once(',') else {
                continue;
            };
            let Ok(bytes) = BASE64_STANDARD.decode(encoded) else {
                continue;
            };
            for secret in &self.0 {
                let mac = secret.mac(&headers.id, headers.timestamp, body);
                accepted |= mac.verify_slice(&bytes).is_ok();
            }
        }
        if accepted {
            Ok(())
        } else {
            Err(Refused::Signature)
        }
    }
}

impl FromStr for Secrets {
    type Err = Error;

    /// Reads one secret or two, separated by commas or spaces; the order makes no difference.
    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split([',', ' ', '\n']).filter(|part| !part.is_empty());
        let secrets: Vec<Secret> = parts.map(str::parse).collect::<Result<_>>()?;
        if secrets.is_empty() || secrets.len() > MOST_SECRETS {
            return Err(Error::Setting {
                setting: "webhook secret",
                reason: format!(
                    "{} were given: give one, or the new and the old one while receivers change over",
                    secrets.len()
                ),
            });
        }
        Ok(Secrets(secrets))
    }
}

#[cfg(test)]
mod tests;
