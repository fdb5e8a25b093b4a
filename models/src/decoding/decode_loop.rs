//! Steps the decoder for many stories at once.
//!
//! Every story keeps its own search or sampler; their rows share the decoder's matrix products. The
//! rows go through in blocks of one fixed shape, padded with zeros: a product of another shape may
//! round differently, and then a story would depend on its company. A story can be dropped between
//! two steps.

use crate::decoding::beam::{Beam, Hypothesis};
use crate::decoding::best_of::BestOf;
use crate::decoding::rules::Rules;
use crate::decoding::sampler::Sampler;
use crate::networks::decoder::{Decoder, START};
use tch::{Device, Kind, Tensor};

/// A story being written.
#[derive(Debug)]
pub enum Draft {
    /// By beam search.
    Beam(Beam),
    /// By drawing words.
    Sample(Sampler),
    /// By drawing many and telling the best.
    BestOf(BestOf),
}

/// Costs (−log p) of next words, one row a hypothesis: of every word, or of the cheapest only.
pub(crate) struct RowCosts<'a> {
    costs: &'a [f32],
    words: Option<&'a [i64]>,
    width: usize,
}

impl<'a> RowCosts<'a> {
    /// The costs of all words, row after row.
    pub(crate) fn dense(costs: &'a [f32], width: usize) -> Self {
        Self {
            costs,
            words: None,
            width,
        }
    }

    /// Visits the words of a row, in rising order of their ids when all words are there.
    pub(crate) fn for_each(&self, row: usize, mut visit: impl FnMut(i64, f32)) {
        let range = row * self.width..(row + 1) * self.width;
        match self.words {
            None => self.costs[range]
                .iter()
                .zip(0..)
                .for_each(|(&cost, word)| visit(word, cost)),
            Some(words) => {
                let pairs = words[range.clone()].iter().zip(&self.costs[range]);
                pairs.for_each(|(&word, &cost)| visit(word, cost));
            }
        }
    }
}

impl Draft {
    fn last_words(&self) -> Vec<i64> {
        let last = |h: &Hypothesis| h.words.last().copied().unwrap_or(START);
        match self {
            Self::Beam(beam) => beam.live().iter().map(last).collect(),
            Self::Sample(sampler) => vec![last(sampler.story())],
            Self::BestOf(stories) => stories.live().map(last).collect(),
        }
    }

    fn rules(&self) -> &Rules {
        match self {
            Self::Beam(beam) => beam.rules(),
            Self::Sample(sampler) => sampler.rules(),
            Self::BestOf(stories) => stories.rules(),
        }
    }

    fn steps(&self) -> usize {
        match self {
            Self::Beam(beam) => beam.steps(),
            Self::Sample(sampler) => sampler.story().words.len(),
            Self::BestOf(stories) => stories.steps(),
        }
    }

    fn advance(&mut self, costs: &RowCosts) -> Vec<i64> {
        match self {
            Self::Beam(beam) => beam.advance(costs),
            Self::Sample(sampler) => {
                sampler.advance(costs, 0);
                vec![0]
            }
            Self::BestOf(stories) => stories.advance(costs),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Beam(beam) => beam.is_done(),
            Self::Sample(sampler) => sampler.is_done(),
            Self::BestOf(stories) => stories.is_done(),
        }
    }

    /// All hypotheses, in the order of the search.
    pub fn into_hypotheses(self) -> Vec<Hypothesis> {
        match self {
            Self::Beam(beam) => beam.into_hypotheses(),
            Self::Sample(sampler) => vec![sampler.story().clone()],
            Self::BestOf(stories) => stories.into_hypotheses(),
        }
    }
}

struct Desk {
    story: usize,
    draft: Draft,
    states: Tensor,
    /// The states of the same words after the thought that every story has.
    common: Option<Tensor>,
    /// What each word costs less, (1, V).
    hints: Option<Tensor>,
}

/// The thoughts that stories are written from.
#[derive(Clone, Copy, Debug)]
pub struct Thoughts<'a> {
    /// (N, C), one row a story.
    own: &'a Tensor,
    /// What each story's thought is held against, (1, C); `None` writes from the own thought alone.
    common: &'a [Option<Tensor>],
}

impl<'a> Thoughts<'a> {
    /// Own thoughts (N, C), each to be held against the common one beside it, if there is one: words that the own
    /// thought makes likelier than the common one are preferred (contrastive decoding, Li et al. 2023).
    pub fn against(own: &'a Tensor, common: &'a [Option<Tensor>]) -> Self {
        Self { own, common }
    }
}

impl<'a> From<&'a Tensor> for Thoughts<'a> {
    fn from(own: &'a Tensor) -> Self {
        Self { own, common: &[] }
    }
}

