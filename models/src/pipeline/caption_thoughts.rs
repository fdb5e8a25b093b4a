//! The thoughts of a gallery's captions, computed once and kept in the cache.
//!
//! In the cache they are 16-bit floats; a first start reads the rounded numbers back, so that all starts tell the same
//! stories.

use super::kept;
use crate::error::Result;
use crate::networks::bert::SentenceEncoder;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// What the array is called.
const THOUGHTS: &str = "thoughts";
/// What is done, for people.
const DOING: &str = "thinking about the captions";

/// The thoughts (N, T) of the captions, on the processor, from `file` (without its ending) if they are there.
///
/// # Errors
/// When a caption cannot be encoded. A cache that cannot be written costs time at the next start, nothing else.
pub fn recall(
    captions: &[String],
    encoder: &SentenceEncoder,
    file: &Path,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Tensor> {
    let path = file.with_extension("safetensors");
    let shape = [captions.len() as i64, encoder.size()];
    if let Some(thoughts) = kept::recalled(&path, |kept| kept.tensor(THOUGHTS, &shape)) {
        return Ok(thoughts);
    }
    let of = captions.len();
    let thoughts = encoder.encode(captions, &mut |done| progress(DOING, done, of))?;
    let rounded = thoughts
        .to_device(Device::Cpu)
        .to_kind(Kind::Half)
        .to_kind(Kind::Float);
    kept::keep(
        &path,
        Kind::Half,
        [(THOUGHTS.to_owned(), rounded.shallow_clone())],
    );
    Ok(rounded)
}
