//! The captions' vectors: from the bundle if it has them, else computed once and kept in the cache.
//!
//! In the cache they are 16-bit floats; a first start reads the rounded numbers back, so that all starts tell the same
//! stories. A file appears whole or not at all; a damaged or foreign one is made anew. The vectors themselves stay on
//! disk: a search reads them block by block.

use crate::bundle::Bundle;
use crate::bundle::vectors::{EMBEDDINGS, Reading, THOUGHTS};
use crate::error::{Error, Result};
use crate::tensors::device::mapped::Mapped;
use crate::tensors::matrix::{ArraySpec, Matrix};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Beyond this many captions thought vectors are computed when needed: for the 414 thousand captions
/// of the original they would fill 4 GB, and a story needs a hundred of them.
const THOUGHTS_AT_MOST: usize = 100_000;

/// What is known about the captions.
pub(crate) struct Known {
    /// Unit vectors (N, D).
    pub(crate) embeddings: Matrix,
    /// Thought vectors (N, C), unless they are computed when needed.
    pub(crate) thoughts: Option<Matrix>,
}

/// Finds the vectors of a bundle's captions, or computes and keeps them. A cache that cannot be written costs time at
/// the next start, nothing else.
///
/// # Errors
/// When the bundle's own vectors do not fit it.
pub(crate) fn recall(
    bundle: &Bundle,
    cache: &Path,
    reading: Reading,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Known> {
    let device = reading.vse.device();
    let found = match &bundle.manifest().gallery.vectors {
        Some(file) => known(Arc::new(bundle.map(file)?), reading)?,
        None => kept(&file(cache, &bundle.gallery_key()?), reading, progress)?,
    };
    Ok(Known {
        embeddings: found.embeddings.near(device),
        thoughts: found.thoughts.map(|thoughts| thoughts.near(device)),
    })
}

/// Where the vectors that belong to `key` are kept.
fn file(cache: &Path, key: &str) -> PathBuf {
    cache.join("gallery").join(format!("{key}.safetensors"))
}

/// The vectors of the cache, made first if they are not there.
fn kept(
    file: &Path,
    reading: Reading,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Known> {
    if file.exists() {
        match complete(file, reading) {
            Ok(known) => return Ok(known),
            Err(error) => {
                tracing::warn!("{error}: it will be made anew");
                let _ = std::fs::remove_file(file);
            }
        }
    }
    let arrays = arrays(reading);
    let folder = file.parent().unwrap_or(Path::new("."));
    let key = file.file_stem().unwrap_or_default().to_string_lossy();
    let written = std::fs::create_dir_all(folder)
        .map_err(|error| Error::file("create", folder, error))
        .and_then(|()| reading.write(file, &key, &arrays, progress));
    match written {
        Ok(()) => complete(file, reading),
        Err(error) => {
            tracing::warn!("the captions' vectors will be computed again next time: {error}");
            compute(reading, progress)
        }
    }
}

fn arrays(reading: Reading) -> Vec<ArraySpec<'static>> {
    let names = [EMBEDDINGS, THOUGHTS];
    let few = reading.captions.len() <= THOUGHTS_AT_MOST;
    let names = &names[..if few { 2 } else { 1 }];
    let spec = |&name| (name, reading.shape(name), Kind::Half);
    names.iter().map(spec).collect()
}

/// A file of the cache, which must have all that belongs there.
fn complete(file: &Path, reading: Reading) -> Result<Known> {
    let known = known(Arc::new(Mapped::open(file)?), reading)?;
    if known.thoughts.is_none() && reading.captions.len() <= THOUGHTS_AT_MOST {
        let reason = "it has no thoughts";
        return Err(Error::format(file.display().to_string(), reason));
    }
    Ok(known)
}

/// The vectors of a file, whose extents must be those of the captions and networks.
fn known(file: Arc<Mapped>, reading: Reading) -> Result<Known> {
    let take = |name: &str| -> Result<Matrix> {
        let rows = Matrix::map_safetensors(&file, name)?;
        let (found, wanted) = ([rows.count(), rows.width()], reading.shape(name));
        if found == wanted {
            return Ok(rows);
        }
        Err(Error::Shape {
            file: file.path().display().to_string(),
            name: name.to_owned(),
            found: found.to_vec(),
            wanted: wanted.to_vec(),
        })
    };
    let thoughts = match take(THOUGHTS) {
        Err(Error::MissingArray { .. }) => None,
        found => Some(found?),
    };
    Ok(Known {
        embeddings: take(EMBEDDINGS)?,
        thoughts,
    })
}

/// The vectors in memory, rounded as a file would have them.
fn compute(reading: Reading, progress: &mut dyn FnMut(&str, usize, usize)) -> Result<Known> {
    let mut whole = |name: &str| -> Result<Matrix> {
        let mut blocks = Vec::new();
        reading.compute(name, 0, progress, &mut |block| {
            blocks.push(block.to_kind(Kind::Half));
            Ok(())
        })?;
        Matrix::from_tensor(Tensor::cat(&blocks, 0))
    };
    let embeddings = whole(EMBEDDINGS)?;
    let few = reading.captions.len() <= THOUGHTS_AT_MOST;
    Ok(Known {
        embeddings,
        thoughts: if few { Some(whole(THOUGHTS)?) } else { None },
    })
}
