//! Beam search as the original does it (algorithm.md §5.2), one story's worth.
//!
//! `decode_loop` feeds it the costs of every next word; this module only keeps hypotheses. A finished
//! hypothesis holds its place in the beam, so the beam shrinks; costs are plain sums of −log p in
//! f32; ties go to the earlier row, then the smaller word. Content and order of all hypotheses must
//! stay those of the original.

use crate::decoding::hypothesis::{Hypothesis, best};
use crate::decoding::row_costs::RowCosts;
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
    /// When the search ends.
    pub stop: Stop,
}

/// When a search ends that still has live hypotheses and places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// As soon as no live hypothesis can become better than the best finished one. Where costs may fall that is never
    /// known, and the search goes on to the end.
    WhenDecided,
    /// At full length only, so that all hypotheses are collected, as the original does.
    AtFullLength,
}

/// The state of one search.
#[derive(Debug)]
pub struct Beam {
    options: BeamOptions,
    live: Vec<Hypothesis>,
    finished: Vec<Hypothesis>,
    steps: usize,
    /// whether a step can cost less than nothing: hints and a common thought take something off
    costs_may_fall: bool,
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
            costs_may_fall: !options.rules.hints.is_empty(),
            options,
            live: vec![empty],
            finished: Vec::new(),
            steps: 0,
        }
    }

    /// Says that a step may cost less than nothing, so that a dear hypothesis can still become the best.
    pub(crate) fn expect_falling_costs(&mut self) {
        self.costs_may_fall = true;
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

    /// How many of the cheapest words of each row are enough to take the next step: as many as can be chosen, and one for
    /// each that may turn out dearer than its row says (the unknown word, worn words, barred ones, hints already used).
    pub(crate) fn enough_words(&self) -> usize {
        let rules = &self.options.rules;
        let worn = if rules.weariness > 0.0 { MEMORY } else { 0 };
        let dearer = |h: &Hypothesis| rules.barred(&h.words).len() + rules.hints.used_in(&h.words);
        self.options.width + 1 + worn + self.live.iter().map(dearer).max().unwrap_or(0)
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

    /// Whether the search is over: no live hypothesis, no free place, full length, or (if that is when it stops) no live
    /// hypothesis can become better than the best finished one.
    pub(crate) fn is_done(&self) -> bool {
        self.live.is_empty()
            || self.finished.len() >= self.options.width
            || self.steps >= self.options.rules.max_len
            || (self.options.stop == Stop::WhenDecided && self.is_decided())
    }

    /// All hypotheses: the finished ones as they came, then the live ones in beam order.
    pub fn into_hypotheses(mut self) -> Vec<Hypothesis> {
        self.finished.append(&mut self.live);
        self.finished
    }

    /// Where costs only grow, a finished text that costs no more than every live one stays the best.
    fn is_decided(&self) -> bool {
        if self.costs_may_fall {
            return false;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoding::hints::Hints;

    fn options(width: usize) -> BeamOptions {
        BeamOptions {
            width,
            rules: Rules::original(5),
            stop: Stop::AtFullLength,
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
    fn a_search_whose_costs_may_fall_is_not_decided_by_a_cheap_early_end() {
        let search = |falling: bool| {
            let mut beam = Beam::new(BeamOptions {
                stop: Stop::WhenDecided,
                ..options(2)
            });
            if falling {
                beam.expect_falling_costs();
            }
            // [2, end] costs 1 and [3, 2] costs 3, but its end takes 4 off
            let _ = beam.advance(&RowCosts::dense(&[9.0, 9.0, 0.5, 2.0], 4));
            let rows = [0.5, 9.0, 9.0, 9.0, 9.0, 9.0, 1.0, 9.0];
            let _ = beam.advance(&RowCosts::dense(&rows, 4));
            if !beam.is_done() {
                let _ = beam.advance(&RowCosts::dense(&[-4.0, 9.0, 9.0, 9.0], 4));
            }
            best(&beam.into_hypotheses()).map(|found| found.words.clone())
        };
        assert_eq!(search(true), Some(vec![3, 2, EOS]));
        assert_eq!(search(false), Some(vec![2, EOS]));
    }

    #[test]
    fn the_cheapest_words_are_enough_whatever_makes_some_of_them_dearer() {
        let hints = Hints::from_worths([(3, 6.0), (4, 6.0), (5, 6.0), (6, 6.0)]);
        let beam = || {
            let mut beam = Beam::new(BeamOptions {
                width: 2,
                rules: Rules {
                    hints: hints.clone(),
                    ..Rules::original(9)
                },
                stop: Stop::AtFullLength,
            });
            // both hypotheses have used three hints
            for word in [3, 4, 5] {
                let mut row = [50.0; 40];
                row[word] = 1.0;
                row[word + 30] = 1.5;
                let rows = row.repeat(beam.live().len());
                let _ = beam.advance(&RowCosts::dense(&rows, 40));
            }
            beam
        };
        // what the hints take off is off: used ones look like the cheapest words, but are not
        let mut row: Vec<f32> = (0..40).map(|word| 10.0 + word as f32 / 10.0).collect();
        [3, 4, 5].into_iter().for_each(|word| row[word] = 9.0);
        let mut whole = beam();
        let rows = row.repeat(whole.live().len());
        let _ = whole.advance(&RowCosts::dense(&rows, 40));
        let mut some = beam();
        let enough = some.enough_words();
        let mut order: Vec<i64> = (0..40).collect();
        order.sort_by(|&a, &b| row[a as usize].total_cmp(&row[b as usize]));
        let words: Vec<i64> = order[..enough].repeat(some.live().len());
        let costs: Vec<f32> = words.iter().map(|&word| row[word as usize]).collect();
        let _ = some.advance(&RowCosts::some(&costs, &words, enough));
        assert_eq!(some.into_hypotheses(), whole.into_hypotheses());
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
}
