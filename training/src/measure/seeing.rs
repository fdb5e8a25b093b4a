//! How well captions are found for pictures: the right ones among many, and true ones among strangers'.
//!
//! `storyteller evaluate seeing` prints both. Nothing here is tuned: weights are chosen on other photos than these numbers
//! are told of.

use std::collections::BTreeSet;

use models::pipeline::seeing::readings::Readings;
use models::pipeline::seeing::{Look, Seeing};
use models::{Error, Result};
use serde::Serialize;
use tch::Tensor;

/// Captions that are told for a picture.
const TOLD: usize = 5;

/// Captions with their unit sentence vectors (N, T) and the picture that each was written for.
#[derive(Debug)]
pub struct Captions {
    /// Texts.
    pub texts: Vec<String>,
    /// Unit sentence vectors (N, T).
    pub vectors: Tensor,
    /// The name of the picture.
    pub owners: Vec<String>,
}

/// Pictures to be measured on.
#[derive(Debug)]
pub struct Pictures {
    /// Their names.
    pub names: Vec<String>,
    /// What the eyes found in them.
    pub looks: Vec<Look>,
}

/// How often a picture's own captions come first, by the whole score.
#[derive(Clone, Debug, Serialize)]
pub struct Retrieval {
    /// A caption of the picture among the first 1, 5 and 10, in shares.
    pub recall: [f64; 3],
    /// The median rank of the first one.
    pub median: usize,
}

/// How true the captions of strangers' pictures are that are told for a picture.
#[derive(Clone, Debug, Serialize)]
pub struct Truth {
    /// Mean similarity of a told caption to the nearest of the picture's own.
    pub similarity: f64,
    /// The share of objects that are named which the picture's own captions name, too.
    pub named_are_there: f64,
    /// The share of the objects that its own captions name which a told caption names.
    pub there_are_named: f64,
}

/// The ranks (from 0) of the first own caption of each picture.
///
/// # Errors
/// When a picture has no caption.
pub fn ranks(seeing: &Seeing, pictures: &Pictures, own: &Captions) -> Result<Vec<usize>> {
    let readings = seeing.read(&own.texts, own.vectors.shallow_clone())?;
    let each = pictures
        .names
        .iter()
        .zip(&pictures.looks)
        .map(|(name, look)| {
            let totals = seeing
                .parts(look, &readings)
                .totals(&seeing.recipe().weights);
            let own = totals
                .iter()
                .zip(&own.owners)
                .filter(|(_, owner)| *owner == name);
            let best = own
                .map(|(total, _)| *total)
                .fold(f32::NEG_INFINITY, f32::max);
            if best == f32::NEG_INFINITY {
                return Err(Error::format(name, "it has no caption to be found"));
            }
            Ok(totals.iter().filter(|total| **total > best).count())
        });
    each.collect()
}

/// Shares and median of some ranks.
pub fn retrieval(ranks: &[usize]) -> Retrieval {
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let within = |k: usize| {
        sorted.iter().filter(|&&rank| rank < k).count() as f64 / sorted.len().max(1) as f64
    };
    Retrieval {
        recall: [1, 5, 10].map(within),
        median: sorted.get(sorted.len() / 2).map_or(0, |rank| rank + 1),
    }
}

/// Tells captions of `gallery` for each picture, never its own, and compares them with its own.
///
/// # Errors
/// When captions and vectors do not fit together.
pub fn truths(
    seeing: &Seeing,
    pictures: &Pictures,
    own: &Captions,
    gallery: &Captions,
) -> Result<Vec<Truth>> {
    let teller = Teller {
        seeing,
        gallery,
        readings: seeing.read(&gallery.texts, gallery.vectors.shallow_clone())?,
    };
    let each = pictures.names.iter().zip(&pictures.looks);
    Ok(each
        .map(|(name, look)| teller.truth(name, look, own))
        .collect())
}

/// Tells captions of a gallery.
struct Teller<'a> {
    seeing: &'a Seeing,
    gallery: &'a Captions,
    readings: Readings,
}

impl Teller<'_> {
    /// What is told of a picture, held against its own captions.
    fn truth(&self, name: &str, look: &Look, own: &Captions) -> Truth {
        let Self {
            seeing,
            gallery,
            readings,
        } = self;
        let rows: Vec<i64> = own
            .owners
            .iter()
            .zip(0..)
            .filter(|(owner, _)| *owner == name)
            .map(|(_, row)| row)
            .collect();
        let named = |text: &String| seeing.mentions().of(text).into_iter();
        let there: BTreeSet<usize> = rows
            .iter()
            .flat_map(|&row| named(&own.texts[row as usize]))
            .collect();
        let found = seeing.find(look, readings, TOLD, |row| {
            let owner = &gallery.owners[row];
            (owner != name).then_some(owner)
        });
        let vectors = own.vectors.index_select(0, &Tensor::from_slice(&rows));
        let (mut similarity, mut recall) = (0.0, 0.0);
        let (mut right, mut all) = (0usize, 0usize);
        for caption in &found {
            let near = vectors.mv(&gallery.vectors.get(caption.row as i64));
            similarity += near.max().double_value(&[]) / found.len() as f64;
            let told: Vec<usize> = named(&gallery.texts[caption.row]).collect();
            let true_ones = told.iter().filter(|class| there.contains(class)).count();
            all += told.len();
            right += true_ones;
            recall += true_ones as f64 / there.len().max(1) as f64 / found.len() as f64;
        }
        Truth {
            similarity,
            // NaN where nothing is named: such a picture says nothing about truth
            named_are_there: right as f64 / all as f64,
            there_are_named: recall,
        }
    }
}

/// The means; pictures for which nothing was named are left out of the second.
pub fn mean(truths: &[Truth]) -> Truth {
    let mean = |of: fn(&Truth) -> f64| {
        let values: Vec<f64> = truths
            .iter()
            .map(of)
            .filter(|value| value.is_finite())
            .collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    Truth {
        similarity: mean(|truth| truth.similarity),
        named_are_there: mean(|truth| truth.named_are_there),
        there_are_named: mean(|truth| truth.there_are_named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recall_counts_ranks_from_nought() {
        let found = retrieval(&[0, 4, 5, 9, 10]);
        assert_eq!(found.recall, [0.2, 0.4, 0.8]);
        assert_eq!(found.median, 6);
    }

    #[test]
    fn a_picture_for_which_nothing_is_named_does_not_count_as_true_or_false() {
        let truth = |named_are_there| Truth {
            similarity: 0.5,
            named_are_there,
            there_are_named: 0.0,
        };
        assert_eq!(
            mean(&[truth(1.0), truth(f64::NAN), truth(0.5)]).named_are_there,
            0.75
        );
    }
}
