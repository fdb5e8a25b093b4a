//! What the trainers compute, as graphs over one minibatch (algorithm.md §3.5, §4.4, §5.5).
//!
//! The modern recipes and the original's run the same encoders and decoders; the parity check runs them on the original's
//! own minibatches, so what is checked is what trains. The costs on top lie in `costs`. What must stay true of the
//! original's: the end mark is read and told, and pictures are not brought to unit length.

use tch::{IndexOp as _, Kind, Tensor};

use crate::parameters::Parameters;
use crate::recipes::costs;
use models::Gru;
use models::networks::vse::SentenceEncoder;
use models::tensors::unit_rows::unit_rows;

/// Which half of the sentence encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// One encoder that reads forwards.
    Uni,
    /// Two encoders of half the size, one for each direction.
    Bi,
}

/// How the decoder comes from its state to words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Through a layer of the size of a word's vector (`ff_hid`), then to all words.
    #[default]
    Deep,
    /// Straight to all words.
    Plain,
}

/// Texts side by side, short ones filled up.
#[derive(Debug)]
pub struct Text {
    /// Word ids (T, B), whole numbers.
    pub ids: Tensor,
    /// 1 where a word (or end mark) counts, 0 behind it, (T, B).
    pub mask: Tensor,
    padding: Padding,
}

/// Where a text's columns do not count.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Padding {
    /// nowhere: the whole sequence is one fused call
    None,
    /// behind the last word: one fused call too, and each column's state is taken where it ends
    Behind,
    /// anywhere: step after step, since only a mask can hold a state still
    Anywhere,
}

impl Padding {
    fn of(mask: &Tensor) -> Self {
        let steps = mask.size()[0];
        if mask.min().double_value(&[]) >= 1.0 {
            return Self::None;
        }
        let falls = mask.i(1..).le_tensor(&mask.i(..steps - 1)).all();
        let begins = mask.i(0).min().double_value(&[]) > 0.0;
        if begins && falls.int64_value(&[]) == 1 {
            Self::Behind
        } else {
            Self::Anywhere
        }
    }

    /// The same texts from their ends.
    fn turned(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Behind | Self::Anywhere => Self::Anywhere,
        }
    }
}

impl Text {
    /// Takes ids and mask as they are, (T, B) each.
    pub fn from_tensors(ids: &Tensor, mask: &Tensor) -> Text {
        Text {
            ids: ids.to_kind(Kind::Int64),
            mask: mask.to_kind(Kind::Float),
            padding: Padding::of(&mask.to_kind(Kind::Float)),
        }
    }

    /// Puts texts (word ids without end marks) side by side on `device` and ends each with an end mark.
    pub fn new(texts: &[&[i64]], device: tch::Device) -> Text {
        Text::side_by_side(texts, &[0], device)
    }

    /// The same without end marks: no decoder will tell them, and our encoders read none.
    pub fn without_ends(texts: &[&[i64]], device: tch::Device) -> Text {
        Text::side_by_side(texts, &[], device)
    }

    fn side_by_side(texts: &[&[i64]], end: &[i64], device: tch::Device) -> Text {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0) + end.len();
        let count = texts.len();
        let (mut ids, mut mask) = (vec![0i64; longest * count], vec![0f32; longest * count]);
        for (column, text) in texts.iter().enumerate() {
            for (step, id) in text.iter().chain(end).enumerate() {
                ids[step * count + column] = *id;
                mask[step * count + column] = 1.0;
            }
        }
        let shape = [longest as i64, count as i64];
        Text {
            ids: Tensor::from_slice(&ids).view(shape).to_device(device),
            padding: match mask.contains(&0.0) {
                true => Padding::Behind,
                false => Padding::None,
            },
            mask: Tensor::from_slice(&mask).view(shape).to_device(device),
        }
    }

    /// How many words and end marks count.
    pub fn told(&self) -> usize {
        self.mask.sum(Kind::Double).double_value(&[]) as usize
    }

    /// The places (N) of what is to be told, among all T · B step after step, and the ids that belong there; words
    /// of the id `but`, if there is one, are never told.
    pub(crate) fn targets(&self, but: Option<i64>) -> (Tensor, Tensor) {
        let counts = self.mask.gt(0.0);
        let counts = match but {
            Some(id) => counts.logical_and(&self.ids.ne(id)),
            None => counts,
        };
        let places = counts.view([-1]).nonzero().view([-1]);
        let ids = self.ids.view([-1]).index_select(0, &places);
        (places, ids)
    }
}

/// What a skip-thought encoder learns from: a sentence and its neighbours.
#[derive(Debug)]
pub struct Neighbours {
    /// The sentences that are read.
    pub read: Text,
    /// Those that come after them.
    pub next: Text,
    /// Those that came before.
    pub previous: Text,
}

