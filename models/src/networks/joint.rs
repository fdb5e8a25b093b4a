//! The joint space: one linear map from what the eyes see, one from sentence vectors, both to unit length.
//!
//! A caption's share in a product is linear in its sentence vector but for its length, so a gallery keeps that one number
//! a caption instead of hundreds: [`Joint::text_with_lengths`] once, then [`Joint::question`] for each picture.

use crate::error::Result;
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// Standardised features are cut off here: a freak of one feature must not outvote all others.
pub const CLIP: f64 = 8.0;
/// Centred sentence vectors are short; this makes their numbers about 1.
pub const TEXT_SCALE: f64 = 16.0;

/// The two maps.
#[derive(Debug)]
pub struct Joint {
    image_weight: Tensor,
    image_bias: Tensor,
    text_weight: Tensor,
    text_bias: Tensor,
    feature_mean: Tensor,
    feature_sd: Tensor,
    text_mean: Tensor,
}

/// A picture as a question to captions: its product with a caption is (r · direction + constant) / length.
#[derive(Debug)]
pub struct Question {
    /// (384).
    pub direction: Tensor,
    /// What every caption gets.
    pub constant: f64,
}

impl Joint {
    /// Takes `image.weight` (D, F), `text.weight` (D, T), their biases, `feature_mean`, `feature_sd` (F) and `text_mean` (T).
    ///
    /// # Errors
    /// When an array is missing or the shapes do not fit together.
    pub fn load(weights: &Weights) -> Result<Self> {
        let image_weight = weights.tensor("image.weight", &[-1, -1])?;
        let [dim, features] = image_weight.size()[..] else {
            unreachable!("the shape was asked for with two sides")
        };
        let text_weight = weights.tensor("text.weight", &[dim, -1])?;
        let texts = text_weight.size()[1];
        Ok(Self {
            image_weight,
            text_weight,
            image_bias: weights.tensor("image.bias", &[dim])?,
            text_bias: weights.tensor("text.bias", &[dim])?,
            feature_mean: weights.tensor("feature_mean", &[features])?,
            feature_sd: weights.tensor("feature_sd", &[features])?,
            text_mean: weights.tensor("text_mean", &[texts])?,
        })
    }

    /// How many numbers a picture's features have.
    pub fn features(&self) -> i64 {
        self.feature_mean.size()[0]
    }

    /// How many numbers a vector of the space has.
    pub fn dim(&self) -> i64 {
        self.image_bias.size()[0]
    }

    /// How many numbers a sentence vector has.
    pub fn texts(&self) -> i64 {
        self.text_mean.size()[0]
    }

    /// The mean of the sentence vectors it was trained on (T).
    pub fn text_mean(&self) -> &Tensor {
        &self.text_mean
    }

    /// The first F of some features in units of their spread (N, F); the last ones may be missing.
    pub fn standardised(&self, features: &Tensor) -> Tensor {
        standardised(features, [&self.feature_mean, &self.feature_sd])
    }

    /// Features to unit vectors (N, D), see [`Joint::standardised`].
    pub fn image(&self, features: &Tensor) -> Tensor {
        let mapped = self.standardised(features).matmul(&self.image_weight.tr()) + &self.image_bias;
        let length = lengths(&mapped).unsqueeze(1);
        mapped / length
    }

    /// Sentence vectors (N, T) to unit vectors (N, D).
    pub fn text(&self, vectors: &Tensor) -> Tensor {
        self.text_with_lengths(vectors).0
    }

    /// As [`Joint::text`], with the lengths (N) of the mapped vectors before they are made 1.
    pub fn text_with_lengths(&self, vectors: &Tensor) -> (Tensor, Tensor) {
        let mapped = self.mapped(vectors);
        let lengths = lengths(&mapped);
        (mapped / lengths.unsqueeze(1), lengths)
    }

    /// What a picture's unit vector (D) asks of sentence vectors.
    pub fn question(&self, image: &Tensor) -> Question {
        let direction = self.text_weight.tr().mv(image) * TEXT_SCALE;
        let constant = self.text_bias.dot(image) - self.text_mean.dot(&direction);
        Question {
            constant: constant.double_value(&[]),
            direction,
        }
    }

    fn mapped(&self, vectors: &Tensor) -> Tensor {
        let centred = (vectors - &self.text_mean) * TEXT_SCALE;
        centred.matmul(&self.text_weight.tr()) + &self.text_bias
    }
}

/// The first F features of (N, …) in units of their spread (N, F), given their mean and spread (F). The last ones may be missing,
/// of a network that did not look: they count as usual.
pub(crate) fn standardised(features: &Tensor, [mean, spread]: [&Tensor; 2]) -> Tensor {
    let all = mean.size()[0];
    let seen = features.size()[1].min(all);
    let of_seen = |numbers: &Tensor| numbers.narrow(-1, 0, seen);
    let units = (of_seen(features) - of_seen(mean)) / of_seen(spread);
    units.clamp(-CLIP, CLIP).constant_pad_nd([0, all - seen])
}

/// The length of each row.
pub fn lengths(rows: &Tensor) -> Tensor {
    rows.square()
        .sum_dim_intlist(1i64, false, Kind::Float)
        .sqrt()
}
