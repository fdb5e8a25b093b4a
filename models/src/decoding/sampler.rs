//! Draws a story word by word instead of searching for the likeliest one.
//!
//! Temperature and nucleus ("top p") shape the distribution; the same seed gives the same story. The
//! original's sampling mode cannot be reproduced (algorithm.md §5.3): this one is ours, but at
//! temperature 0 it takes the likeliest word each time, as the original's greedy mode does.

use crate::decoding::beam::Hypothesis;
use crate::decoding::decode_loop::RowCosts;
use crate::decoding::rules::Rules;
use crate::text::vocabulary::EOS;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How to draw.
#[derive(Clone, Debug)]
pub struct SamplerOptions {
    /// Below 1 prefers likely words, above 1 unlikely ones; 0 always takes the likeliest.
    pub temperature: f32,
    /// Only the likeliest words that together have this probability are drawn from (1: all).
    pub top_p: f32,
    /// The start of the random numbers.
    pub seed: u64,
    /// What the story may not contain.
    pub rules: Rules,
}

/// A story being drawn.
#[derive(Debug)]
pub struct Sampler {
    options: SamplerOptions,
    random: Box<ChaCha8Rng>,
    story: Hypothesis,
}

impl Sampler {
    /// A story without words.
    pub fn new(options: SamplerOptions) -> Self {
        let random = Box::new(ChaCha8Rng::seed_from_u64(options.seed));
        Self {
            options,
            random,
            story: Hypothesis {
                words: Vec::new(),
                cost: 0.0,
            },
        }
    }

    /// The story so far; its cost is the sum of −log p before temperature and nucleus.
    pub fn story(&self) -> &Hypothesis {
        &self.story
    }

    /// What the story keeps to.
    pub(crate) fn rules(&self) -> &Rules {
        &self.options.rules
    }

    /// Draws one word from the costs in `row`.
    pub(crate) fn advance(&mut self, costs: &RowCosts, row: usize) {
        let barred = self.options.rules.barred(&self.story.words);
        let mut choices = Vec::new();
        costs.for_each(row, |word, cost| {
            let unknown = self.options.rules.is_barred_unknown(word);
            if !unknown && !barred.contains(&word) && cost.is_finite() {
                choices.push((
                    word,
                    cost + self.options.rules.wear(&self.story.words, word),
                ));
            }
        });
        if self.options.temperature > 0.0 {
            // what is e^20 times less likely than the best is never drawn: no need to sort ten thousand words
            let cheapest = choices.iter().map(|c| c.1).fold(f32::INFINITY, f32::min);
            let dearest = cheapest + 20.0 * self.options.temperature;
            choices.retain(|&(_, cost)| cost <= dearest);
        }
        choices.sort_unstable_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let (word, cost) = self.draw(&choices).unwrap_or((EOS, 0.0));
        self.story.words.push(word);
        self.story.cost += cost;
    }

    /// Whether the story has ended or is full.
    pub(crate) fn is_done(&self) -> bool {
        self.story.is_finished() || self.story.words.len() >= self.options.rules.max_len
    }

    /// Picks from choices sorted by cost; `None` when there are none.
    fn draw(&mut self, choices: &[(i64, f32)]) -> Option<(i64, f32)> {
        let &first = choices.first()?;
        let temperature = f64::from(self.options.temperature);
        if temperature <= 0.0 {
            return Some(first);
        }
        let weight = |cost: f32| ((f64::from(first.1) - f64::from(cost)) / temperature).exp();
        let total: f64 = choices.iter().map(|&(_, cost)| weight(cost)).sum();
        let wanted = f64::from(self.options.top_p) * total;
        let mut nucleus = 0.0;
        let size = choices.iter().take_while(|&&(_, cost)| {
            let inside = nucleus < wanted;
            nucleus += if inside { weight(cost) } else { 0.0 };
            inside
        });
        let size = size.count().max(1);
        let mut left = self.random.random::<f64>() * nucleus.max(1.0);
        let drawn = choices[..size].iter().find(|&&(_, cost)| {
            left -= weight(cost);
            left < 0.0
        });
        Some(*drawn.unwrap_or(&first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(temperature: f32, top_p: f32, seed: u64) -> Vec<i64> {
        let rules = Rules {
            min_len: 40,
            ..Rules::original(40)
        };
        let mut sampler = Sampler::new(SamplerOptions {
            temperature,
            top_p,
            seed,
            rules,
        });
        let costs: Vec<f32> = [0.3, 0.2, 0.2, 0.2, 0.1]
            .iter()
            .map(|p: &f32| -p.ln())
            .collect();
        while !sampler.is_done() {
            sampler.advance(&RowCosts::dense(&costs, 5), 0);
        }
        sampler.story().words.clone()
    }

    #[test]
    fn the_same_seed_tells_the_same_story_and_another_one_does_not() {
        assert_eq!(write(1.0, 1.0, 3), write(1.0, 1.0, 3));
        assert_ne!(write(1.0, 1.0, 3), write(1.0, 1.0, 4));
        assert!(
            write(1.0, 1.0, 3).contains(&4),
            "a rare word is drawn now and then"
        );
    }

    #[test]
    fn a_small_nucleus_or_no_temperature_takes_the_likeliest_word() {
        assert_eq!(write(0.0, 1.0, 3), [2; 40]);
        assert_eq!(write(1.0, 0.01, 3), [2; 40]);
    }

    #[test]
    fn words_outside_the_nucleus_and_barred_words_are_never_drawn() {
        let words = write(1.0, 0.7, 3);
        assert!(words.iter().all(|word| [2, 3].contains(word)), "{words:?}");
        assert!(words.contains(&3));
    }
}
