//! Where the picture of a submit comes from: the body itself, or an address in it.
//! `submit.rs` asks. What must stay true: an address is reached only through the client that guards our own network,
//! and a request that came before is known by its address, without fetching again what may have changed or gone.

use bytes::Bytes;
use outbound::{FetchError, host_of};

use crate::Service;
use crate::error::{Error, Kind, Result};

/// A picture, or where one is.
pub(crate) enum Source {
    /// The bytes of the picture.
    Sent(Bytes),
    /// Its address.
    Address(String),
}

impl Source {
    /// The one of the two that was given.
    ///
    /// # Errors
    /// `invalid_parameter` if neither was, or both were.
    pub(crate) fn of(sent: Option<Bytes>, address: Option<String>) -> Result<Source> {
        match (sent, address) {
            (Some(image), None) => Ok(Source::Sent(image)),
            (None, Some(address)) => Ok(Source::Address(address.trim().to_owned())),
            (None, None) => Err(Error::field(
                "image",
                "`image` is missing: send the picture in this field of a form, or its address in `image_url`",
            )),
            (Some(_), Some(_)) => Err(Error::field(
                "image_url",
                "`image` and `image_url` are both given: send the picture or its address",
            )),
        }
    }

    /// The bytes, fetched if need be.
    ///
    /// # Errors
    /// `busy`, `fetch_blocked`, `fetch_failed`, `image_too_large` or `invalid_parameter` for an address that leads to none.
    pub(crate) async fn bytes(self, service: &Service) -> Result<Bytes> {
        let address = match self {
            Source::Sent(image) => return Ok(image),
            Source::Address(address) => address,
        };
        // an address that cannot be read has no host, and is refused without anything being fetched
        let host = host_of(&address).unwrap_or_default();
        let _turn = service.turns.fetch(&host).await?;
        let most = service.config.caps.bytes;
        service
            .state
            .fetch
            .picture(&address, most)
            .await
            .map_err(refusal)
    }
}

fn refusal(error: FetchError) -> Error {
    let kind = match error {
        FetchError::Address(wrong) => {
            return Error::field("image_url", format!("`image_url` {wrong}"));
        }
        FetchError::Blocked(_) => Kind::FetchBlocked,
        FetchError::TooLarge(_) => Kind::ImageTooLarge,
        FetchError::Failed(_) => Kind::FetchFailed,
    };
    Error::Field {
        kind,
        field: "image_url".to_owned(),
        message: format!("the picture behind `image_url` could not be fetched: {error}"),
        choices: Vec::new(),
    }
}
