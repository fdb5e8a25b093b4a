//! Which words a style's stories lean towards: those that its books use more often than all styles do in common.
//!
//! What b is to a thought, this is to single words: v_s - v, with v_s the logarithms of a style's frequencies and v their mean
//! over the bundle's styles. A style that was added before the bundle counted words has none, and leans nowhere. Leaving the words
//! that captions say more often than books to the picture was tried: styles were heard less, and pictures found no more often.

use crate::error::Result;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// A word is leaned from and towards by so much at most, nats: rare ones would be said all the time.
const BOUNDS: (f64, f64) = (-1.0, 1.5);

/// The logarithms of word frequencies (W) by style, on the processor.
#[derive(Debug)]
pub(super) struct StyleUsage {
    words: i64,
    named: BTreeMap<String, Tensor>,
    /// No part of what the bundle's styles have in common.
    added: BTreeMap<String, Tensor>,
}

impl Clone for StyleUsage {
    fn clone(&self) -> Self {
        let all = |of: &BTreeMap<String, Tensor>| {
            let pairs = of.iter();
            pairs.map(|(n, t)| (n.clone(), t.shallow_clone())).collect()
        };
        Self {
            words: self.words,
            named: all(&self.named),
            added: all(&self.added),
        }
    }
}

impl StyleUsage {
    /// Of so many words, and no style yet.
    pub(super) fn of(words: i64) -> Self {
        Self {
            words,
            named: BTreeMap::new(),
            added: BTreeMap::new(),
        }
    }

    /// How many words are counted.
    pub(super) fn words(&self) -> i64 {
        self.words
    }

    /// Of one of the bundle's styles (W).
    pub(super) fn know(&mut self, style: &str, usage: &Tensor) {
        let usage = usage.to_device(Device::Cpu).to_kind(Kind::Float);
        self.named.insert(style.to_owned(), usage);
    }

    /// Of a style that was added: (W), or (0) where it is not known.
    pub(super) fn add(&mut self, style: &str, usage: &Tensor) {
        self.added.remove(style);
        if usage.size() == [self.words] {
            let usage = usage.to_device(Device::Cpu).to_kind(Kind::Float);
            self.added.insert(style.to_owned(), usage);
        }
    }

    /// How much more a mix uses each word than the bundle's styles do in common (W), times the strength: differences of
    /// logarithms, within bounds. Empty where words are not counted, or the mix leans nowhere.
    ///
    /// # Errors
    /// When the numbers cannot be read.
    pub(super) fn leaning(&self, parts: &[(String, f32)], strength: f32) -> Result<Vec<f32>> {
        let known: Vec<&Tensor> = self.named.values().collect();
        let of = |style: &String| self.named.get(style).or_else(|| self.added.get(style));
        let parts = parts
            .iter()
            .filter_map(|(style, weight)| Some((of(style)?, weight)));
        let parts: Vec<(&Tensor, &f32)> = parts.collect();
        if self.words == 0 || known.is_empty() || parts.is_empty() || strength == 0.0 {
            return Ok(Vec::new());
        }
        let common = Tensor::stack(&known, 0).mean_dim(0i64, false, Kind::Float);
        let mut leaning = common.zeros_like();
        for (usage, weight) in parts {
            let apart = (usage - &common).clamp(BOUNDS.0, BOUNDS.1);
            leaning += apart * f64::from(weight * strength);
        }
        Ok(Vec::try_from(leaning)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn usage() -> StyleUsage {
        let mut usage = StyleUsage::of(2);
        usage.know("romance", &Tensor::from_slice(&[-6f32, -4.0]));
        usage.know("sea", &Tensor::from_slice(&[-4f32, -4.5]));
        usage
    }

    fn leaning(usage: &StyleUsage, parts: &[(&str, f32)], strength: f32) -> Vec<f32> {
        let parts: Vec<(String, f32)> = parts.iter().map(|&(n, w)| (n.to_owned(), w)).collect();
        usage.leaning(&parts, strength).unwrap()
    }

    #[test]
    fn a_story_leans_towards_what_its_style_says_more_often_than_all() {
        // in common (-5, -4.25)
        assert_eq!(leaning(&usage(), &[("sea", 1.0)], 1.0), [1.0, -0.25]);
        assert_eq!(leaning(&usage(), &[("sea", 1.0)], 2.0), [2.0, -0.5]);
        assert_eq!(
            leaning(&usage(), &[("sea", 0.5), ("romance", 0.5)], 1.0),
            [0.0, 0.0]
        );
    }

    #[test]
    fn without_style_strength_or_words_it_leans_nowhere() {
        assert!(leaning(&usage(), &[], 1.0).is_empty());
        assert!(leaning(&usage(), &[("sea", 1.0)], 0.0).is_empty());
        assert!(leaning(&StyleUsage::of(0), &[("sea", 1.0)], 1.0).is_empty());
    }

    #[test]
    fn an_added_style_leans_within_bounds_and_changes_nothing_for_the_others() {
        let mut usage = usage();
        usage.add("mine", &Tensor::from_slice(&[0f32, -9.0]));
        assert_eq!(leaning(&usage, &[("mine", 1.0)], 1.0), [1.5, -1.0]);
        assert_eq!(leaning(&usage, &[("sea", 1.0)], 1.0), [1.0, -0.25]);
        usage.add("mine", &Tensor::zeros([0], (Kind::Float, Device::Cpu)));
        assert!(leaning(&usage, &[("mine", 1.0)], 1.0).is_empty());
    }
}
