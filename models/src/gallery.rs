//! The captions a picture is described with, found by similarity (algorithm.md §3.4).
//!
//! The storyteller asks for the k captions whose embeddings lie nearest to the picture's. The order
//! is the full descending order of the scores; equal scores keep the order of the file, so that the
//! same picture always gets the same captions.

use crate::{Error, Result};
use std::cmp::Ordering;
use tch::{Device, Kind, Tensor};

/// Captions with their embeddings.
#[derive(Debug)]
pub struct Gallery {
    captions: Vec<String>,
    embeddings: Tensor,
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
        let rows = embeddings.size().first().copied().unwrap_or(0);
        if captions.is_empty() || rows != captions.len() as i64 {
            let reason = format!("{} captions with {rows} embeddings", captions.len());
            return Err(Error::format("caption gallery", reason));
        }
        Ok(Self {
            captions,
            embeddings,
        })
    }

    /// The scores (N) of all captions for a picture's unit vector (D).
    pub fn scores(&self, picture: &Tensor) -> Tensor {
        self.embeddings.mv(&picture.view([-1]))
    }

    /// The k best captions for a picture's unit vector (D), best first; all when k is larger.
    pub fn nearest(&self, picture: &Tensor, k: usize) -> Vec<Match> {
        let scores = self
            .scores(picture)
            .to_device(Device::Cpu)
            .to_kind(Kind::Float);
        let mut flat = vec![0f32; self.captions.len()];
        scores.copy_data(&mut flat, self.captions.len());
        best_first(&flat, k)
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
    fn a_gallery_needs_a_vector_for_each_caption() {
        let two = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        assert!(Gallery::new(vec!["one".to_owned()], two).is_err());
    }
}
