//! From a job's stored picture to pixels: fetched, compared with what was stored, decoded on a blocking thread.
//! Intake calls it. What must stay true: whatever the bytes are, only this job fails; a decoder may panic. A picture
//! store that cannot be reached is told apart from a picture that is bad: the one passes, the other does not.

use bytes::Bytes;
use jobs::{Compat, ErrorKind, JobError, StoredImage};
use models::Picture;
use pictures::{Caps, Images};
use sha2::{Digest as _, Sha256};

/// Why there are no pixels.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It is the picture's own fault, and will be the next time.
    Picture(JobError),
    /// The pictures cannot be reached now; nobody's fault.
    Unavailable(pictures::Error),
}

/// Fetches and decodes the picture of a job.
pub(crate) async fn fetch(
    images: &dyn Images,
    stored: Option<&StoredImage>,
    compat: Compat,
) -> Result<Picture, Problem> {
    let missing = |message: String| {
        Problem::Picture(JobError::new(
            ErrorKind::ImageMissing,
            format!("{message}: send the picture again"),
        ))
    };
    let Some(stored) = stored else {
        return Err(missing("the picture of this job was removed".to_owned()));
    };
    let bytes = match images.get(&stored.key).await {
        Ok(bytes) => bytes,
        Err(error @ (pictures::Error::Missing { .. } | pictures::Error::Key { .. })) => {
            tracing::error!(%error, "a job's picture is gone");
            return Err(missing("the stored picture is gone".to_owned()));
        }
        Err(error) => return Err(Problem::Unavailable(error)),
    };
    let sha256 = stored.sha256.clone();
    let decoded = tokio::task::spawn_blocking(move || decode(&bytes, &sha256, compat)).await;
    // the task is never cancelled, so this is a panic of a decoder
    decoded
        .unwrap_or_else(|_| Err(unreadable("it breaks the decoder")))
        .map_err(Problem::Picture)
}

fn decode(bytes: &Bytes, sha256: &str, compat: Compat) -> Result<Picture, JobError> {
    if hex::encode(Sha256::digest(bytes)) != sha256 {
        return Err(JobError::new(
            ErrorKind::ImageMissing,
            "the stored picture is not the one that was sent: send the picture again",
        ));
    }
    let caps = Caps::default();
    // the original of 2015 knew no EXIF
    let picture = match compat {
        Compat::Modern => Picture::decode(bytes, &caps),
        Compat::Strict => Picture::decode_as_stored(bytes, &caps),
    };
    picture.map_err(|error| match error {
        models::Error::Picture(reason) => unreadable(&reason),
        other => unreadable(&other.to_string()),
    })
}

fn unreadable(reason: &str) -> JobError {
    JobError::new(
        ErrorKind::ImageUnreadable,
        format!("the picture cannot be read: {reason}; send it as JPEG or PNG"),
    )
}
