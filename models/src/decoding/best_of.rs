//! Draws several stories at once and tells the best of them.
//!
//! A search for the likeliest text ends in the phrases that fit every picture; a single draw may go astray. Here many
//! are drawn side by side, each with random numbers of its own, and the one whose words cost least on average is
//! told. Costs are those that `writing` hands out, so a story that its thought makes likelier comes first.

use crate::decoding::beam::Hypothesis;
use crate::decoding::decode_loop::RowCosts;
use crate::decoding::rules::Rules;
use crate::decoding::sampler::{Sampler, SamplerOptions};

/// Stories being drawn side by side.
#[derive(Debug)]
pub struct BestOf {
    rules: Rules,
    live: Vec<Sampler>,
    done: Vec<Sampler>,
}

impl BestOf {
    /// `count` stories without words (at least one); the first draws as a lone [`Sampler`] would.
    pub fn new(options: SamplerOptions, count: usize) -> Self {
        let one = |place: u64| {
            // seeds far apart, so that another seed of the caller never yields the same candidates
            let seed = options.seed ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            Sampler::new(SamplerOptions {
                seed,
                ..options.clone()
            })
        };
        Self {
            rules: options.rules.clone(),
            live: (0..count.max(1) as u64).map(one).collect(),
            done: Vec::new(),
        }
    }

    /// What the stories keep to.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The stories that are not finished, in the order of the rows that the next step expects: one row for all as
    /// long as none has a word.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Hypothesis> {
        let rows = if self.steps() == 0 {
            1
        } else {
            self.live.len()
        };
        self.live.iter().take(rows).map(Sampler::story)
    }

    /// How many words the longest story has.
    pub(crate) fn steps(&self) -> usize {
        let words = |sampler: &Sampler| sampler.story().words.len();
        self.live
            .iter()
            .chain(&self.done)
            .map(words)
            .max()
            .unwrap_or(0)
    }

    /// Draws a word for each story; returns the row of each that goes on.
    pub(crate) fn advance(&mut self, costs: &RowCosts) -> Vec<i64> {
        let first = self.steps() == 0;
        let (mut rows, mut going_on) = (Vec::new(), Vec::new());
        for (place, mut sampler) in std::mem::take(&mut self.live).into_iter().enumerate() {
            let row = if first { 0 } else { place };
            sampler.advance(costs, row);
            if sampler.is_done() {
                self.done.push(sampler);
            } else {
                rows.push(row as i64);
                going_on.push(sampler);
            }
        }
        self.live = going_on;
        rows
    }

    /// Whether all stories have ended or are full.
    pub(crate) fn is_done(&self) -> bool {
        self.live.is_empty()
    }

    /// All stories, the one with the least mean cost of a word first.
    pub(crate) fn into_hypotheses(self) -> Vec<Hypothesis> {
        let all = self.done.iter().chain(&self.live);
        let mut stories: Vec<Hypothesis> = all.map(|sampler| sampler.story().clone()).collect();
        stories.sort_by(|a, b| mean_cost(a).total_cmp(&mean_cost(b)));
        stories
    }
}

/// What a word costs on average: texts of any length compare.
fn mean_cost(story: &Hypothesis) -> f32 {
    story.cost / story.words.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(count: usize, seed: u64) -> Vec<Hypothesis> {
        let options = SamplerOptions {
            temperature: 1.0,
            top_p: 1.0,
            seed,
            rules: Rules::original(12),
        };
        let mut stories = BestOf::new(options, count);
        let row: Vec<f32> = [0.1, 0.3, 0.3, 0.3].iter().map(|p: &f32| -p.ln()).collect();
        while !stories.is_done() {
            let rows = stories.live().count();
            let costs = row.repeat(rows);
            assert_eq!(
                stories.advance(&RowCosts::dense(&costs, 4)).len(),
                stories.live().count()
            );
        }
        stories.into_hypotheses()
    }

    #[test]
    fn the_story_with_the_cheapest_words_comes_first() {
        let stories = drawn(20, 5);
        assert_eq!(stories.len(), 20);
        assert!(
            stories
                .windows(2)
                .all(|two| mean_cost(&two[0]) <= mean_cost(&two[1]))
        );
        assert!(mean_cost(&stories[0]) < mean_cost(&stories[19]));
    }

    #[test]
    fn the_same_seed_draws_the_same_stories_and_another_one_does_not() {
        assert_eq!(drawn(6, 5), drawn(6, 5));
        assert_ne!(drawn(6, 5), drawn(6, 6));
        let first = |stories: Vec<Hypothesis>| stories.first().map(mean_cost);
        assert!(
            first(drawn(20, 5)) <= first(drawn(1, 5)),
            "the lone story is among the twenty"
        );
    }
}
