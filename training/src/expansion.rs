//! Vocabulary expansion: words that the encoder never saw in training get vectors by a linear map from word vectors
//! trained elsewhere (algorithm.md §4.3).
//!
//! `storyteller train expand-vocabulary` calls [`fit`] and [`Map::expand`] for each half of the encoder. What must stay
//! true: the words that were trained keep their own vectors and their rows; words with `_` in them are left out; the
//! map is ordinary least squares with an intercept, as the original's.

pub mod vectors;

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use models::tensors::unit_rows::unit_rows;
use models::{Error, Result, Vocabulary};
use vectors::WordVectors;

/// Of every so many words known to both sides one is kept from the fit, to measure it.
const HELD_OUT: usize = 20;

/// Singular values below this share of the largest are the rounding of zeros.
const RANK: f64 = 1e-6;

/// A linear map from foreign word vectors (S) to the encoder's (E), with an intercept.
#[derive(Debug)]
pub struct Map {
    /// (S + 1, E); the last row is the intercept.
    weights: Tensor,
    /// How well it fits.
    pub fit: Fit,
}

/// How well a map fits.
#[derive(Clone, Debug, Serialize)]
pub struct Fit {
    /// Words known to both sides that the map was fitted on.
    pub fitted: usize,
    /// Words known to both sides that were held out.
    pub held_out: usize,
    /// Mean cosine between mapped and own vectors on the held-out words; 1 is a perfect map.
    pub cosine: f64,
    /// Share of the held-out vectors' variance that the map explains; 1 is a perfect map, 0 no better than the mean.
    pub explained: f64,
}

/// Fits the map on the words that both sides know; `table` (2 + words, E) is the encoder's, with rows for the end mark
/// and unknown words first.
///
/// # Errors
/// When too few words are known to both sides to determine a map.
pub fn fit(words: &Vocabulary, table: &Tensor, foreign: &WordVectors) -> Result<Map> {
    let rows: HashMap<&str, i64> = foreign.words.iter().map(String::as_str).zip(0..).collect();
    let mut pairs: Vec<(i64, i64)> = Vec::new();
    for (place, word) in words.words().iter().enumerate() {
        if let Some(row) = rows.get(word.as_str()) {
            pairs.push((*row, place as i64 + 2));
        }
    }
    let needed = (foreign.size() + 1) * 2;
    if pairs.len() < needed {
        let reason = format!(
            "they know only {} of the encoder's {} words; a map of {} numbers a word needs {needed}",
            pairs.len(),
            words.words().len(),
            foreign.size()
        );
        return Err(Error::format("the word vectors", reason));
    }
    let held = |place: usize| place % HELD_OUT == HELD_OUT - 1;
    let side = |of: bool| -> (Tensor, Tensor) {
        let chosen = pairs.iter().enumerate().filter(|(n, _)| held(*n) == of);
        let (from, to): (Vec<i64>, Vec<i64>) = chosen.map(|(_, pair)| *pair).unzip();
        let from = foreign.vectors.index_select(0, &Tensor::from_slice(&from));
        let to = table.index_select(0, &Tensor::from_slice(&to));
        (from, to.to_kind(Kind::Double))
    };
    let (x, y) = side(false);
    let weights = regress(&x, &y)?;
    let (x_held, y_held) = side(true);
    let told = with_one(&x_held).matmul(&weights);
    let number = |tensor: Tensor| tensor.double_value(&[]);
    let cosines = (unit_rows(&told) * unit_rows(&y_held)).sum(Kind::Double);
    let spread = &y_held - y_held.mean_dim(0i64, true, Kind::Double);
    let missed = number((&told - &y_held).square().sum(Kind::Double));
    let held_out = y_held.size()[0] as usize;
    // measured without them, then fitted with them
    let weights = regress(&Tensor::cat(&[x, x_held], 0), &Tensor::cat(&[y, y_held], 0))?;
    Ok(Map {
        weights,
        fit: Fit {
            fitted: pairs.len() - held_out,
            held_out,
            cosine: number(cosines) / held_out.max(1) as f64,
            explained: 1.0 - missed / number(spread.square().sum(Kind::Double)).max(1e-12),
        },
    })
}

/// Ordinary least squares with an intercept from rows of `x` (N, S) to those of `y` (N, E), in float64: (S + 1, E), the
/// intercept last. Where many maps fit, the shortest one.
///
/// # Errors
/// When libtorch cannot decompose `x`, for instance because a number of it is not finite.
pub fn regress(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let (x, y) = (x.to_kind(Kind::Double), y.to_kind(Kind::Double));
    let mean = |t: &Tensor| t.mean_dim(0i64, true, Kind::Double);
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let map = (x - &mean_x)
        .f_linalg_pinv(RANK, false)?
        .matmul(&(y - &mean_y));
    let intercept = mean_y - mean_x.matmul(&map);
    Ok(Tensor::cat(&[map, intercept], 0))
}

