//! How often prose uses its common words: what a style is heard by, whatever it speaks of.
//!
//! A bundle has a list of words; a style has the logarithm of each one's frequency in its books. The difference from what all
//! styles have in common says which words a story of the style leans towards, as b says where its thought goes. Words are
//! counted in small letters only: what begins with a capital inside a sentence is a name, and a name speaks for a book.

use crate::error::{Error, Result};
use crate::text::book::Book;
use std::collections::HashMap;

/// Added to each frequency: a word that is used less often than twenty times in a million tells no styles apart.
const LEAST: f64 = 2e-5;
/// Books with fewer words are counted together, since a rare word is either in a short text or not.
const LEAST_WORDS: usize = 5_000;

/// The words that are counted.
#[derive(Clone, Debug)]
pub struct Usage {
    words: Vec<String>,
    places: HashMap<String, usize>,
}

impl Usage {
    /// These words, each in small letters.
    pub fn new(words: Vec<String>) -> Self {
        let numbered = words.iter().cloned().enumerate();
        Self {
            places: numbered.map(|(place, word)| (word, place)).collect(),
            words,
        }
    }

    /// A list with a word a line; `label` says which.
    ///
    /// # Errors
    /// When it is empty, or a word stands there twice.
    pub fn parse(label: &str, text: &str) -> Result<Self> {
        let usage = Self::new(text.lines().map(str::to_owned).collect());
        if usage.words.is_empty() || usage.places.len() < usage.words.len() {
            let reason = "it is no list of different words, one a line: make it by `storyteller train usage`";
            return Err(Error::format(label, reason));
        }
        Ok(usage)
    }

    /// The words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The logarithm of each word's frequency (W) in books, in all of which it counts the same: the square of the mean root, so
    /// that a word of one book alone weighs little.
    pub fn of(&self, books: &[Book]) -> Vec<f32> {
        let texts: Vec<Counted> = books.iter().map(|book| self.count(book)).collect();
        let (long, short): (Vec<&Counted>, Vec<&Counted>) =
            texts.iter().partition(|text| text.words >= LEAST_WORDS);
        let rest = Counted::together(self.words.len(), &short);
        let all: Vec<&Counted> = long
            .into_iter()
            .chain((rest.words > 0).then_some(&rest))
            .collect();
        let frequency = |place: usize| {
            let roots = all.iter().map(|text| text.frequency(place).sqrt());
            (roots.sum::<f64>() / all.len().max(1) as f64).powi(2)
        };
        (0..self.words.len())
            .map(|place| (frequency(place) + LEAST).ln() as f32)
            .collect()
    }

    fn count(&self, book: &Book) -> Counted {
        let mut counted = Counted::together(self.words.len(), &[]);
        let tokens = book.sentences().flat_map(|sentence| sentence.split(' '));
        for token in tokens.filter(|token| token.starts_with(char::is_alphabetic)) {
            counted.words += 1;
            if let Some(&place) = self.places.get(token) {
                counted.uses[place] += 1;
            }
        }
        counted
    }
}

/// How often a text uses each word.
struct Counted {
    words: usize,
    uses: Vec<usize>,
}

impl Counted {
    fn together(words: usize, texts: &[&Counted]) -> Self {
        let uses = |place: usize| texts.iter().map(|text| text.uses[place]).sum();
        Self {
            words: texts.iter().map(|text| text.words).sum(),
            uses: (0..words).map(uses).collect(),
        }
    }

    fn frequency(&self, place: usize) -> f64 {
        self.uses[place] as f64 / self.words.max(1) as f64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn usage() -> Usage {
        Usage::parse("usage.txt", "sea\nlady\n").unwrap()
    }

    fn book(words: &[(&str, usize)]) -> Book {
        let sentence = words
            .iter()
            .flat_map(|&(word, times)| std::iter::repeat_n(word, times))
            .collect::<Vec<_>>()
            .join(" ");
        Book {
            name: "book".to_owned(),
            paragraphs: vec![vec![sentence]],
        }
    }

    #[test]
    fn a_frequency_is_that_of_all_words_and_names_and_marks_are_none_of_the_list() {
        let found = usage().of(&[book(&[
            ("the", 8_000),
            ("sea", 2_000),
            ("Sea", 0),
            (",", 500),
        ])]);
        assert!((found[0] - 0.2f32.ln()).abs() < 1e-3, "{found:?}");
        assert!((found[1] - (LEAST as f32).ln()).abs() < 1e-3, "{found:?}");
        let named = usage().of(&[book(&[("the", 8_000), ("Sea", 2_000)])]);
        assert!((named[0] - (LEAST as f32).ln()).abs() < 1e-3, "{named:?}");
    }

    #[test]
    fn a_word_of_one_book_weighs_less_than_a_word_of_all() {
        let one = book(&[("the", 9_000), ("sea", 1_000)]);
        let other = book(&[("the", 10_000)]);
        let both = usage().of(&[one.clone(), one.clone()])[0].exp();
        let alone = usage().of(&[one, other])[0].exp();
        assert!(
            (both - 0.1).abs() < 1e-3 && (alone - 0.025).abs() < 1e-3,
            "{both} {alone}"
        );
    }

    #[test]
    fn short_texts_are_counted_as_one() {
        let short = |sea: usize| book(&[("the", 100 - sea), ("sea", sea)]);
        let found = usage().of(&[short(0), short(10)])[0].exp();
        assert!((found - 0.05).abs() < 1e-3, "{found}");
        assert!(usage().of(&[])[0].is_finite());
    }

    #[test]
    fn a_list_with_a_word_twice_is_refused() {
        for text in ["", "sea\nsea\n"] {
            let error = Usage::parse("usage.txt", text).unwrap_err().to_string();
            assert!(
                error.contains("usage.txt") && error.contains("train usage"),
                "{error}"
            );
        }
    }
}
