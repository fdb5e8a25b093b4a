//! What is computed from a bundle once and kept in the cache: a file appears whole or not at all.
//!
//! One that is damaged or of another size is made anew; a cache that cannot be written costs time at the next start,
//! nothing else.

use crate::error::{Error, Result};
use crate::tensors::weights::Weights;
use std::path::Path;
use tch::{Kind, Tensor};

/// What `take` finds in the file at `path`, if there is one and it is as it should be.
pub(super) fn recalled<T>(path: &Path, take: impl FnOnce(&Weights) -> Result<T>) -> Option<T> {
    if !path.exists() {
        return None;
    }
    match Weights::from_safetensors(path).and_then(|kept| take(&kept)) {
        Ok(found) => Some(found),
        Err(error) => {
            tracing::warn!("{error}: it will be made anew");
            None
        }
    }
}

/// Keeps arrays at `path` in numbers of `kind`, where that can be done.
pub(super) fn keep(path: &Path, kind: Kind, arrays: impl IntoIterator<Item = (String, Tensor)>) {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| Error::file("create", folder, error))
        .and_then(|()| {
            let label = path.display().to_string();
            Weights::from_tensors(label, arrays).save(path, kind)
        });
    if let Err(error) = written {
        tracing::warn!("it will be computed again next time: {error}");
    }
}