/// Writes stories from their thoughts (N, C), one draft a row. After each step `go_on` learns the
/// story's number and its length so far, and answers whether to continue; a story that was dropped
/// comes back as `None`.
pub fn write<'a>(
    decoder: &Decoder,
    thoughts: impl Into<Thoughts<'a>>,
    drafts: Vec<Draft>,
    go_on: &mut dyn FnMut(usize, usize) -> bool,
) -> Vec<Option<Draft>> {
    let thoughts = thoughts.into();
    let mut written: Vec<Option<Draft>> = drafts.iter().map(|_| None).collect();
    let mut desks = Vec::new();
    for (story, draft) in drafts.into_iter().enumerate() {
        // one row at a time, so that the first state never depends on the company either
        let states = decoder.start(&thoughts.own.narrow(0, story as i64, 1));
        let common = thoughts.common.get(story).and_then(Option::as_ref);
        desks.push(Desk {
            story,
            hints: draft.rules().hints.row(decoder.words(), decoder.device()),
            draft,
            states,
            common: common.map(|thought| decoder.start(thought)),
        });
    }
    while !desks.is_empty() {
        step(decoder, &mut desks);
        let mut unfinished = Vec::new();
        for desk in desks {
            let wanted = go_on(desk.story, desk.draft.steps());
            if wanted && desk.draft.is_done() {
                written[desk.story] = Some(desk.draft);
            } else if wanted {
                unfinished.push(desk);
            }
        }
        desks = unfinished;
    }
    written
}

/// One word more for every story.
fn step(decoder: &Decoder, desks: &mut [Desk]) {
    let (mut words, mut states) = (Vec::new(), Vec::new());
    for desk in desks.iter() {
        for rows in std::iter::once(&desk.states).chain(&desk.common) {
            words.extend(desk.draft.last_words());
            states.push(rows);
        }
    }
    let (costs, next) = step_in_blocks(decoder, &words, &Tensor::cat(&states, 0));
    let mut first = 0;
    for desk in desks {
        let rows = desk.states.size()[0];
        let own = costs.narrow(0, first, rows);
        let costs = match &desk.common {
            Some(_) => held_against(&own, &costs.narrow(0, first + rows, rows)),
            None => own,
        };
        let costs = match &desk.hints {
            Some(hints) => costs - hints,
            None => costs,
        };
        let parents = advance(&mut desk.draft, &costs);
        let parents = Tensor::from_slice(&parents).to_device(next.device());
        desk.states = next.narrow(0, first, rows).index_select(0, &parents);
        first += rows;
        if desk.common.is_some() {
            desk.common = Some(next.narrow(0, first, rows).index_select(0, &parents));
            first += rows;
        }
    }
}

/// How much a word counts for being likelier after the own thought than after the common one. Chosen by reading: above 0.5
/// the grammar of the starter's decoder suffers.
const CONTRAST: f64 = 0.3;
/// Words whose own cost is above the cheapest by more than this (a fiftieth of its probability) are no candidates,
/// whatever the contrast says of them.
const PLAUSIBLE: f64 = 4.0;
/// Added to the cost of a word that is no candidate: more than any contrast can make up for.
const IMPLAUSIBLE: f64 = 1e3;

/// Costs (R, V) after the own thought, changed by what sets them apart from those after the common one.
fn held_against(own: &Tensor, common: &Tensor) -> Tensor {
    let cheapest = own.amin([1i64].as_slice(), true);
    let implausible = own.gt_tensor(&(cheapest + PLAUSIBLE));
    let contrast = (own - common) * CONTRAST;
    own + contrast.masked_fill(&implausible, IMPLAUSIBLE)
}

/// Steps rows in blocks of one shape: costs (R, V) and next states (R, D).
fn step_in_blocks(decoder: &Decoder, words: &[i64], states: &Tensor) -> (Tensor, Tensor) {
    let rows = words.len() as i64;
    let block = block_rows(decoder.device());
    let blocks = (rows + block - 1) / block;
    let mut padded = words.to_vec();
    padded.resize((blocks * block) as usize, START);
    let words = Tensor::from_slice(&padded).to_device(decoder.device());
    let states = states.constant_pad_nd([0, 0, 0, blocks * block - rows]);
    let (mut costs, mut next) = (Vec::new(), Vec::new());
    for index in 0..blocks {
        let part = |t: &Tensor| t.narrow(0, index * block, block);
        let (scores, after) = decoder.step(&part(&words), &part(&states));
        costs.push(scores.softmax(1, Kind::Float).log_().neg_());
        next.push(after);
    }
    let join = |mut parts: Vec<Tensor>| match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            Tensor::cat(&parts, 0)
        }
        None => Tensor::zeros([0, 0], (Kind::Float, decoder.device())),
    };
    (join(costs), join(next))
}

/// Rows that share one product: enough for a beam of the usual width.
fn block_rows(device: Device) -> i64 {
    if device.is_cuda() { 256 } else { 64 }
}

/// Lets a draft take its step; off the CPU only the cheapest words travel to it.
fn advance(draft: &mut Draft, costs: &Tensor) -> Vec<i64> {
    let all = costs.size()[1];
    let enough = match draft {
        Draft::Beam(beam) if costs.device().is_cuda() => beam.enough_words() as i64,
        _ => all,
    };
    if enough >= all {
        let flat = floats(costs);
        return draft.advance(&RowCosts::dense(&flat, all as usize));
    }
    let (cheapest, words) = costs.topk(enough, 1, false, true);
    let ids = words.to_device(Device::Cpu).contiguous();
    let mut flat = vec![0i64; ids.numel()];
    ids.copy_data(&mut flat, ids.numel());
    let costs = floats(&cheapest);
    draft.advance(&RowCosts {
        costs: &costs,
        words: Some(&flat),
        width: enough as usize,
    })
}

/// The numbers of a tensor, row after row.
fn floats(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.to_device(Device::Cpu).contiguous();
    let mut numbers = vec![0f32; flat.numel()];
    flat.copy_data(&mut numbers, flat.numel());
    numbers
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::tensors::weights::Weights;

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
}
