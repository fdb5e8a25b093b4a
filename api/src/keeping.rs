//! The picture of a submit: fetched if need be, proven and cleaned, then kept; or let go if its job is not accepted.
//! The submits call it. What must stay true: what is kept has passed the intake, under a name of this deployment and its job.

use jobs::{Compat, StoredImage};
use pictures::images::Deployment;
use pictures::{TakenIn, Turning, take_in};
use uuid::Uuid;

use crate::error::Result;
use crate::limits::Fetch;
use crate::service::Service;
use crate::source::Source;

/// A picture ready to be kept, with the turn that it came by: as long as its bytes are held, nobody else has it.
pub(crate) struct Ready<'a> {
    /// What is kept.
    pub(crate) picture: TakenIn,
    _turn: Option<Fetch<'a>>,
}

/// The picture, ready to be kept.
pub(crate) async fn picture_of(
    service: &Service,
    source: Source,
    compat: Compat,
) -> Result<Ready<'_>> {
    let (image, turn) = source.bytes(service).await?;
    let turning = match compat {
        Compat::Modern => Turning::Upright,
        Compat::Strict => Turning::AsSent,
    };
    Ok(Ready {
        picture: take_in(image, turning, service.config.caps.clone()).await?,
        _turn: turn,
    })
}

/// Keeps the picture of this job.
pub(crate) async fn keep(service: &Service, job: Uuid, ready: Ready<'_>) -> Result<StoredImage> {
    let Ready { picture, _turn } = ready;
    let deployment = Deployment(service.state.store.deployment().await?);
    let image = StoredImage {
        key: deployment.key(job, picture.media_type),
        media_type: picture.media_type.to_owned(),
        width: picture.width,
        height: picture.height,
        bytes: picture.bytes.len() as u64,
        sha256: picture.sha256,
    };
    service.state.images.put(&image.key, picture.bytes).await?;
    Ok(image)
}
