//! The captions a picture is described with, found by similarity (algorithm.md §3.4).
//!
//! The storyteller asks for the k captions whose embeddings lie nearest to the picture's. The order
//! is the full descending order of the scores; equal scores keep the order of the file, so that the
//! same picture always gets the same captions. The embeddings may lie on disk: a search goes over them in blocks of one
//! fixed size, once for all pictures of a batch.

use crate::error::{Error, Result};
use crate::tensors::matrix::Matrix;
use std::cmp::Ordering;
use tch::{Device, Tensor};

/// How many captions are scored at once: 32 MiB of the original's embeddings.
const BLOCK: i64 = 8192;

/// Captions with their embeddings.
#[derive(Debug)]
pub struct Gallery {
    captions: Vec<String>,
    embeddings: Matrix,
}

/// A caption found for a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Its line, from 0.
    pub index: usize,
    /// The dot product of the two unit vectors.
    pub similarity: f32,
}

impl Gallery {
    /// Joins captions with their unit vectors (N, D).
    ///
    /// # Errors
    /// When there are no captions, or not as many as vectors.
    pub fn new(captions: Vec<String>, embeddings: Tensor) -> Result<Self> {
        Self::from_rows(captions, Matrix::from_tensor(embeddings)?)
    }

    /// As [`Gallery::new`], with embeddings wherever they lie.
    ///
    /// # Errors
    /// As [`Gallery::new`].
    pub fn from_rows(captions: Vec<String>, embeddings: Matrix) -> Result<Self> {
        let rows = embeddings.count();
        if captions.is_empty() || rows != captions.len() as i64 {
            let reason = format!("{} captions with {rows} embeddings", captions.len());
            return Err(Error::format("caption gallery", reason));
        }
        Ok(Self {
            captions,
            embeddings,
        })
    }

    /// The scores (N) of all captions for a picture's unit vector (D), on the processor.
    pub fn scores(&self, picture: &Tensor) -> Tensor {
        Tensor::from_slice(&self.score(&[picture]).remove(0))
    }

    /// The k best captions for a picture's unit vector (D), best first; all when k is larger.
    pub fn nearest(&self, picture: &Tensor, k: usize) -> Vec<Match> {
        self.nearest_of_each(&[(picture, k)]).remove(0)
    }

    /// As [`Gallery::nearest`] for many pictures, each with its own k, in one pass; a picture finds the same captions
    /// with the same scores alone and among others.
    pub fn nearest_of_each(&self, wanted: &[(&Tensor, usize)]) -> Vec<Vec<Match>> {
        let pictures: Vec<&Tensor> = wanted.iter().map(|&(picture, _)| picture).collect();
        let scores = self.score(&pictures);
        let found = scores.iter().zip(wanted);
        found
            .map(|(scores, &(_, k))| best_first(scores, k))
            .collect()
    }

    /// The scores of all captions, for each picture.
    fn score(&self, pictures: &[&Tensor]) -> Vec<Vec<f32>> {
        let mut scores = vec![vec![0f32; self.captions.len()]; pictures.len()];
        for first in (0..self.embeddings.count()).step_by(BLOCK as usize) {
            let block = self.embeddings.block(first, BLOCK);
            let count = block.size()[0] as usize;
            for (picture, scores) in pictures.iter().zip(&mut scores) {
                // a product with each picture by itself: one with all of them might round differently
                let found = block.mv(&picture.view([-1])).to_device(Device::Cpu);
                found.copy_data(&mut scores[first as usize..][..count], count);
            }
            self.embeddings.release();
        }
        scores
    }

    /// A caption by its line.
    pub fn caption(&self, index: usize) -> &str {
        &self.captions[index]
    }

    /// All captions in the order of the file.
    pub fn captions(&self) -> &[String] {
        &self.captions
    }

    /// How many captions there are.
    pub fn len(&self) -> usize {
        self.captions.len()
    }

    /// Whether there are none (there always is one).
    pub fn is_empty(&self) -> bool {
        self.captions.is_empty()
    }
}

/// The k largest scores, largest first, ties by place.
fn best_first(scores: &[f32], k: usize) -> Vec<Match> {
    let mut matches: Vec<Match> = scores
        .iter()
        .enumerate()
        .map(|(index, &similarity)| Match { index, similarity })
        .collect();
    let before = |a: &Match, b: &Match| -> Ordering {
        b.similarity
            .total_cmp(&a.similarity)
            .then(a.index.cmp(&b.index))
    };
    if k > 0 && k < matches.len() {
        matches.select_nth_unstable_by(k - 1, before);
    }
    matches.truncate(k);
    matches.sort_unstable_by(before);
    matches
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn equal_scores_keep_the_order_of_the_file() {
        let order = |k| {
            best_first(&[0.5, 0.9, 0.5, 0.9, 0.1], k)
                .iter()
                .map(|m| m.index)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(5), [1, 3, 0, 2, 4]);
        assert_eq!(order(3), [1, 3, 0]);
        assert_eq!(order(9), [1, 3, 0, 2, 4]);
        assert!(order(0).is_empty());
    }

    #[test]
    fn many_blocks_are_one_order_and_a_batch_changes_nothing() {
        let count = 2 * BLOCK + 17;
        let captions: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        let rows = Tensor::randn([count, 8], (Kind::Float, Device::Cpu));
        let pictures = [0, 1, 2].map(|_| Tensor::randn([8], (Kind::Float, Device::Cpu)));
        let gallery = Gallery::new(captions, rows.shallow_clone()).unwrap();
        let whole = rows.mv(&pictures[1]);
        assert!(
            gallery
                .scores(&pictures[1])
                .allclose(&whole, 1e-6, 1e-6, false)
        );
        let order = whole.argsort_stable(true, 0, true);
        let alone = gallery.nearest(&pictures[1], 50);
        let wanted: Vec<usize> = alone.iter().map(|found| found.index).collect();
        let order: Vec<i64> = Vec::try_from(order.narrow(0, 0, 50)).unwrap();
        assert_eq!(
            wanted,
            order.iter().map(|&n| n as usize).collect::<Vec<_>>()
        );
        let asked: Vec<_> = pictures.iter().zip([3, 50, 7]).collect();
        assert_eq!(gallery.nearest_of_each(&asked)[1], alone);
    }

    #[test]
    fn a_gallery_needs_a_vector_for_each_caption() {
        let two = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        assert!(Gallery::new(vec!["one".to_owned()], two).is_err());
    }
}
