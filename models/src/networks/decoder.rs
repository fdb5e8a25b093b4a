//! The conditional decoder: a GRU language model started from a thought (algorithm.md §5.1).
//!
//! The thought sets the first state and is not seen again. The first word is read as a vector of
//! zeros. The search and the sampler step it; the trainer uses `states` and `logits`.

use crate::decoding::decode_loop::Stepped;
use crate::error::{Error, Result};
use crate::networks::gru::Gru;
use crate::tensors::device::packed_floats::PackedFloats;
use crate::tensors::weights::Weights;
use tch::{Device, Kind, Tensor};

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
    packed: Option<PackedOutput>,
}

/// The layers behind the state, packed for a processor's products.
#[derive(Debug)]
struct PackedOutput {
    hidden: Option<PackedFloats>,
    logits: PackedFloats,
}

impl Decoder {
    /// Takes `Wemb` (V, E), `ff_state` (C → D), the GRU `decoder`, `ff_hid` (D → E) when the output
    /// is deep, and `ff_logit` (E or D → V). What a step multiplies with is packed where the processor is quicker so.
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
        let mut decoder = Self {
            table: Tensor::cat(&[words, no_word], 0),
            state_w: weights.tensor("ff_state_W", &[-1, size])?,
            state_b: weights.tensor("ff_state_b", &[size])?,
            gru,
            hidden,
            logit_w: weights.tensor("ff_logit_W", &[out, count])?,
            logit_b: weights.tensor("ff_logit_b", &[count])?,
            packed: None,
        };
        decoder.pack();
        Ok(decoder)
    }

    /// Packs the layers behind the state, unless they are to learn or lie on a graphics card.
    fn pack(&mut self) {
        let pack = |w: &Tensor, b| PackedFloats::new(&w.tr(), Some(b));
        let hidden = self.hidden.as_ref().map(|(w, b)| pack(w, b));
        let logits = pack(&self.logit_w, &self.logit_b);
        let all = hidden.as_ref().is_none_or(Option::is_some);
        if let (Some(logits), true) = (logits, all) {
            self.packed = Some(PackedOutput {
                hidden: hidden.flatten(),
                logits,
            });
            // they are held once
            self.hidden = None;
            self.logit_w = Tensor::new();
        }
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

    /// The vectors of words (`START` included), of any shape, to one more dimension E.
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
        self.step_first(words, states, states.size()[0])
    }

    /// As [`Decoder::step`], where only the first `rows` rows count: the others are some numbers that nobody reads.
    pub fn step_first(&self, words: &Tensor, states: &Tensor, rows: i64) -> (Tensor, Tensor) {
        let next = self.gru.step_first(&self.embed(words), states, rows);
        (self.logits_of_first(&next, rows), next)
    }

    /// All states (T, B, D) over known words (T, B), from first states (B, D).
    pub fn states(&self, words: &Tensor, first: &Tensor) -> Tensor {
        self.gru.run(&self.embed(words), Some(first), None)
    }

    /// States (B, D) to scores before the softmax (B, V).
    pub fn logits(&self, states: &Tensor) -> Tensor {
        self.logits_of_first(states, states.size()[0])
    }

    fn logits_of_first(&self, states: &Tensor, rows: i64) -> Tensor {
        if let Some(packed) = &self.packed {
            let hidden = packed.hidden.as_ref();
            let hidden = hidden.map(|hidden| hidden.product_of_first(states, rows).tanh_());
            let states = hidden.as_ref().unwrap_or(states);
            return packed.logits.product_of_first(states, rows);
        }
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

impl Stepped for Decoder {
    fn words(&self) -> i64 {
        self.words()
    }

    fn device(&self) -> Device {
        self.device()
    }

    fn start(&self, thoughts: &Tensor) -> Tensor {
        self.start(thoughts)
    }

    fn step(&self, words: &Tensor, states: &Tensor, rows: i64) -> (Tensor, Tensor) {
        self.step_first(words, states, rows)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::decoding::decode_loop::step_in_blocks;

    /// A decoder of a size at which matrix products are cut into tiles.
    fn decoder() -> Decoder {
        let (c, d, e, v) = (48, 320, 160, 4000);
        let shapes: [(&str, &[i64]); 13] = [
            ("Wemb", &[v, e]),
            ("ff_state_W", &[c, d]),
            ("ff_state_b", &[d]),
            ("ff_hid_W", &[d, e]),
            ("ff_hid_b", &[e]),
            ("ff_logit_W", &[e, v]),
            ("ff_logit_b", &[v]),
            ("decoder_W", &[e, 2 * d]),
            ("decoder_U", &[d, 2 * d]),
            ("decoder_b", &[2 * d]),
            ("decoder_Wx", &[e, d]),
            ("decoder_Ux", &[d, d]),
            ("decoder_bx", &[d]),
        ];
        let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 0.1;
        let arrays = shapes.map(|(name, shape)| (name.to_owned(), random(shape)));
        Decoder::new(&Weights::from_tensors("random", arrays), true).unwrap()
    }

    #[test]
    fn a_row_comes_out_the_same_wherever_it_stands_and_whatever_is_beside_it() {
        let _no_grad = tch::no_grad_guard();
        let decoder = decoder();
        let states = Tensor::randn([150, 320], (Kind::Float, Device::Cpu));
        let words: Vec<i64> = (0..150).map(|i| (i * 37) % 4000).collect();
        let (costs, next) = step_in_blocks(&decoder, &words, &states);
        for row in [0usize, 1, 23, 31, 47, 63, 64, 100, 127, 149] {
            let alone = states.narrow(0, row as i64, 1);
            let (one_costs, one_next) = step_in_blocks(&decoder, &words[row..=row], &alone);
            let pairs = [(&costs, one_costs), (&next, one_next)];
            for (all, one) in pairs {
                assert_eq!(
                    floats(&all.get(row as i64)),
                    floats(&one.get(0)),
                    "row {row}"
                );
            }
        }
    }

    fn floats(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor).unwrap()
    }
}
