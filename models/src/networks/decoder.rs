//! The conditional decoder: a GRU language model started from a thought (algorithm.md §5.1).
//!
//! The thought sets the first state and is not seen again. The first word is read as a vector of
//! zeros. The search and the sampler step it; the trainer uses `states` and `logits`.

use crate::networks::gru::Gru;
use crate::tensors::weights::Weights;
use crate::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Stands for "no word yet": the first input of every story.
pub const START: i64 = -1;

/// The decoder; C is the size of a thought, D of the state, V the number of words.
#[derive(Debug)]
pub struct Decoder {
    table: Tensor,
    state_w: Tensor,
    state_b: Tensor,
    gru: Gru,
    hidden: Option<(Tensor, Tensor)>,
    logit_w: Tensor,
    logit_b: Tensor,
}

impl Decoder {
    /// Takes `Wemb` (V, E), `ff_state` (C → D), the GRU `decoder`, `ff_hid` (D → E) when the output
    /// is deep, and `ff_logit` (E or D → V).
    ///
    /// # Errors
    /// When an array is missing or the shapes do not fit each other.
    pub fn new(weights: &Weights, deep_output: bool) -> Result<Self> {
        let words = weights.tensor("Wemb", &[-1, -1])?;
        let (count, word_size) = words.size2()?;
        let gru = Gru::new(weights, "decoder")?;
        let size = gru.state_size();
        if gru.input_size() != word_size {
            let reason = format!(
                "words have {word_size} numbers, `decoder` reads {}",
                gru.input_size()
            );
            return Err(Error::format(weights.label(), reason));
        }
        let hidden = if deep_output {
            let w = weights.tensor("ff_hid_W", &[size, word_size])?;
            Some((w, weights.tensor("ff_hid_b", &[word_size])?))
        } else {
            None
        };
        let out = if deep_output { word_size } else { size };
        let no_word = Tensor::zeros([1, word_size], (Kind::Float, words.device()));
        Ok(Self {
            table: Tensor::cat(&[words, no_word], 0),
            state_w: weights.tensor("ff_state_W", &[-1, size])?,
            state_b: weights.tensor("ff_state_b", &[size])?,
            gru,
            hidden,
            logit_w: weights.tensor("ff_logit_W", &[out, count])?,
            logit_b: weights.tensor("ff_logit_b", &[count])?,
        })
    }

    /// The size C of a thought.
    pub fn thought_size(&self) -> i64 {
        self.state_w.size()[0]
    }

    /// The number V of words it can write.
    pub fn words(&self) -> i64 {
        self.logit_b.size()[0]
    }

    /// The size D of a state.
    pub fn state_size(&self) -> i64 {
        self.gru.state_size()
    }

    /// Thoughts (B, C) to first states (B, D).
    pub fn start(&self, thoughts: &Tensor) -> Tensor {
        self.state_b.addmm(thoughts, &self.state_w).tanh()
    }

    /// The vectors of words ([`START`] included), of any shape, to one more dimension E.
    pub fn embed(&self, words: &Tensor) -> Tensor {
        let rows = words.where_self(&words.ge(0), &words.full_like(self.words()));
        let mut shape = words.size();
        shape.push(self.table.size()[1]);
        self.table
            .index_select(0, &rows.view([-1]))
            .view(shape.as_slice())
    }

    /// One step: the last words (B) and states (B, D) give scores before the softmax (B, V) and the
    /// next states (B, D).
    pub fn step(&self, words: &Tensor, states: &Tensor) -> (Tensor, Tensor) {
        let next = self.gru.step(&self.embed(words), states);
        (self.logits(&next), next)
    }

    /// All states (T, B, D) over known words (T, B), from first states (B, D).
    pub fn states(&self, words: &Tensor, first: &Tensor) -> Tensor {
        self.gru.run(&self.embed(words), Some(first), None)
    }

    /// States (B, D) to scores before the softmax (B, V).
    pub fn logits(&self, states: &Tensor) -> Tensor {
        match &self.hidden {
            Some((w, b)) => self
                .logit_b
                .addmm(&b.addmm(states, w).tanh(), &self.logit_w),
            None => self.logit_b.addmm(states, &self.logit_w),
        }
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.table.device()
    }
}
