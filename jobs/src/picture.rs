//! The intake of pictures: what they are, whether they are taken, and how they are kept.
//! The API calls [`take_in`] with what a caller sent. What must stay true: nothing is allocated for pixels before
//! header and frame count have been checked, and what is kept has no metadata and needs no rotation.

use bytes::Bytes;

use crate::job::{ErrorKind, JobError, StoredImage};

/// What is taken at most.
#[derive(Clone, Debug)]
pub struct Caps {
    /// Bytes of the file.
    pub bytes: u64,
    /// Width times height.
    pub pixels: u64,
    /// The longer side over the shorter one: the networks look at a square.
    pub aspect: u32,
}

impl Default for Caps {
    /// What cameras and phones make: 20 MiB, 50 megapixels, panoramas up to 1:20.
    fn default() -> Self {
        Caps {
            bytes: 20 * 1024 * 1024,
            pixels: 50_000_000,
            aspect: 20,
        }
    }
}

/// What the header of a picture says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sniffed {
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    pub media_type: &'static str,
    /// Pixels from left to right, as stored.
    pub width: u32,
    /// Pixels from top to bottom, as stored.
    pub height: u32,
}

/// A picture ready to be kept.
#[derive(Clone, Debug)]
pub struct TakenIn {
    /// The file without metadata.
    pub bytes: Bytes,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    pub media_type: &'static str,
    /// Pixels from left to right, as people see it.
    pub width: u32,
    /// Pixels from top to bottom, as people see it.
    pub height: u32,
    /// SHA-256 of `bytes`, in lowercase hexadecimal.
    pub sha256: String,
}

impl TakenIn {
    /// The entry for the job whose picture is kept under `key`.
    pub fn stored_as(&self, key: String) -> StoredImage {
        StoredImage {
            key,
            media_type: self.media_type.to_owned(),
            width: self.width,
            height: self.height,
            bytes: self.bytes.len() as u64,
            sha256: self.sha256.clone(),
        }
    }
}

/// Reads magic bytes and header only, and checks them against the caps and for animation.
///
/// # Errors
/// `ImageUnreadable`, `ImageTooLarge` or `ImageAnimated`, with a message for the person who sent it.
pub fn sniff(_bytes: &[u8], _caps: &Caps) -> Result<Sniffed, JobError> {
    unimplemented!()
}

/// Checks a picture to its last byte and makes it ready to be kept: decoded once within limits, metadata and
/// everything after its end removed, turned upright. Takes up to a second of one core, on a blocking thread.
///
/// # Errors
/// As [`sniff`], and `ImageUnreadable` if it cannot be decoded to its end.
pub async fn take_in(bytes: Bytes, caps: Caps) -> Result<TakenIn, JobError> {
    tokio::task::spawn_blocking(move || check(&bytes, &caps))
        .await
        // the task is never cancelled, so this is a panic of a decoder
        .unwrap_or_else(|_| {
            Err(JobError::new(
                ErrorKind::ImageUnreadable,
                "the picture cannot be decoded",
            ))
        })
}

/// [`take_in`] on the calling thread.
///
/// # Errors
/// As [`take_in`]. A decoder may panic on hostile bytes.
pub fn check(_bytes: &Bytes, _caps: &Caps) -> Result<TakenIn, JobError> {
    unimplemented!()
}
