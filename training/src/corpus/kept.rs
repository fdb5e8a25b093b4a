//! Cuts books with an eye on what is left out: licence texts, headings, paragraphs that stood there before.
//!
//! `storyteller train corpus` reports what it finds here, so that a corpus can be judged before hours are spent on it.

use std::collections::HashSet;

use serde::Serialize;

use models::Vocabulary;
use models::text::book::{Book, is_prose, paragraphs, plain_marks, sentences, without_licence};
use models::text::vocabulary::UNK;

/// A shorter paragraph may well be said twice: «Yes, sir.»
const REPEATABLE_WORDS: usize = 8;

/// What was kept of one text, and what was not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Kept {
    /// The book's name.
    pub name: String,
    /// Characters of the file.
    pub characters: usize,
    /// Characters before and after the book itself, such as Project Gutenberg's licence; left out.
    pub licence_characters: usize,
    /// Paragraphs that were kept.
    pub paragraphs: usize,
    /// Headings, tables and the like; left out.
    pub headings: usize,
    /// Paragraphs that stood in this or an earlier book already; left out.
    pub repeated: usize,
    /// Sentences that were kept.
    pub sentences: usize,
    /// Words (and marks) that were kept.
    pub words: usize,
    /// Passages of 100 to 160 words that can be cut from it.
    pub passages: usize,
    /// The share of its words that a word list has, in per cent, if there is a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered: Option<f64>,
}

impl Kept {
    /// Adds the figures of another text; the covered shares are weighted by words.
    pub fn add(&mut self, other: &Kept) {
        let share = |kept: &Kept| kept.covered.map(|covered| covered * kept.words as f64);
        let both = share(self).unwrap_or(0.0) + share(other).unwrap_or(0.0);
        self.characters += other.characters;
        self.licence_characters += other.licence_characters;
        self.paragraphs += other.paragraphs;
        self.headings += other.headings;
        self.repeated += other.repeated;
        self.sentences += other.sentences;
        self.words += other.words;
        self.passages += other.passages;
        let any = self.covered.or(other.covered);
        self.covered = any.map(|_| both / self.words.max(1) as f64);
    }

    /// Counts what a book that is cut already holds.
    pub fn of(book: &Book, list: Option<&Vocabulary>) -> Kept {
        let words = || book.sentences().flat_map(|sentence| sentence.split(' '));
        let count = words().count();
        Kept {
            name: book.name.clone(),
            paragraphs: book.paragraphs.len(),
            sentences: book.sentences().count(),
            words: count,
            passages: book.passages(100, 160).len(),
            covered: list.map(|list| {
                let known = words().filter(|word| list.id(word, list.len() as i64) != UNK);
                100.0 * known.count() as f64 / count.max(1) as f64
            }),
            ..Kept::default()
        }
    }
}

/// Cuts one text after another and remembers their paragraphs.
#[derive(Debug, Default)]
pub struct Cutter {
    seen: HashSet<String>,
}

impl Cutter {
    /// Cuts a plain text; `list` measures how many of its words are known.
    pub fn cut(&mut self, name: &str, text: &str, list: Option<&Vocabulary>) -> (Book, Kept) {
        let own = without_licence(text);
        let (mut headings, mut repeated) = (0, 0);
        let mut kept = Vec::new();
        for paragraph in paragraphs(own) {
            let paragraph = plain_marks(&paragraph);
            let long = paragraph.split_whitespace().count() >= REPEATABLE_WORDS;
            if !is_prose(&paragraph) {
                headings += 1;
            } else if long && !self.seen.insert(paragraph.clone()) {
                repeated += 1;
            } else {
                kept.push(sentences(&paragraph));
            }
        }
        kept.retain(|sentences| !sentences.is_empty());
        let book = Book {
            name: name.to_owned(),
            paragraphs: kept,
        };
        let characters = text.chars().count();
        let kept = Kept {
            characters,
            licence_characters: characters - own.chars().count(),
            headings,
            repeated,
            ..Kept::of(&book, list)
        };
        (book, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "About this file.\n*** START OF THE PROJECT GUTENBERG EBOOK A TALE ***\n\nCHAPTER I\n\n\
        The old man walked slowly down to the harbour. He was tired.\n\n\
        \"Yes, sir.\"\n\n\
        The old man walked slowly down to the harbour. He was tired.\n\n\
        \"Yes, sir.\"\n\n*** END OF THE PROJECT GUTENBERG EBOOK A TALE ***\nLicence.\n";

    #[test]
    fn what_is_left_out_is_counted() {
        let mut cutter = Cutter::default();
        let (book, kept) = cutter.cut("tale", TEXT, None);
        assert_eq!((kept.headings, kept.repeated, kept.paragraphs), (1, 1, 3));
        assert_eq!(kept.sentences, book.sentences().count());
        assert!(kept.licence_characters > 80 && kept.licence_characters < kept.characters);
        assert_eq!(kept.covered, None);
        let (_, again) = cutter.cut("copy", TEXT, None);
        assert_eq!(
            (again.repeated, again.paragraphs),
            (2, 2),
            "other books count too"
        );
    }

    #[test]
    fn coverage_is_weighted_by_words_in_the_sum() {
        let list = Vocabulary::from_words(["The", "old", "man", "."].map(str::to_owned).to_vec());
        let share = |words: usize, covered: f64| Kept {
            words,
            covered: Some(covered),
            ..Kept::default()
        };
        let mut sum = share(100, 50.0);
        sum.add(&share(300, 90.0));
        assert_eq!(sum.covered, Some(80.0));
        let book = Book::from_text("t", "The old man slept. The old man.");
        let covered = Kept::of(&book, Some(&list)).covered;
        assert!(covered.is_some_and(|covered| covered > 80.0), "{covered:?}");
    }
}
