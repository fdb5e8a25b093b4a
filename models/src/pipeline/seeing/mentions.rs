//! Which of the detector's classes a caption names.
//!
//! A list of phrases leads to classes: the longest phrase first, from left to right, none overlapping. Phrases of classes
//! that the detector does not know are in the list, too: a hot dog is no dog, so they must swallow their words.

use crate::error::{Error, Result};
use std::collections::HashMap;

/// Classes before this number are ImageNet's and only swallow; the detector's begin here.
const FIRST: usize = 1000;

/// The phrases and their classes.
#[derive(Debug)]
pub struct Mentions {
    phrases: HashMap<String, Vec<usize>>,
    longest: usize,
}

impl Mentions {
    /// Reads lines «phrase TAB class, class, …»; `label` is the file's name for messages.
    ///
    /// # Errors
    /// When a line has no classes or one that is no number.
    pub fn parse(label: &str, text: &str) -> Result<Self> {
        let mut phrases = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let classes = line.split_once('\t').and_then(|(phrase, classes)| {
                let classes: Option<Vec<usize>> =
                    classes.split(',').map(|class| class.parse().ok()).collect();
                Some((phrase.to_owned(), classes?))
            });
            let Some((phrase, classes)) = classes else {
                let reason = format!("line {} is not «phrase TAB class, class, …»", number + 1);
                return Err(Error::format(label, reason));
            };
            phrases.insert(phrase, classes);
        }
        let longest = phrases.keys().map(|phrase| phrase.split(' ').count()).max();
        Ok(Self {
            longest: longest.unwrap_or(0),
            phrases,
        })
    }

    /// The detector's classes that `caption` names, counted from 0, each once, in order.
    pub fn of(&self, caption: &str) -> Vec<usize> {
        let all = self.every(caption).into_iter();
        all.filter_map(|class| class.checked_sub(FIRST)).collect()
    }

    /// All classes that `caption` names, the detector's counted on after ImageNet's, each once, in order.
    pub fn every(&self, caption: &str) -> Vec<usize> {
        let words = words(caption);
        let mut found = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let longest = self.longest.min(words.len() - at);
            let phrase = (1..=longest).rev().find_map(|length| {
                let classes = self.phrases.get(&words[at..at + length].join(" "))?;
                Some((length, classes))
            });
            if let Some((_, classes)) = phrase {
                found.extend(classes);
            }
            at += phrase.map_or(1, |(length, _)| length);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Runs of letters, hyphens and apostrophes, in lower case.
fn words(caption: &str) -> Vec<String> {
    let caption = caption.to_lowercase();
    let parts = caption.split(|c: char| !(c.is_ascii_lowercase() || c == '-' || c == '\''));
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_phrase_wins_and_swallows_its_words() {
        let list = "dog\t1016\nhot dog\t934,1052\nmouse\t673,1064\n";
        let mentions = Mentions::parse("list", list).unwrap();
        assert_eq!(mentions.of("A hot dog stand, and a DOG; a dog."), [16, 52]);
        assert!(mentions.of("A hotdog.").is_empty());
    }

    #[test]
    fn a_line_that_is_no_entry_is_refused_by_its_number() {
        let text = Mentions::parse("list", "dog\t1016\ncat")
            .unwrap_err()
            .to_string();
        assert!(text.contains("line 2"), "{text}");
    }
}