/// The graphs over one set of parameters; matrix products are computed in `kind`, probabilities in f32.
#[derive(Clone, Copy, Debug)]
pub struct Graph<'a> {
    /// Arrays under the names and in the layout of the original.
    pub parameters: &'a Parameters,
    /// f32 to be faithful, bf16 to be quick.
    pub kind: Kind,
    /// The share of what encoders and decoders are shown that is dropped; the original drops nothing.
    pub dropout: f64,
}

impl<'a> Graph<'a> {
    /// The graphs as the original's trainers had them.
    pub fn of_the_original(parameters: &'a Parameters) -> Self {
        Graph {
            parameters,
            kind: Kind::Float,
            dropout: 0.0,
        }
    }

    /// The original's summed cost of telling both neighbours of each sentence.
    pub fn skip_thoughts(&self, half: Half, batch: &Neighbours) -> Tensor {
        let thought = self.thought(half, &batch.read);
        let tell = |decoder: &str, text: &Text| {
            let states = self.states(decoder, &self.embed(&text.ids), &thought);
            costs::original_surprise(&self.affine("ff_logit", &states), &text.ids, &text.mask)
        };
        tell("decoder_f", &batch.next) + tell("decoder_b", &batch.previous)
    }

    /// The original's summed cost of the wrong pairs among captions and pictures (B, F) of unit length.
    pub fn vse(
        &self,
        encoder: SentenceEncoder,
        margin: f64,
        captions: &Text,
        pictures: &Tensor,
    ) -> Tensor {
        // no unit length of pictures here: the original has none in training
        let scores = self
            .pictures(pictures)
            .matmul(&self.sentences(encoder, captions).tr());
        costs::margin(&scores, margin)
    }

    /// The original's summed cost of telling each text from its thought (B, C).
    pub fn decoder(&self, output: Output, text: &Text, thoughts: &Tensor) -> Tensor {
        let scores = self.scores(output, &self.told(text, thoughts));
        costs::original_surprise(&scores, &text.ids, &text.mask)
    }

    /// The thoughts (B, D) of sentences: the encoders' last states.
    pub(crate) fn thought(&self, half: Half, text: &Text) -> Tensor {
        let x = self.dropped(self.embed(&text.ids));
        let forward = self.last("encoder", &x, &text.mask, text.padding);
        match half {
            Half::Uni => forward,
            Half::Bi => {
                let mask = text.mask.flip([0]);
                let back = self.last("encoder_r", &x.flip([0]), &mask, text.padding.turned());
                Tensor::cat(&[forward, back], 1)
            }
        }
    }

    /// The places (B, D) of captions in the joint space, of unit length.
    pub(crate) fn sentences(&self, encoder: SentenceEncoder, captions: &Text) -> Tensor {
        let x = self.dropped(self.embed(&captions.ids));
        let mask = &captions.mask;
        let sentences = match encoder {
            SentenceEncoder::Gru => self.last("encoder", &x, mask, captions.padding),
            SentenceEncoder::Bow => {
                (x * mask.unsqueeze(2).to_kind(self.kind)).sum_dim_intlist(0i64, false, Kind::Float)
            }
        };
        unit_rows(&sentences.to_kind(Kind::Float))
    }

    /// The places (B, D) of pictures (B, F) in the joint space, of any length.
    pub(crate) fn pictures(&self, features: &Tensor) -> Tensor {
        self.affine("ff_image", &self.dropped(features.to_kind(self.kind)))
    }

    /// The states (T, B, D) of the decoder that tells texts from thoughts (B, C).
    pub(crate) fn told(&self, text: &Text, thoughts: &Tensor) -> Tensor {
        let first = self.affine("ff_state", &thoughts.to_kind(self.kind)).tanh();
        let first = first.to_kind(self.kind);
        self.states("decoder", &self.dropped(self.embed(&text.ids)), &first)
    }

    /// The states (T, B, D) of a decoder that begins with `first` (B, D) and is shown zeros, then each of `words`
    /// (T, B, E) but the last.
    pub(crate) fn states(&self, decoder: &str, words: &Tensor, first: &Tensor) -> Tensor {
        let steps = words.size()[0];
        let shown = Tensor::cat(&[&words.i(..1).zeros_like(), &words.i(..steps - 1)], 0);
        self.cell(decoder).run(&shown, Some(first), None)
    }

    /// States (…, D) of the decoder to scores of words (…, V).
    pub(crate) fn scores(&self, output: Output, states: &Tensor) -> Tensor {
        let told = match output {
            Output::Deep => {
                let hidden = self.affine("ff_hid", states).tanh();
                self.dropped(hidden.to_kind(self.kind))
            }
            Output::Plain => states.shallow_clone(),
        };
        self.affine("ff_logit", &told)
    }

