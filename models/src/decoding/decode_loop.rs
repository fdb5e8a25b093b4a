//! Steps the decoder for many stories at once.
//!
//! Every story keeps its own search or sampler; their rows share the decoder's matrix products. The
//! rows go through in blocks of one fixed shape, padded with zeros: a product of another shape may
//! round differently, and then a story would depend on its company. A story can be dropped between
//! two steps.

use crate::decoding::beam::Beam;
use crate::decoding::best_of::BestOf;
use crate::decoding::hypothesis::Hypothesis;
use crate::decoding::row_costs::RowCosts;
use crate::decoding::rules::Rules;
use crate::decoding::sampler::Sampler;
use crate::tensors::floats::floats;
use crate::text::vocabulary::START;
use tch::{Device, Kind, Tensor};

/// A network that goes from words and states to scores of the next words. The loop names none of them.
pub trait Stepped {
    /// The number V of words it can write.
    fn words(&self) -> i64;
    /// Where it computes.
    fn device(&self) -> Device;
    /// Thoughts (B, C) to first states (B, D).
    fn start(&self, thoughts: &Tensor) -> Tensor;
    /// The last words (B) and states (B, D) to scores before the softmax (B, V) and the next states (B, D); only the first
    /// `rows` count, behind them some numbers may come out.
    fn step(&self, words: &Tensor, states: &Tensor, rows: i64) -> (Tensor, Tensor);
}

/// How a story is being written, with all that is written so far.
#[derive(Debug)]
pub enum Strategy {
    /// By beam search.
    Beam(Beam),
    /// By drawing words.
    Sample(Sampler),
    /// By drawing many and telling the best.
    BestOf(BestOf),
}

