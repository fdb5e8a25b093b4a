//! Beam search as the original does it (algorithm.md §5.2), one story's worth.
//!
//! `writing` feeds it the costs of every next word; this module only keeps hypotheses. A finished
//! hypothesis holds its place in the beam, so the beam shrinks; costs are plain sums of −log p in
//! f32; ties go to the earlier row, then the smaller word. Content and order of all hypotheses must
//! stay those of the original.

use crate::decoding::decode_loop::RowCosts;
use crate::decoding::rules::{MEMORY, Rules};
use crate::text::vocabulary::EOS;
use std::cmp::Ordering;

/// What the original adds up for an unknown word: dear, but not impossible.
const BARRED_COST: f32 = 1e20;

/// How to search.
#[derive(Clone, Debug)]
pub struct BeamOptions {
    /// How many hypotheses live side by side.
    pub width: usize,
    /// What a story may not contain.
    pub rules: Rules,
    /// Search on when the best story can no longer change, to collect all hypotheses.
    pub exhaustive: bool,
}

/// A text and its cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Ids of the words; the last is the end mark when the text is finished.
    pub words: Vec<i64>,
    /// The sum of −log p.
    pub cost: f32,
}

impl Hypothesis {
    /// Whether the text came to its end.
    pub fn is_finished(&self) -> bool {
        self.words.last() == Some(&EOS)
    }

    /// What the original prints: all words but the last, which for an unfinished text is a real one.
    pub fn text(&self) -> &[i64] {
        &self.words[..self.words.len().saturating_sub(1)]
    }
}

/// The state of one search.
#[derive(Debug)]
pub struct Beam {
    options: BeamOptions,
    live: Vec<Hypothesis>,
    finished: Vec<Hypothesis>,
    steps: usize,
}

#[derive(Clone, Copy)]
struct Candidate {
    cost: f32,
    row: usize,
    word: i64,
}

impl Candidate {
    fn before(&self, other: &Self) -> Ordering {
        let place = (self.row, self.word).cmp(&(other.row, other.word));
        self.cost.total_cmp(&other.cost).then(place)
    }
}

impl Beam {
    /// A search that has not begun.
    pub fn new(options: BeamOptions) -> Self {
        let empty = Hypothesis {
            words: Vec::new(),
            cost: 0.0,
        };
        Self {
            options,
            live: vec![empty],
            finished: Vec::new(),
            steps: 0,
        }
    }

    /// The live hypotheses, in the order of the rows that the next step expects.
    pub fn live(&self) -> &[Hypothesis] {
        &self.live
    }

    /// What the texts keep to.
    pub(crate) fn rules(&self) -> &Rules {
        &self.options.rules
    }

    /// How many words the live hypotheses have.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// How many of the cheapest words of each row are enough to take the next step.
    pub(crate) fn enough_words(&self) -> usize {
        let barred = |h: &Hypothesis| self.options.rules.barred(&h.words).len();
        let worn = if self.options.rules.weariness > 0.0 {
            MEMORY
        } else {
            0
        };
        self.options.width + 1 + worn + self.live.iter().map(barred).max().unwrap_or(0)
    }

    /// Takes one step; returns the parent row of each hypothesis that lives on.
    pub(crate) fn advance(&mut self, costs: &RowCosts) -> Vec<i64> {
        let places = self.options.width - self.finished.len();
        let chosen = self.cheapest(costs, places);
        let mut parents = Vec::with_capacity(chosen.len());
        let mut live = Vec::with_capacity(chosen.len());
        for candidate in chosen {
            let mut words = self.live[candidate.row].words.clone();
            words.push(candidate.word);
            let hypothesis = Hypothesis {
                words,
                cost: candidate.cost,
            };
            if candidate.word == EOS {
                self.finished.push(hypothesis);
            } else {
                live.push(hypothesis);
                parents.push(candidate.row as i64);
            }
        }
        self.live = live;
        self.steps += 1;
        parents
    }

    /// Whether the search is over: no live hypothesis, no free place, full length, or (unless the
    /// search is exhaustive) no live hypothesis can become better than the best finished one.
    pub(crate) fn is_done(&self) -> bool {
        self.live.is_empty()
            || self.finished.len() >= self.options.width
            || self.steps >= self.options.rules.max_len
            || (!self.options.exhaustive && self.is_decided())
    }

    /// All hypotheses: the finished ones as they came, then the live ones in beam order.
    pub fn into_hypotheses(mut self) -> Vec<Hypothesis> {
        self.finished.append(&mut self.live);
        self.finished
    }

    /// Costs only grow: a finished text that costs no more than every live one stays the best.
    fn is_decided(&self) -> bool {
        let best = best(&self.finished).map(|hypothesis| hypothesis.cost);
        let cheapest_live = self
            .live
            .iter()
            .map(|h| h.cost)
            .fold(f32::INFINITY, f32::min);
        best.is_some_and(|cost| cost <= cheapest_live)
    }