impl Map {
    /// The table (2 + words + gained, E) in f32: the encoder's own rows, then those of the words at `gained` places of
    /// the foreign list.
    pub fn expand(&self, table: &Tensor, foreign: &WordVectors, gained: &[i64]) -> Tensor {
        let from = foreign.vectors.index_select(0, &Tensor::from_slice(gained));
        let mapped = with_one(&from).matmul(&self.weights).to_kind(Kind::Float);
        Tensor::cat(&[table.to_kind(Kind::Float), mapped], 0)
    }
}

/// The places of foreign words that the encoder has no row for, at most `most`, in the order of their file; words with
/// `_` in them (phrases) and repeats are left out.
pub fn gained(words: &Vocabulary, foreign: &WordVectors, most: usize) -> Vec<i64> {
    let mut known: HashSet<&str> = words.words().iter().map(String::as_str).collect();
    known.extend(["<eos>", "UNK"]);
    let fresh = foreign.words.iter().zip(0i64..);
    fresh
        .filter(|(word, _)| !word.contains('_') && known.insert(word.as_str()))
        .map(|(_, place)| place)
        .take(most)
        .collect()
}

/// For each of some rows of `table`, the `count` rows nearest to it by cosine among the first `among`, nearest first.
pub fn nearest(table: &Tensor, rows: &[i64], among: i64, count: i64) -> Vec<Vec<i64>> {
    let all = unit_rows(&table.narrow(0, 2, among - 2));
    let asked = unit_rows(&table.index_select(0, &Tensor::from_slice(rows)));
    let (_, places) = asked.matmul(&all.tr()).topk(count, 1, true, true);
    let places = (places + 2).to_device(Device::Cpu);
    Vec::<Vec<i64>>::try_from(places).expect("places in a matrix are a matrix of whole numbers")
}

fn with_one(vectors: &Tensor) -> Tensor {
    let ones = Tensor::ones([vectors.size()[0], 1], (Kind::Double, vectors.device()));
    Tensor::cat(&[vectors.to_kind(Kind::Double), ones], 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SIZE: i64 = 6;

    fn foreign(count: i64) -> WordVectors {
        let numbers = (Tensor::arange(count * SIZE, (Kind::Double, Device::Cpu)) * 1.7).sin();
        WordVectors {
            words: (0..count).map(|n| format!("w{n}")).collect(),
            vectors: numbers.view([count, SIZE]).to_kind(Kind::Float),
        }
    }

    /// What a known map makes of the vectors, with two more rows in front.
    fn table(foreign: &WordVectors, known: i64) -> Tensor {
        let map = (Tensor::arange(SIZE * 4, (Kind::Float, Device::Cpu)) * 0.9).cos();
        let mapped = foreign
            .vectors
            .narrow(0, 0, known)
            .matmul(&map.view([SIZE, 4]))
            + 0.25;
        Tensor::cat(
            &[Tensor::zeros([2, 4], (Kind::Float, Device::Cpu)), mapped],
            0,
        )
    }

    #[test]
    fn a_map_that_is_linear_is_found_exactly() {
        let foreign = foreign(100);
        let words = Vocabulary::from_words(foreign.words[..60].to_vec());
        let known = table(&foreign, 60);
        let map = fit(&words, &known, &foreign).unwrap();
        assert!(
            map.fit.cosine > 0.99999 && map.fit.explained > 0.9999,
            "{:?}",
            map.fit
        );
        assert_eq!((map.fit.fitted, map.fit.held_out), (57, 3));
        let places = gained(&words, &foreign, 1000);
        assert_eq!(places, (60..100).collect::<Vec<_>>());
        let wide = map.expand(&known, &foreign, &places);
        assert!(wide.allclose(&table(&foreign, 100), 1e-4, 1e-4, false));
        assert!(
            wide.narrow(0, 0, 62).equal(&known),
            "trained words keep their rows"
        );
        assert_eq!(nearest(&wide, &[5], 102, 1), [[5]]);
    }

    #[test]
    fn phrases_and_repeats_are_not_gained() {
        let mut foreign = foreign(4);
        foreign.words = ["dog", "New_York", "cat", "cat"]
            .map(str::to_owned)
            .to_vec();
        let words = Vocabulary::from_words(vec!["dog".to_owned()]);
        assert_eq!(gained(&words, &foreign, 9), [2]);
    }

    #[test]
    fn too_few_words_in_common_are_refused_with_the_numbers() {
        let foreign = foreign(100);
        let words = Vocabulary::from_words(foreign.words[..5].to_vec());
        let error = fit(&words, &table(&foreign, 5), &foreign)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("only 5 of") && error.contains("needs 14"),
            "{error}"
        );
    }
}