impl Strategy {
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

/// One story among those that are stepped together.
struct Sequence {
    /// its number among the caller's
    story: usize,
    strategy: Strategy,
    states: Tensor,
    /// The states of the same words after the thought that every story has.
    common: Option<Tensor>,
    /// What each word costs less, (1, V).
    hints: Option<Tensor>,
}

impl Sequence {
    fn new(
        decoder: &impl Stepped,
        story: usize,
        mut strategy: Strategy,
        thoughts: Thoughts,
    ) -> Self {
        let common = thoughts.common.get(story).and_then(Option::as_ref);
        // held against another thought a word may cost less than nothing, and no early end is certain
        if let (Some(_), Strategy::Beam(beam)) = (common, &mut strategy) {
            beam.expect_falling_costs();
        }
        Self {
            story,
            hints: strategy
                .rules()
                .hints
                .row(decoder.words(), decoder.device()),
            strategy,
            // one row at a time, so that the first state never depends on the company either
            states: decoder.start(&thoughts.own.narrow(0, story as i64, 1)),
            common: common.map(|thought| decoder.start(thought)),
        }
    }
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

/// Writes stories from their thoughts (N, C), one strategy a row. After each step `go_on` learns the
/// story's number and its length so far, and answers whether to continue; a story that was dropped
/// comes back as `None`.
pub fn write<'a>(
    decoder: &impl Stepped,
    thoughts: impl Into<Thoughts<'a>>,
    strategies: Vec<Strategy>,
    go_on: &mut dyn FnMut(usize, usize) -> bool,
) -> Vec<Option<Strategy>> {
    let thoughts = thoughts.into();
    let mut written: Vec<Option<Strategy>> = strategies.iter().map(|_| None).collect();
    let mut sequences: Vec<Sequence> = strategies
        .into_iter()
        .enumerate()
        .map(|(story, strategy)| Sequence::new(decoder, story, strategy, thoughts))
        .collect();
    while !sequences.is_empty() {
        step(decoder, &mut sequences);
        let mut unfinished = Vec::new();
        for sequence in sequences {
            let wanted = go_on(sequence.story, sequence.strategy.steps());
            if wanted && sequence.strategy.is_done() {
                written[sequence.story] = Some(sequence.strategy);
            } else if wanted {
                unfinished.push(sequence);
            }
        }
        sequences = unfinished;
    }
    written
}

/// One word more for every story.
fn step(decoder: &impl Stepped, sequences: &mut [Sequence]) {
    let (mut words, mut states) = (Vec::new(), Vec::new());
    for sequence in sequences.iter() {
        for rows in std::iter::once(&sequence.states).chain(&sequence.common) {
            words.extend(sequence.strategy.last_words());
            states.push(rows);
        }
    }
    let (costs, next) = step_in_blocks(decoder, &words, &Tensor::cat(&states, 0));
    let mut first = 0;
    for sequence in sequences {
        let rows = sequence.states.size()[0];
        let own = costs.narrow(0, first, rows);
        let costs = match &sequence.common {
            Some(_) => held_against(&own, &costs.narrow(0, first + rows, rows)),
            None => own,
        };
        let costs = match &sequence.hints {
            Some(hints) => costs - hints,
            None => costs,
        };
        let parents = advance(&mut sequence.strategy, &costs);
        let parents = Tensor::from_slice(&parents).to_device(next.device());
        sequence.states = next.narrow(0, first, rows).index_select(0, &parents);
        first += rows;
        if sequence.common.is_some() {
            sequence.common = Some(next.narrow(0, first, rows).index_select(0, &parents));
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

/// The largest cost that a probability of 32 bits can have. Smaller ones are told as none at all, and a cost without end
/// after the common thought would make its word the likeliest of all.
const LEAST_LIKELY: f64 = 103.0;

/// Costs (R, V) after the own thought, changed by what sets them apart from those after the common one.
fn held_against(own: &Tensor, common: &Tensor) -> Tensor {
    let cheapest = own.amin([1i64].as_slice(), true);
    let implausible = own.gt_tensor(&(cheapest + PLAUSIBLE));
    let contrast = (own - common.clamp_max(LEAST_LIKELY)) * CONTRAST;
    own + contrast.masked_fill(&implausible, IMPLAUSIBLE)
}

/// Steps rows in blocks of one shape: costs (R, V) and next states (R, D).
pub(crate) fn step_in_blocks(
    decoder: &impl Stepped,
    words: &[i64],
    states: &Tensor,
) -> (Tensor, Tensor) {
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
        let counting = (rows - index * block).min(block);
        let (scores, after) = decoder.step(&part(&words), &part(&states), counting);
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

/// Lets a strategy take its step; off the CPU only the cheapest words travel to it.
fn advance(strategy: &mut Strategy, costs: &Tensor) -> Vec<i64> {
    let all = costs.size()[1];
    let enough = match strategy {
        Strategy::Beam(beam) if costs.device().is_cuda() => beam.enough_words() as i64,
        _ => all,
    };
    if enough >= all {
        let flat = floats(costs);
        return strategy.advance(&RowCosts::dense(&flat, all as usize));
    }
    let (cheapest, words) = costs.topk(enough, 1, false, true);
    let ids = words.to_device(Device::Cpu).contiguous();
    let mut flat = vec![0i64; ids.numel()];
    ids.copy_data(&mut flat, ids.numel());
    let costs = floats(&cheapest);
    strategy.advance(&RowCosts::some(&costs, &flat, enough as usize))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::decoding::beam::{BeamOptions, Stop};
    use crate::decoding::hypothesis::best;

    /// Scores of the end, the unknown word and two words, by how many words there are: after a story's own thought, and
    /// after the one that it is held against.
    struct Scripted {
        own: [[f32; 4]; 3],
        common: [[f32; 4]; 3],
    }

    impl Stepped for Scripted {
        fn words(&self) -> i64 {
            4
        }

        fn device(&self) -> Device {
            Device::Cpu
        }

        /// A state is the thought's only number and how many words there are.
        fn start(&self, thoughts: &Tensor) -> Tensor {
            Tensor::cat(&[thoughts, &thoughts.zeros_like()], 1)
        }

        fn step(&self, _: &Tensor, states: &Tensor, _: i64) -> (Tensor, Tensor) {
            let scores = |row| {
                let state: Vec<f32> = Vec::try_from(states.get(row)).unwrap();
                let table = if state[0] > 0.0 {
                    &self.own
                } else {
                    &self.common
                };
                Tensor::from_slice(&table[(state[1] as usize).min(2)])
            };
            let scores: Vec<Tensor> = (0..states.size()[0]).map(scores).collect();
            let counted = states + Tensor::from_slice(&[0f32, 1.0]);
            (Tensor::stack(&scores, 0), counted)
        }
    }

    #[test]
    fn a_story_held_against_another_thought_is_searched_to_the_end() {
        // [2, end] is over early and cheap; every word 3 after that costs less than nothing: the common thought shuns it
        let scripted = Scripted {
            own: [
                [-9.0, -99.0, 1.0, 0.9],
                [1.0, -99.0, -9.0, 0.9],
                [0.9, -99.0, -9.0, 1.0],
            ],
            common: [
                [0.0, 0.0, 0.0, 0.0],
                [0.0, 0.0, 0.0, 0.0],
                [0.0, 0.0, 0.0, -60.0],
            ],
        };
        let search = |stop| {
            let beam = Beam::new(BeamOptions {
                width: 4,
                rules: Rules::original(6),
                stop,
            });
            let one = (Kind::Float, Device::Cpu);
            let (own, common) = (
                Tensor::ones([1, 1], one),
                [Some(Tensor::zeros([1, 1], one))],
            );
            let thoughts = Thoughts::against(&own, &common);
            let written = write(
                &scripted,
                thoughts,
                vec![Strategy::Beam(beam)],
                &mut |_, _| true,
            );
            let strategy = written.into_iter().flatten().next().unwrap();
            best(&strategy.into_hypotheses()).unwrap().words.clone()
        };
        let whole = search(Stop::AtFullLength);
        assert_eq!(whole.len(), 6, "the long text is the best: {whole:?}");
        assert_eq!(search(Stop::WhenDecided), whole);
    }

    #[test]
    fn a_word_that_the_common_thought_rules_out_costs_a_number_all_the_same() {
        let own = Tensor::from_slice2(&[[0.1f32, 3.0, f32::INFINITY]]);
        let common = Tensor::from_slice2(&[[0.1f32, f32::INFINITY, f32::INFINITY]]);
        let costs = floats(&held_against(&own, &common));
        assert!(costs[0].is_finite() && costs[1].is_finite(), "{costs:?}");
        assert!(costs[2] > 100.0, "what is impossible stays so: {costs:?}");
    }
}
