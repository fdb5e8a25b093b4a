//! Where the picture of a submit comes from: the body itself, or an address or the id of an upload in it.
//! `submit.rs` asks. What must stay true: an address is reached only through the client that guards our own network,
//! and a request that came before is known by its address, without fetching again what may have changed or gone.

use bytes::Bytes;
use outbound::{FetchError, host_of};
use uuid::Uuid;

use crate::error::{Error, Kind, Result};
use crate::limits::Fetch;
use crate::seen::find;
use crate::service::Service;
use crate::uploads::Upload;

/// Pictures that are in the store already come from one place, and share its turns; no host is called so.
const STORE: &str = "the picture store";

/// A picture, or where one is.
pub(crate) enum Source {
    /// The bytes of the picture.
    Sent(Bytes),
    /// Its address.
    Address(String),
    /// What was sent to the store by itself.
    Uploaded(Upload),
    /// The picture of the story that this one goes on from.
    Earlier(Uuid),
}

impl Source {
    /// The one of the three that was given, or the picture of an earlier story where none was.
    ///
    /// # Errors
    /// `invalid_parameter` if there is none, or several were given.
    pub(crate) fn of(
        sent: Option<Bytes>,
        address: Option<String>,
        upload: Option<Upload>,
        earlier: Option<Uuid>,
    ) -> Result<Source> {
        match (sent, address, upload, earlier) {
            (Some(image), None, None, _) => Ok(Source::Sent(image)),
            (None, Some(address), None, _) => Ok(Source::Address(address.trim().to_owned())),
            (None, None, Some(upload), _) => Ok(Source::Uploaded(upload)),
            (None, None, None, Some(earlier)) => Ok(Source::Earlier(earlier)),
            (None, None, None, None) => Err(Error::field(
                "image",
                "`image` is missing: send the picture in this field of a form, or its address in `image_url`",
            )),
            (_, Some(_), None, _) => Err(Error::field(
                "image_url",
                "`image` and `image_url` are both given: send the picture or its address",
            )),
            (_, _, Some(_), _) => Err(Error::field(
                "upload",
                "`upload` is given beside `image` or `image_url`: name the upload, or the picture, or its address",
            )),
        }
    }

    /// What a repeated request is known by before any byte is read: an address, or an id; nothing for what was sent.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Source::Sent(_) => None,
            Source::Address(address) => Some(address.clone()),
            Source::Uploaded(upload) => Some(upload.id.to_string()),
            Source::Earlier(story) => Some(story.to_string()),
        }
    }

    /// The upload, which is of no use any more when its story is accepted.
    pub(crate) fn upload(&self) -> Option<Upload> {
        match self {
            Source::Uploaded(upload) => Some(*upload),
            _ => None,
        }
    }

    /// The bytes, fetched if need be, and the turn that they came by: it is held until they are no longer needed.
    ///
    /// # Errors
    /// `busy`, `fetch_blocked`, `fetch_failed`, `image_too_large`, `invalid_parameter` for an address that leads to none,
    /// `upload_missing` or `upload_expired` for an upload, or `data_removed` for a story that has none any more.
    pub(crate) async fn bytes(self, service: &Service) -> Result<(Bytes, Option<Fetch<'_>>)> {
        let turns = &service.turns;
        match self {
            // it came by the turn of its request
            Source::Sent(image) => Ok((image, None)),
            Source::Address(address) => {
                // one that cannot be read has no host, and is refused without anything being fetched
                let turn = turns.fetch(&host_of(&address).unwrap_or_default()).await?;
                let most = service.config.caps.bytes;
                let fetched = service.state.fetch.picture(&address, most).await;
                Ok((fetched.map_err(refusal)?, Some(turn)))
            }
            Source::Uploaded(upload) => {
                let turn = turns.fetch(STORE).await?;
                Ok((upload.bytes(service).await?, Some(turn)))
            }
            Source::Earlier(story) => {
                let turn = turns.fetch(STORE).await?;
                Ok((earlier_picture(service, story).await?, Some(turn)))
            }
        }
    }
}

/// A copy for the new story: each keeps and loses its own.
async fn earlier_picture(service: &Service, story: Uuid) -> Result<Bytes> {
    let job = find(service, story).await?;
    let kept = job.image.filter(|_| job.data_removed_at.is_none());
    let image = kept.ok_or_else(Error::removed)?;
    Ok(service.state.images.get(&image.key).await?)
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
