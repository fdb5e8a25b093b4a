//! The intake of pictures: what they are, whether they are taken, and how they are kept.
//! The API calls [`take_in`] with what a caller sent. What must stay true: nothing is allocated for pixels before
//! header and frame count have been checked, what is kept meets the caps as well, and it has no metadata but which way
//! up it is: readers turn it, nobody else does.

mod gif;
mod jpeg;
mod layout;
mod png;
mod proof;
mod webp;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::error::Refusal;
use layout::Layout;

/// Pictures decoded at once: more would only wait for cores, each holding up to [`MOST_MEMORY`].
static DECODERS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Arc::new(Semaphore::new(cores))
});
/// What all of them together may hold, in MiB: two or three of the largest pictures, or a dozen from phones.
pub const DECODING_BUDGET: u32 = 1024;
static BUDGET: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(DECODING_BUDGET as usize)));
/// Four bytes a pixel, and as much again to work with.
const BYTES_A_PIXEL: u64 = 8;
/// What a decoder may allocate: 50 megapixels of four bytes, and as much again to work with.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;

/// What is taken at most: the one set of limits, of the API that takes pictures in and of the worker that decodes them.
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

/// A picture ready to be kept.
#[derive(Clone, Debug)]
pub struct TakenIn {
    /// The file without metadata but which way up it is.
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
pub async fn take_in(bytes: Bytes, caps: Caps) -> Result<TakenIn, Refusal> {
    let (looked, most) = (bytes.clone(), caps.clone());
    let layout = on_a_thread(move || look(&looked, &most)).await?;
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
        prove(&bytes, &layout, &caps)
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
        .unwrap_or_else(|_| Err(layout::unreadable("it cannot be decoded")))
}

/// [`take_in`] on the calling thread.
///
/// # Errors
/// As [`take_in`]. A decoder may panic on hostile bytes.
pub fn check(bytes: &Bytes, caps: &Caps) -> Result<TakenIn, Refusal> {
    prove(bytes, &look(bytes, caps)?, caps)
}

fn prove(bytes: &Bytes, layout: &Layout, caps: &Caps) -> Result<TakenIn, Refusal> {
    let proven = proof::proven(bytes, layout, MOST_MEMORY)?;
    check_bytes(proven.bytes.len(), caps)?;
    let sha256 = hex::encode(Sha256::digest(&proven.bytes));
    Ok(TakenIn {
        bytes: proven.bytes.into(),
        media_type: layout.media_type,
        width: proven.width,
        height: proven.height,
        sha256,
    })
}

/// Reads the structure only, and checks it against the caps and for animation. Decodes nothing.
fn look(bytes: &[u8], caps: &Caps) -> Result<Layout, Refusal> {
    if bytes.is_empty() {
        return Err(layout::unreadable("the file is empty"));
    }
    check_bytes(bytes.len(), caps)?;
    let layout = match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg::layout(bytes),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png::layout(bytes),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => webp::layout(bytes),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif::layout(bytes),
        _ => Err(layout::unreadable(&format!(
            "it is {}, not a JPEG, PNG, WebP or GIF picture",
            kind_of(bytes)
        ))),
    }?;
    check_size(&layout, caps)?;
    if layout.animated {
        return Err(Refusal::Animated);
    }
    Ok(layout)
}

fn check_bytes(bytes: usize, caps: &Caps) -> Result<(), Refusal> {
    let most = caps.bytes;
    if bytes as u64 > most {
        let reason = format!("it has {bytes} bytes, and at most {most} are taken");
        return Err(too_large(reason));
    }
    Ok(())
}

fn check_size(layout: &Layout, caps: &Caps) -> Result<(), Refusal> {
    let (width, height) = (layout.width, layout.height);
    if width == 0 || height == 0 {
        return Err(layout::unreadable("it says that it has no pixels"));
    }
    if u64::from(width) * u64::from(height) > caps.pixels {
        let most = caps.pixels / 1_000_000;
        return Err(too_large(format!(
            "it has {width}×{height} pixels, and at most {most} megapixels are taken"
        )));
    }
    if u64::from(width.max(height)) > u64::from(width.min(height)) * u64::from(caps.aspect) {
        let most = caps.aspect;
        return Err(too_large(format!(
            "it has {width}×{height} pixels, and one side may be at most {most} times the other"
        )));
    }
    Ok(())
}

fn too_large(reason: String) -> Refusal {
    Refusal::TooLarge(reason)
}

/// A guess at what somebody has sent instead of a picture that we take.
fn kind_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => "an AVIF picture",
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', ..] => "a HEIC picture",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "a film",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "a TIFF or raw picture",
        [b'B', b'M', ..] => "a BMP picture",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        _ if std::str::from_utf8(&bytes[..bytes.len().min(512)])
            .map_or_else(|error| error.error_len().is_none(), |_| true) =>
        {
            "text"
        }
        _ => "something else",
    }
}

#[cfg(test)]
mod tests;
