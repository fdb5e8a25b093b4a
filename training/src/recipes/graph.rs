//! The costs of the original's trainers as graphs over one minibatch (algorithm.md §3.5, §4.4, §5.5).
//!
//! The trainers run them for `--recipe original`; the parity check runs them on the original's own minibatches. What must
//! stay true: costs are summed, never averaged, every probability gets 1e-8 before its logarithm, the end mark is read
//! and told, and pictures are not brought to unit length.

use tch::{IndexOp as _, Kind, Tensor};

use crate::Parameters;
use crate::recipes::skip_thoughts::Half;
use models::Gru;
use models::networks::vse::SentenceEncoder;
use models::tensors::unit_rows::unit_rows;

/// Added to a probability before its logarithm.
const EPSILON: f64 = 1e-8;

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

/// Texts side by side, end marks included, short ones filled up.
#[derive(Debug)]
pub struct Text {
    /// Word ids (T, B), whole numbers.
    pub ids: Tensor,
    /// 1 where a word (or end mark) counts, 0 behind it, (T, B).
    pub mask: Tensor,
    padded: bool,
}

impl Text {
    /// Takes ids and mask as they are, (T, B) each.
    pub fn from_tensors(ids: &Tensor, mask: &Tensor) -> Text {
        Text {
            ids: ids.to_kind(Kind::Int64),
            mask: mask.to_kind(Kind::Float),
            padded: mask.min().double_value(&[]) < 1.0,
        }
    }

    /// Puts texts (word ids without end marks) side by side on `device` and ends each with an end mark.
    pub fn new(texts: &[&[i64]], device: tch::Device) -> Text {
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0) + 1;
        let count = texts.len();
        let (mut ids, mut mask) = (vec![0i64; longest * count], vec![0f32; longest * count]);
        for (column, text) in texts.iter().enumerate() {
            for (step, id) in text.iter().chain(&[0]).enumerate() {
                ids[step * count + column] = *id;
                mask[step * count + column] = 1.0;
            }
        }
        let shape = [longest as i64, count as i64];
        Text {
            ids: Tensor::from_slice(&ids).view(shape).to_device(device),
            padded: mask.contains(&0.0),
            mask: Tensor::from_slice(&mask).view(shape).to_device(device),
        }
    }

    /// How many words and end marks count.
    pub fn told(&self) -> usize {
        self.mask.sum(Kind::Double).double_value(&[]) as usize
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
}

impl Graph<'_> {
    /// Summed cost of telling both neighbours of each sentence.
    pub fn skip_thoughts(&self, half: Half, batch: &Neighbours) -> Tensor {
        let x = self.embed(&batch.read.ids);
        let mask = &batch.read.mask;
        let forward = self.last("encoder", &x, (mask, batch.read.padded));
        let thought = match half {
            Half::Uni => forward,
            Half::Bi => {
                let mask = mask.flip([0]);
                let back = self.last("encoder_r", &x.flip([0]), (&mask, batch.read.padded));
                Tensor::cat(&[forward, back], 1)
            }
        };
        let tell = |decoder: &str, text: &Text| {
            let states = self
                .cell(decoder)
                .run(&self.shifted(text), Some(&thought), None);
            surprise(&self.affine("ff_logit", &states), text)
        };
        tell("decoder_f", &batch.next) + tell("decoder_b", &batch.previous)
    }

    /// Summed cost of the wrong pairs among captions and pictures (B, F) of unit length.
    pub fn vse(
        &self,
        (encoder, margin): (SentenceEncoder, f64),
        captions: &Text,
        pictures: &Tensor,
    ) -> Tensor {
        let x = self.embed(&captions.ids);
        let mask = &captions.mask;
        let sentences = match encoder {
            SentenceEncoder::Gru => self.last("encoder", &x, (mask, captions.padded)),
            SentenceEncoder::Bow => {
                (x * mask.unsqueeze(2).to_kind(self.kind)).sum_dim_intlist(0i64, false, Kind::Float)
            }
        };
        let sentences = unit_rows(&sentences.to_kind(Kind::Float));
        // no unit length here: the original has none in training
        let pictures = self.affine("ff_image", &pictures.to_kind(self.kind));
        margin_cost(&pictures.matmul(&sentences.tr()), margin)
    }

    /// Summed cost of telling each text from its thought (B, C).
    pub fn decoder(&self, output: Output, text: &Text, thoughts: &Tensor) -> Tensor {
        let first = self.affine("ff_state", &thoughts.to_kind(self.kind)).tanh();
        let first = first.to_kind(self.kind);
        let states = self
            .cell("decoder")
            .run(&self.shifted(text), Some(&first), None);
        let told = match output {
            Output::Deep => self.affine("ff_hid", &states).tanh().to_kind(self.kind),
            Output::Plain => states,
        };
        surprise(&self.affine("ff_logit", &told), text)
    }

    fn cell(&self, prefix: &str) -> Gru {
        self.parameters.cell(prefix, self.kind)
    }

    /// (T, B) to (T, B, E).
    fn embed(&self, ids: &Tensor) -> Tensor {
        let (steps, count) = (ids.size()[0], ids.size()[1]);
        let table = self.parameters.get("Wemb");
        let rows = table.index_select(0, &ids.contiguous().view([-1]));
        rows.to_kind(self.kind).view([steps, count, -1])
    }

    /// What a decoder is shown: zeros first, then each word but the last.
    fn shifted(&self, text: &Text) -> Tensor {
        let x = self.embed(&text.ids);
        let steps = x.size()[0];
        Tensor::cat(&[&x.i(..1).zeros_like(), &x.i(..steps - 1)], 0)
    }

    /// The last state (B, D); steps that are masked leave it as it is.
    fn last(&self, prefix: &str, x: &Tensor, (mask, padded): (&Tensor, bool)) -> Tensor {
        // without a mask the whole sequence is one fused call
        let mask = padded.then_some(mask);
        self.cell(prefix).run(x, None, mask).i(-1)
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

/// The original's hinge over all wrong pairs of the batch, in both directions, summed.
pub(crate) fn margin_cost(scores: &Tensor, margin: f64) -> Tensor {
    let right = scores.diagonal(0, 0, 1);
    let by_sentence: Tensor = (scores - right.unsqueeze(0) + margin).relu();
    let by_picture = (scores - right.unsqueeze(1) + margin).relu();
    let size = scores.size()[0];
    let wrong: Tensor = 1.0 - Tensor::eye(size, (Kind::Float, scores.device()));
    ((by_sentence + by_picture) * wrong).sum(Kind::Float)
}

/// −Σ log(p + 1e-8) over what counts.
fn surprise(logits: &Tensor, text: &Text) -> Tensor {
    let probabilities = logits.softmax(-1, Kind::Float);
    let of_targets = probabilities
        .gather(2, &text.ids.unsqueeze(2), false)
        .squeeze_dim(2);
    -((of_targets + EPSILON).log() * &text.mask).sum(Kind::Float)
}
