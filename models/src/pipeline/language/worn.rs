//! Phrases that a model says in every other story: "casting a warm glow", "eyes shining with".
//!
//! A small model that was taught to please says them wherever it can. The bundle lists them; `choosing` prefers sentences without.

use super::kinds_of_words::words;
use std::collections::HashSet;

/// The phrases, by their words.
#[derive(Debug, Default)]
pub(super) struct Worn {
    phrases: HashSet<Vec<String>>,
    longest: usize,
}

impl Worn {
    /// Those of a list, one a line.
    pub(super) fn new(list: &str) -> Self {
        let phrases = list.lines().map(words).filter(|words| !words.is_empty());
        let phrases: HashSet<Vec<String>> = phrases.collect();
        let longest = phrases.iter().map(Vec::len).max().unwrap_or_default();
        Self { phrases, longest }
    }

    /// How many of them stand in these words, in lower case.
    pub(super) fn count_in(&self, words: &[String]) -> usize {
        let begins = 0..words.len();
        let of_length = |length: usize| words.windows(length);
        let lengths = 1..=self.longest.min(begins.len());
        let runs = lengths.flat_map(of_length);
        runs.filter(|&run| self.phrases.contains(run)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Worn, words};

    #[test]
    fn phrases_are_found_wherever_they_stand() {
        let worn = Worn::new("a warm glow\ntapestry\n\ncouldn’t help but\n");
        let count = |text: &str| worn.count_in(&words(text));
        assert_eq!(count("The lamp cast a warm glow on the tapestry."), 2);
        assert_eq!(count("She couldn't help but smile."), 1);
        assert_eq!(count("It was warm, a glow of coals"), 0);
        assert_eq!(count(""), 0);
        assert_eq!(Worn::default().count_in(&words("a warm glow")), 0);
    }
}
