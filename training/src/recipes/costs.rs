//! What is minimised, from scores on: of words that were to be told, and of pairs that belong together.
//!
//! The recipes compute scores with `graph` and end here. The original's costs are sums with 1e-8 added to every
//! probability; ours are exact. Each is held against its plain formula, in value and gradient, by the tests below.

use std::collections::HashMap;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Reduction, Tensor};

/// Added to a probability before its logarithm, by the original.
const EPSILON: f64 = 1e-8;
/// The score of a pair that is no wrong answer: its share of a softmax is nothing.
const NO_ANSWER: f64 = -1e4;

/// The original's cost of telling words: −Σ log(p + 1e-8) over what `mask` (T, B) counts, from scores (T, B, V).
pub(crate) fn original_surprise(scores: &Tensor, ids: &Tensor, mask: &Tensor) -> Tensor {
    let probabilities = scores.softmax(-1, Kind::Float);
    let of_targets = probabilities
        .gather(2, &ids.unsqueeze(2), false)
        .squeeze_dim(2);
    -((of_targets + EPSILON).log() * mask).sum(Kind::Float)
}

/// −Σ log p of the targets (N), from scores (N, V).
pub(crate) fn surprise(scores: &Tensor, targets: &Tensor) -> Tensor {
    scores.cross_entropy_loss::<Tensor>(targets, None, Reduction::Sum, -100, 0.0)
}

/// The original's hinge over all wrong pairs of the batch, in both directions, summed.
pub(crate) fn margin(scores: &Tensor, margin: f64) -> Tensor {
    let right = scores.diagonal(0, 0, 1);
    let by_sentence: Tensor = (scores - right.unsqueeze(0) + margin).relu();
    let by_picture = (scores - right.unsqueeze(1) + margin).relu();
    let size = scores.size()[0];
    let wrong: Tensor = 1.0 - Tensor::eye(size, (Kind::Float, scores.device()));
    ((by_sentence + by_picture) * wrong).sum(Kind::Float)
}

/// −½ Σ log p of the right answers on the diagonal, by row and by column of scores (B, B). Another caption of the same
/// picture (an equal number in `pictures`, (B)) is no wrong answer.
pub(crate) fn contrastive(scores: &Tensor, pictures: &Tensor) -> Tensor {
    let same = pictures.unsqueeze(1).eq_tensor(&pictures.unsqueeze(0));
    let _ = same.shallow_clone().fill_diagonal_(0, false);
    let scores = scores.masked_fill(&same, NO_ANSWER);
    let right = Tensor::arange(scores.size()[0], (Kind::Int64, scores.device()));
    (surprise(&scores, &right) + surprise(&scores.tr(), &right)) * 0.5
}

/// The words that an update's softmax runs over, and the targets as places among them.
#[derive(Debug)]
pub(crate) struct Classes {
    /// Ids of words, each once (K).
    pub(crate) words: Tensor,
    /// Places in `words` (N).
    pub(crate) targets: Tensor,
}

impl Classes {
    /// All words of the vocabulary.
    pub(crate) fn all(targets: &Tensor, words: i64) -> Classes {
        Classes {
            words: Tensor::arange(words, (Kind::Int64, targets.device())),
            targets: targets.shallow_clone(),
        }
    }

    /// The words of the batch and `others` drawn at random from all `words`, which may be among them already.
    pub(crate) fn drawn(
        targets: &Tensor,
        words: i64,
        others: usize,
        random: &mut ChaCha8Rng,
    ) -> Classes {
        if others == 0 || others as i64 >= words {
            return Classes::all(targets, words);
        }
        let told = Vec::<i64>::try_from(targets.to_device(Device::Cpu))
            .expect("targets are a row of whole numbers");
        let (mut places, mut chosen) = (HashMap::new(), Vec::new());
        let mut place = |word: i64| {
            *places.entry(word).or_insert_with(|| {
                chosen.push(word);
                chosen.len() as i64 - 1
            })
        };
        let found: Vec<i64> = told.into_iter().map(&mut place).collect();
        for _ in 0..others {
            place(random.random_range(0..words));
        }
        let on = |numbers: &[i64]| Tensor::from_slice(numbers).to_device(targets.device());
        Classes {
            words: on(&chosen),
            targets: on(&found),
        }
    }
}

/// −Σ log p of the targets, with a softmax over the classes alone; states (N, D), and an output layer whose rows are
/// words: (V, D) and (V).
pub(crate) fn sampled(
    states: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    classes: &Classes,
) -> Tensor {
    let rows = weight
        .index_select(0, &classes.words)
        .to_kind(states.kind());
    let bias = bias.index_select(0, &classes.words);
    let scores = states.matmul(&rows.tr()).to_kind(Kind::Float) + bias;
    surprise(&scores, &classes.targets)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