    /// (T, B) to (T, B, E).
    pub(crate) fn embed(&self, ids: &Tensor) -> Tensor {
        let (steps, count) = (ids.size()[0], ids.size()[1]);
        let table = self.parameters.get("Wemb");
        let rows = table.index_select(0, &ids.contiguous().view([-1]));
        rows.to_kind(self.kind).view([steps, count, -1])
    }

    fn dropped(&self, x: Tensor) -> Tensor {
        if self.dropout > 0.0 {
            x.dropout(self.dropout, true)
        } else {
            x
        }
    }

    fn cell(&self, prefix: &str) -> Gru {
        self.parameters.cell(prefix, self.kind)
    }

    /// The last state (B, D) that counts of each column.
    fn last(&self, prefix: &str, x: &Tensor, mask: &Tensor, padding: Padding) -> Tensor {
        let cell = self.cell(prefix);
        match padding {
            Padding::None => cell.run(x, None, None).i(-1),
            Padding::Anywhere => cell.run(x, None, Some(mask)).i(-1),
            Padding::Behind => {
                let states = cell.run(x, None, None);
                let last = mask.sum_dim_intlist(0i64, false, Kind::Int64) - 1;
                let last = last
                    .view([1, -1, 1])
                    .expand([1, -1, states.size()[2]], false);
                states.gather(0, &last, false).squeeze_dim(0)
            }
        }
    }

    /// `x · W + b`, in f32 at the end.
    fn affine(&self, prefix: &str, x: &Tensor) -> Tensor {
        let weight = self
            .parameters
            .get(&format!("{prefix}_W"))
            .to_kind(self.kind);
        x.matmul(&weight).to_kind(Kind::Float) + self.parameters.get(&format!("{prefix}_b"))
    }
}

/// Weight decay: `rate` times the sum of all squares, embeddings and biases too; to be added to a cost.
pub fn decay(parameters: &Parameters, rate: f64) -> Tensor {
    let squares: Vec<Tensor> = parameters
        .tensors()
        .map(|tensor| tensor.square().sum(Kind::Float))
        .collect();
    Tensor::stack(&squares, 0).sum(Kind::Float) * rate
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tch::{Device, no_grad};

    fn parameters() -> Parameters {
        tch::manual_seed(3);
        let mut parameters = Parameters::new();
        parameters.uniform("Wemb", [9, 4], 0.5);
        parameters.gru("encoder", 4, 5);
        parameters.gru("encoder_r", 4, 5);
        parameters
    }

    #[test]
    fn a_text_reads_the_same_alone_and_beside_a_longer_one() {
        let parameters = parameters();
        let graph = Graph::of_the_original(&parameters);
        let texts: [&[i64]; 3] = [&[2, 3], &[4, 5, 6, 7, 8], &[3]];
        for half in [Half::Uni, Half::Bi] {
            let together = graph.thought(half, &Text::new(&texts, Device::Cpu));
            for (row, text) in (0..).zip(texts) {
                let alone = graph.thought(half, &Text::new(&[text], Device::Cpu));
                let gap = no_grad(|| (together.get(row) - alone.get(0)).abs().max());
                assert!(gap.double_value(&[]) < 1e-6, "{half:?} {text:?}");
            }
        }
    }

    #[test]
    fn the_two_ways_around_padding_agree_in_value_and_gradient() {
        let parameters = parameters();
        let graph = Graph::of_the_original(&parameters);
        let text = Text::new(&[&[2, 3], &[4, 5, 6, 7, 8], &[3]], Device::Cpu);
        let x = graph.embed(&text.ids);
        let mut found = Vec::new();
        for padding in [Padding::Behind, Padding::Anywhere] {
            let last = graph.last("encoder", &x, &text.mask, padding);
            let slope = Tensor::run_backward(
                &[last.square().sum(Kind::Float)],
                &[parameters.get("Wemb")],
                true,
                false,
            );
            found.push((last.detach(), slope[0].copy()));
        }
        assert!(found[0].0.allclose(&found[1].0, 1e-5, 1e-6, false));
        assert!(found[0].1.allclose(&found[1].1, 1e-4, 1e-6, false));
    }

    #[test]
    fn what_is_told_is_every_word_that_counts() {
        let text = Text::new(&[&[2, 1], &[4, 5, 1]], Device::Cpu);
        let (places, ids) = text.targets(Some(1));
        assert_eq!(Vec::<i64>::try_from(ids).unwrap(), [2, 4, 5, 0, 0]);
        assert_eq!(Vec::<i64>::try_from(places).unwrap(), [0, 1, 3, 4, 7]);
        assert_eq!(text.targets(None).1.size(), [7]);
        assert_eq!(text.told(), 7);
        assert_eq!(Text::without_ends(&[&[2, 1]], Device::Cpu).told(), 2);
    }
}