    /// The `count` cheapest continuations, cheapest first.
    fn cheapest(&self, costs: &RowCosts, count: usize) -> Vec<Candidate> {
        let mut kept: Vec<Candidate> = Vec::with_capacity(4 * count);
        let mut bound = f32::INFINITY;
        let mut full = false;
        for (row, hypothesis) in self.live.iter().enumerate() {
            let barred = self.options.rules.barred(&hypothesis.words);
            costs.for_each(row, |word, own| {
                let mut cost = hypothesis.cost + own;
                if self.options.rules.is_barred_unknown(word) {
                    cost = BARRED_COST;
                }
                // candidates come in the order of their places: an equal cost comes too late
                if full && cost >= bound || barred.contains(&word) {
                    return;
                }
                cost += self.options.rules.wear(&hypothesis.words, word);
                kept.push(Candidate { cost, row, word });
                if kept.len() >= 4 * count {
                    shrink(&mut kept, count);
                    full = true;
                    bound = kept
                        .iter()
                        .map(|c| c.cost)
                        .fold(f32::NEG_INFINITY, f32::max);
                }
            });
        }
        kept.sort_unstable_by(Candidate::before);
        kept.truncate(count);
        kept
    }
}

/// Leaves the `count` first candidates, in any order.
fn shrink(candidates: &mut Vec<Candidate>, count: usize) {
    candidates.select_nth_unstable_by(count - 1, Candidate::before);
    candidates.truncate(count);
}

/// The story the original prints: the smallest cost, the first on ties. An empty text is passed over
/// if it is the very first hypothesis (nowhere else). `None` when nothing else is there.
pub fn best(hypotheses: &[Hypothesis]) -> Option<&Hypothesis> {
    let first_is_empty = hypotheses.first().is_some_and(|h| h.text().is_empty());
    let eligible = &hypotheses[usize::from(first_is_empty)..];
    let mut best: Option<&Hypothesis> = None;
    for hypothesis in eligible {
        if best.is_none_or(|b| hypothesis.cost < b.cost) {
            best = Some(hypothesis);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(width: usize) -> BeamOptions {
        BeamOptions {
            width,
            rules: Rules::original(5),
            exhaustive: true,
        }
    }

    #[test]
    fn ties_go_to_the_earlier_row_and_the_smaller_word() {
        let mut beam = Beam::new(options(3));
        assert_eq!(
            beam.advance(&RowCosts::dense(&[9.0, 0.0, 2.0, 2.0, 2.0], 5)),
            [0, 0, 0]
        );
        let words: Vec<_> = beam.live().iter().map(|h| h.words.clone()).collect();
        assert_eq!(words, [[2], [3], [4]]);
        let rows = [9.0, 0.0, 9.0, 1.0, 1.0];
        let parents = beam.advance(&RowCosts::dense(&rows.repeat(3), 5));
        assert_eq!(parents, [0, 0, 1]);
    }

    #[test]
    fn a_finished_text_holds_its_place() {
        let mut beam = Beam::new(options(2));
        let _ = beam.advance(&RowCosts::dense(&[1.0, 0.0, 2.0, 3.0], 4));
        assert_eq!(beam.live().len(), 1);
        assert!(!beam.is_done());
        let _ = beam.advance(&RowCosts::dense(&[1.0, 0.0, 2.0, 0.5], 4));
        assert_eq!(beam.live().len(), 1);
        assert_eq!(beam.into_hypotheses()[0].words, [EOS]);
    }

    #[test]
    fn many_candidates_are_thinned_without_losing_the_cheapest() {
        let costs: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1009) as f32).collect();
        let mut beam = Beam::new(options(7));
        let _ = beam.advance(&RowCosts::dense(&costs, 1000));
        let mut wanted: Vec<(f32, i64)> = costs
            .iter()
            .copied()
            .zip(0..)
            .filter(|c| c.1 != 1)
            .collect();
        wanted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let found: Vec<_> = beam
            .into_hypotheses()
            .iter()
            .map(|h| (h.cost, h.words[0]))
            .collect();
        assert_eq!(found, wanted[..7]);
    }

    #[test]
    fn an_empty_text_is_passed_over_only_at_the_front() {
        let text = |words: &[i64], cost| Hypothesis {
            words: words.to_vec(),
            cost,
        };
        assert_eq!(best(&[text(&[0], 1.0)]), None);
        let two = [text(&[0], 1.0), text(&[5, 0], 2.0)];
        assert_eq!(best(&two), Some(&two[1]));
        let tied = [text(&[5, 0], 2.0), text(&[0], 2.0), text(&[0], 1.0)];
        assert_eq!(best(&tied), Some(&tied[2]));
    }
}
