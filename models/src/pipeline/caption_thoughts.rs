//! The thoughts of a gallery's captions, computed once and kept in the cache.
//!
//! In the cache they are 16-bit floats; a first start reads the rounded numbers back, so that all starts tell the same
//! stories. A file appears whole or not at all; one that is damaged or of another size is made anew.

use crate::error::{Error, Result};
use crate::networks::bert::SentenceEncoder;
use crate::tensors::weights::Weights;
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
    if path.exists() {
        match Weights::from_safetensors(&path).and_then(|kept| kept.tensor(THOUGHTS, &shape)) {
            Ok(thoughts) => return Ok(thoughts),
            Err(error) => tracing::warn!("{error}: it will be made anew"),
        }
    }
    let of = captions.len();
    let thoughts = encoder.encode(captions, &mut |done| progress(DOING, done, of))?;
    let rounded = thoughts
        .to_device(Device::Cpu)
        .to_kind(Kind::Half)
        .to_kind(Kind::Float);
    let folder = path.parent().unwrap_or(Path::new("."));
    let arrays = [(THOUGHTS.to_owned(), rounded.shallow_clone())];
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| Error::file("create", folder, error))
        .and_then(|()| Weights::from_tensors("thoughts", arrays).save(&path, Kind::Half));
    if let Err(error) = written {
        tracing::warn!("the captions' thoughts will be computed again next time: {error}");
    }
    Ok(rounded)
}
