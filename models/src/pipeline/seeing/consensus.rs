//! From the score of every caption to a few that agree: what the best hundred say together decides.
//!
//! A single caption may fit by a freak; its hundred neighbours rarely share it. So the best are asked how well they agree
//! with the mean of all of them, weighted by their scores, and at most one caption of the same source is kept.

use std::cmp::Ordering;
use std::collections::HashSet;
use tch::{Kind, Tensor};

/// How many captions are asked, and how much a better score counts.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Council {
    /// Captions that are asked.
    pub best: usize,
    /// Scores are divided by this before they become weights.
    pub temperature: f64,
}

/// A member of the council.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// Row of the caption.
    pub row: usize,
    /// Product of its sentence vector with the mean of all.
    pub agreement: f32,
    /// How much it counts in that mean: all weights add up to 1.
    pub weight: f32,
}

impl Council {
    /// The best rows by `totals`, best agreement first; `vectors` gives the unit sentence vectors (k, T) of k rows.
    pub fn agree(&self, totals: &[f32], vectors: impl FnOnce(&[i64]) -> Tensor) -> Vec<Member> {
        let mut best = best_rows(totals, self.best);
        best.retain(|&row| totals[row as usize].is_finite());
        if best.is_empty() {
            return Vec::new();
        }
        let held: Vec<f32> = best.iter().map(|&row| totals[row as usize]).collect();
        let weights = (Tensor::from_slice(&held) / self.temperature).softmax(0, Kind::Float);
        let vectors = vectors(&best);
        let agreement = vectors.mv(&weights.unsqueeze(0).matmul(&vectors).squeeze_dim(0));
        let floats = |vector| Vec::<f32>::try_from(vector).expect("a vector of floats");
        let members = best.iter().zip(floats(agreement)).zip(floats(weights));
        let mut members: Vec<Member> = members
            .map(|((&row, agreement), weight)| Member {
                row: row as usize,
                agreement,
                weight,
            })
            .collect();
        members.sort_by(|a, b| b.agreement.total_cmp(&a.agreement));
        members
    }
}

/// The rows of the `count` largest totals, largest first, ties in the order of the rows.
pub(super) fn best_rows(totals: &[f32], count: usize) -> Vec<i64> {
    let mut rows: Vec<i64> = (0..totals.len() as i64).collect();
    let before = |a: &i64, b: &i64| -> Ordering {
        totals[*b as usize]
            .total_cmp(&totals[*a as usize])
            .then(a.cmp(b))
    };
    if count > 0 && count < rows.len() {
        rows.select_nth_unstable_by(count - 1, before);
    }
    rows.truncate(count);
    rows.sort_unstable_by(before);
    rows
}

/// The first `count` rows that have a source of their own; `source` tells the source of a row.
pub fn first_of_each<S: std::hash::Hash + Eq>(
    rows: impl IntoIterator<Item = usize>,
    count: usize,
    source: impl Fn(usize) -> S,
) -> Vec<usize> {
    let mut seen = HashSet::new();
    rows.into_iter()
        .filter(|&row| seen.insert(source(row)))
        .take(count)
        .collect()
}
