//! The captions' vectors, computed once and kept on disk.
//!
//! The embedding (for finding captions) and the thought vector of every caption depend on the bundle
//! only. They are kept as 16-bit floats; a first start uses the rounded numbers too, so that all
//! starts tell the same stories. The file appears whole or not at all; a damaged or foreign one is
//! made anew.

use crate::skip_thoughts::Encoding;
use crate::{Error, Result, SkipThoughts, Vse, Weights, tokenize};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

/// Beyond this many captions thought vectors are computed when needed: for the 414 thousand captions
/// of the original they would fill 4 GB, and a story needs a hundred of them.
const THOUGHTS_AT_MOST: usize = 100_000;

/// What is known about the captions.
pub(super) struct Known {
    /// Unit vectors (N, D), f32.
    pub(super) embeddings: Tensor,
    /// Thought vectors (N, C), f16, unless there are too many.
    pub(super) thoughts: Option<Tensor>,
}

/// Where the vectors that belong to `key` are kept.
pub(super) fn file(cache: &Path, key: &str) -> PathBuf {
    cache.join("gallery").join(format!("{key}.safetensors"))
}

/// Reads the vectors, or computes and keeps them. A cache that cannot be written costs time at the
/// next start, nothing else.
pub(super) fn recall(
    file: &Path,
    captions: &[String],
    vse: &Vse,
    skip_thoughts: &SkipThoughts,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Known {
    let sizes = (vse.size(), skip_thoughts.size());
    let halves = read(file, captions.len(), sizes).unwrap_or_else(|| {
        let halves = compute(captions, vse, skip_thoughts, progress);
        if let Err(error) = keep(file, &halves) {
            tracing::warn!("the captions' vectors will be computed again next time: {error}");
        }
        halves
    });
    let device = vse.device();
    Known {
        embeddings: halves.embeddings.to_device(device).to_kind(Kind::Float),
        thoughts: halves.thoughts.map(|thoughts| thoughts.to_device(device)),
    }
}

/// The vectors of the file, if it has all of them.
fn read(file: &Path, count: usize, (size, thought_size): (i64, i64)) -> Option<Known> {
    if !file.exists() {
        return None;
    }
    let mut arrays = match Tensor::read_safetensors(file) {
        Ok(arrays) => arrays,
        Err(error) => {
            tracing::warn!(
                "{} is damaged and will be made anew: {error}",
                file.display()
            );
            return None;
        }
    };
    let count = count as i64;
    let mut take = |name: &str, size: i64| {
        let place = arrays
            .iter()
            .position(|(n, t)| n == name && t.size() == [count, size])?;
        Some(arrays.swap_remove(place).1)
    };
    let embeddings = take("embeddings", size)?;
    let thoughts = take("thoughts", thought_size);
    let complete = thoughts.is_some() || count as usize > THOUGHTS_AT_MOST;
    complete.then_some(Known {
        embeddings,
        thoughts,
    })
}

fn compute(
    captions: &[String],
    vse: &Vse,
    skip_thoughts: &SkipThoughts,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Known {
    let count = captions.len();
    let mut tell = |what: &str, done: usize| progress(what, done, count);
    let lines: Vec<&str> = captions.iter().map(String::as_str).collect();
    let what = "placing the captions";
    tell(what, 0);
    let embeddings = vse.embed_sentences(&lines, &mut |done| tell(what, done));
    let thoughts = (count <= THOUGHTS_AT_MOST).then(|| {
        let what = "reading the captions";
        tell(what, 0);
        let texts: Vec<_> = lines
            .iter()
            .map(|line| tokenize::preprocess(line))
            .collect();
        skip_thoughts.encode(&texts, Encoding::default(), &mut |done| tell(what, done))
    });
    let half = |t: Tensor| t.to_kind(Kind::Half);
    Known {
        embeddings: half(embeddings),
        thoughts: thoughts.map(half),
    }
}

fn keep(file: &Path, known: &Known) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| Error::file("create", folder, e))?;
    let mut arrays = vec![("embeddings".to_owned(), known.embeddings.shallow_clone())];
    if let Some(thoughts) = &known.thoughts {
        arrays.push(("thoughts".to_owned(), thoughts.shallow_clone()));
    }
    Weights::from_tensors("the captions' vectors", arrays).save(file, Kind::Half)
}
