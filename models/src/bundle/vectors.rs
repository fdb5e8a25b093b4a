//! What is known about every caption of a bundle: its embedding, and if wanted its thought vector.
//!
//! An import computes them once and puts them into the bundle ([`add_to`]); for a bundle without them the storyteller
//! keeps them in its cache. They are computed in blocks that are appended to a draft, so that little memory is needed and
//! a killed run goes on where it was. What must stay true: the size of a block depends on nothing but the width of a row,
//! so every run makes the same batches and the same numbers.

use super::{Bundle, sha256_of_file};
use crate::error::Result;
use crate::networks::skip_thoughts::{Encoding, SkipThoughts};
use crate::networks::vse::Vse;
use crate::tensors::matrix::{ArraySpec, Writer};
use crate::text::tokenize;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// The array of the embeddings (N, D).
pub(crate) const EMBEDDINGS: &str = "embeddings";
/// The array of the thought vectors (N, C).
pub(crate) const THOUGHTS: &str = "thoughts";
/// The file in a bundle.
const FILE: &str = "caption_vectors.safetensors";
/// A block has rows for this many numbers: 128 MiB as f32, under a minute of work for a killed run to lose.
const BLOCK_NUMBERS: i64 = 32 << 20;

/// What an import computes for each caption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CaptionVectors {
    /// Embeddings, which find captions: f32, 4 KB each in the original.
    #[default]
    Embeddings,
    /// Thought vectors too, which save a second of each story: f16, 10 KB each in the original.
    EmbeddingsAndThoughts,
}

/// Captions with the networks that read them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) captions: &'a [String],
    pub(crate) vse: &'a Vse,
    pub(crate) skip_thoughts: &'a SkipThoughts,
}

/// Computes the vectors of all captions of the bundle in `folder` and puts them into it; a bundle that has them is left
/// as it is. Interrupted, the bundle is whole without them, and the next call goes on. `progress` learns what is being
/// done, how much of it is done, and of how much.
///
/// # Errors
/// When the bundle is not usable or the file cannot be written.
pub fn add_to(
    folder: &Path,
    wanted: CaptionVectors,
    device: Device,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<()> {
    let _no_grad = tch::no_grad_guard();
    let bundle = Bundle::open(folder)?;
    if bundle.manifest().gallery.vectors.is_some() {
        return Ok(());
    }
    let (vse, skip_thoughts) = (bundle.vse(device)?, bundle.skip_thoughts(device)?);
    let captions = bundle.captions()?;
    let reading = Reading {
        captions: &captions,
        vse: &vse,
        skip_thoughts: &skip_thoughts,
    };
    let path = folder.join(FILE);
    // what lies there without an entry in the manifest is of no known origin
    let _ = std::fs::remove_file(&path);
    let key = bundle.gallery_key()?;
    reading.write(&path, &key, &reading.arrays(wanted), progress)?;
    let mut manifest = bundle.manifest().clone();
    manifest
        .files
        .insert(FILE.to_owned(), sha256_of_file(&path)?);
    manifest.gallery.vectors = Some(FILE.to_owned());
    manifest.write(folder)
}

impl Reading<'_> {
    /// The arrays of an import.
    fn arrays(&self, wanted: CaptionVectors) -> Vec<ArraySpec<'static>> {
        let mut arrays = vec![(EMBEDDINGS, self.shape(EMBEDDINGS), Kind::Float)];
        if wanted == CaptionVectors::EmbeddingsAndThoughts {
            arrays.push((THOUGHTS, self.shape(THOUGHTS), Kind::Half));
        }
        arrays
    }

    /// The extents of one of the arrays.
    pub(crate) fn shape(&self, array: &str) -> [i64; 2] {
        let width = if array == EMBEDDINGS {
            self.vse.size()
        } else {
            self.skip_thoughts.size()
        };
        [self.captions.len() as i64, width]
    }

    /// Writes the arrays into a file, or goes on where a killed run with the same `key` was.
    pub(crate) fn write(
        &self,
        path: &Path,
        key: &str,
        arrays: &[ArraySpec],
        progress: &mut dyn FnMut(&str, usize, usize),
    ) -> Result<()> {
        let Some(mut writer) = Writer::resume(path, arrays, key)? else {
            return Ok(());
        };
        let mut before = 0;
        for &(array, [count, _], _) in arrays {
            let first = (writer.rows_done() - before).clamp(0, count);
            self.compute(array, first as usize, progress, &mut |block| {
                writer.append(&block)?;
                writer.checkpoint()
            })?;
            before += count;
        }
        writer.finish()
    }

    /// Computes an array from row `first` on, block by block.
    pub(crate) fn compute(
        &self,
        array: &str,
        first: usize,
        progress: &mut dyn FnMut(&str, usize, usize),
        take: &mut dyn FnMut(Tensor) -> Result<()>,
    ) -> Result<()> {
        let what = if array == EMBEDDINGS {
            "placing the captions"
        } else {
            "reading the captions"
        };
        let count = self.captions.len();
        let block = (BLOCK_NUMBERS / self.shape(array)[1]).max(1) as usize;
        let mut done = first;
        progress(what, done, count);
        for captions in self.captions[first..].chunks(block) {
            let mut tell = |here: usize| progress(what, done + here, count);
            let rows = if array == EMBEDDINGS {
                let lines: Vec<&str> = captions.iter().map(String::as_str).collect();
                self.vse.embed_sentences(&lines, &mut tell)
            } else {
                let texts: Vec<_> = captions
                    .iter()
                    .map(|line| tokenize::preprocess(line))
                    .collect();
                self.skip_thoughts
                    .encode(&texts, Encoding::default(), &mut tell)
            };
            take(rows)?;
            done += captions.len();
        }
        Ok(())
    }
}
