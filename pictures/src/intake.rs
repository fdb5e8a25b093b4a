//! The intake of pictures: what they are, whether they are taken, and how they are kept.
//! The API calls [`take_in`] with what a caller sent. What must stay true: nothing is allocated for pixels before
//! header and frame count have been checked, what is kept meets the caps as well, and it has no metadata.

mod kept;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::caps::Caps;
use crate::layout::{Layout, look, unreadable};
use crate::refusal::Refusal;

/// Pictures decoded at once: more would only wait for cores, each holding hundreds of megabytes.
static DECODERS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Arc::new(Semaphore::new(cores))
});
/// What all of them together may hold, in MiB: two or three of the largest pictures, or a dozen from phones.
pub const DECODING_BUDGET: u32 = 1024;
static BUDGET: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(DECODING_BUDGET as usize)));
/// Four bytes a pixel, and twice as much to work with: coefficients of a progressive JPEG, or the turned copy.
const BYTES_A_PIXEL: u64 = 12;

/// What becomes of a picture that its EXIF entry says is to be turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turning {
    /// It is kept as people see it, so that whoever opens it needs to know nothing.
    Upright,
    /// It keeps its pixels, and the entry that says how to turn them: the original of 2015 knew no EXIF.
    AsSent,
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

/// Checks a picture to its last byte and makes it ready to be kept: decoded once within limits, metadata and
/// everything after its end removed. Takes up to a second of one core, on a blocking thread.
///
/// # Errors
/// `Unreadable`, `TooLarge` or `Animated`, with a message for the person who sent it.
pub async fn take_in(bytes: Bytes, turning: Turning, caps: Caps) -> Result<TakenIn, Refusal> {
    let (looked, most) = (bytes.clone(), caps.clone());
    let layout = on_a_thread(move || still(&looked, &most)).await?;
    // never closed, so there is always a permit to wait for; room first, so that who waits for it holds up nobody
    let room = BUDGET
        .clone()
        .acquire_many_owned(room_for(&layout))
        .await
        .ok();
    let permit = DECODERS.clone().acquire_owned().await.ok();
    on_a_thread(move || {
        // they go along: the work goes on even if the caller has gone away
        let _held = (room, permit);
        prove(&bytes, &layout, turning, &caps)
    })
    .await
}

/// How much of the budget a picture takes while it is decoded, in MiB.
fn room_for(layout: &Layout) -> u32 {
    let pixels = u64::from(layout.width) * u64::from(layout.height);
    let room = pixels
        .saturating_mul(BYTES_A_PIXEL)
        .div_ceil(1 << 20)
        .max(1);
    u32::try_from(room).map_or(DECODING_BUDGET, |room| room.min(DECODING_BUDGET))
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        // the task is never cancelled, so this is a panic of a decoder
        .unwrap_or_else(|_| Err(unreadable("it cannot be decoded")))
}

/// [`take_in`] on the calling thread.
///
/// # Errors
/// As [`take_in`]. A decoder may panic on hostile bytes.
pub fn check(bytes: &Bytes, turning: Turning, caps: &Caps) -> Result<TakenIn, Refusal> {
    prove(bytes, &still(bytes, caps)?, turning, caps)
}

fn still(bytes: &[u8], caps: &Caps) -> Result<Layout, Refusal> {
    let layout = look(bytes, caps)?;
    if layout.animated {
        return Err(Refusal::Animated);
    }
    Ok(layout)
}

fn prove(
    bytes: &Bytes,
    layout: &Layout,
    turning: Turning,
    caps: &Caps,
) -> Result<TakenIn, Refusal> {
    let kept = kept::kept(bytes, layout, turning, caps)?;
    let sha256 = hex::encode(Sha256::digest(&kept.bytes));
    Ok(TakenIn {
        bytes: kept.bytes.into(),
        media_type: kept.format.to_mime_type(),
        width: kept.width,
        height: kept.height,
        sha256,
    })
}

#[cfg(test)]
mod tests;
