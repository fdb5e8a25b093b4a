//! Words straight from what the eyes see: for each word of a list, how likely a person would use it for the picture.
//!
//! Two linear maps with a narrow waist and a logistic function: a full map would be several times larger and no better.
//! The storyteller lays its words beside those of the captions; `storyteller train word-head` makes the weights.

use crate::error::{Error, Result};
use crate::networks::joint::standardised;
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// The maps and their words.
#[derive(Debug)]
pub struct WordHead {
    words: Vec<String>,
    down: Tensor,
    up: Tensor,
    bias: Tensor,
    feature_mean: Tensor,
    feature_sd: Tensor,
}

impl WordHead {
    /// Takes `down` (R, F), `up` (W, R), `bias` (W), `feature_mean` and `feature_sd` (F) and W words.
    ///
    /// # Errors
    /// When an array is missing or the shapes do not fit together or to the words.
    pub fn load(weights: &Weights, words: Vec<String>) -> Result<Self> {
        let down = weights.tensor("down", &[-1, -1])?;
        let (rank, features) = down.size2()?;
        let up = weights.tensor("up", &[-1, rank])?;
        let count = up.size()[0];
        if count != words.len() as i64 {
            let reason = format!("it knows {count} words, the list has {}", words.len());
            return Err(Error::format(weights.label(), reason));
        }
        Ok(Self {
            words,
            down,
            up,
            bias: weights.tensor("bias", &[count])?,
            feature_mean: weights.tensor("feature_mean", &[features])?,
            feature_sd: weights.tensor("feature_sd", &[features])?,
        })
    }

    /// The words in the order of the columns of [`WordHead::likely`].
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How many numbers a picture's features have.
    pub fn features(&self) -> i64 {
        self.feature_mean.size()[0]
    }

    /// Features (N, F) to the likelihood (N, W) of each word; missing ones count as in the joint space.
    pub fn likely(&self, features: &Tensor) -> Tensor {
        let seen = standardised(features, [&self.feature_mean, &self.feature_sd]);
        let odds = seen.matmul(&self.down.tr()).matmul(&self.up.tr()) + &self.bias;
        odds.sigmoid()
    }

    /// The `count` likeliest words for features (F), likeliest first.
    pub fn likeliest(&self, features: &Tensor, count: usize) -> Vec<(&str, f32)> {
        let likely = self.likely(&features.unsqueeze(0)).squeeze_dim(0);
        let count = count.min(self.words.len()) as i64;
        let (best, places) = likely.to_kind(Kind::Float).topk(count, 0, true, true);
        (0..count)
            .map(|n| {
                let place = places.int64_value(&[n]) as usize;
                (self.words[place].as_str(), best.double_value(&[n]) as f32)
            })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn head(words: &[&str]) -> Result<WordHead> {
        // the first feature speaks for the first word and against the second; the third word is common
        let arrays = [
            ("down", Tensor::from_slice(&[2f32, 0.0]).view([1, 2])),
            ("up", Tensor::from_slice(&[1f32, -1.0, 0.0]).view([3, 1])),
            ("bias", Tensor::from_slice(&[0f32, 0.0, 1.0])),
            ("feature_mean", Tensor::from_slice(&[1f32, 0.0])),
            ("feature_sd", Tensor::from_slice(&[0.5f32, 1.0])),
        ];
        let arrays = arrays.map(|(name, array)| (name.to_owned(), array));
        let words = words.iter().map(|&word| word.to_owned()).collect();
        WordHead::load(&Weights::from_tensors("head", arrays), words)
    }

    #[test]
    fn what_speaks_for_a_word_makes_it_likely() {
        let head = head(&["dog", "cat", "the"]).unwrap();
        let found = head.likeliest(&Tensor::from_slice(&[2f32, 9.0]), 2);
        assert_eq!(found[0].0, "dog");
        assert!((found[0].1 - 0.982).abs() < 1e-3, "{found:?}");
        assert_eq!(found[1].0, "the");
        // far outside of what was seen in training the features are cut off
        let far = head.likeliest(&Tensor::from_slice(&[-900f32, 0.0]), 9);
        assert!(far.len() == 3 && far[0].0 == "cat" && far.iter().all(|(_, p)| p.is_finite()));
    }

    #[test]
    fn a_list_of_another_length_is_refused() {
        assert!(
            head(&["dog", "cat"])
                .unwrap_err()
                .to_string()
                .contains("the list has 2")
        );
    }
}
