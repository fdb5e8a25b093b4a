//! Which row of the word tables belongs to a word: a million words in a few megabytes.
//!
//! The text of the word list is kept as it is, with the place of each line and a table of line numbers by hash; a map of
//! strings would take six times the room. What must stay true: of a word given twice the last row counts, and words are
//! compared without white space around them, as the original does (algorithm.md §1.5).

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Marks a free slot.
const FREE: u32 = u32::MAX;

/// The words of the rows, by row and by word.
#[derive(Debug)]
pub struct WordRows {
    text: String,
    /// where each line begins, and where the last one ends
    lines: Vec<u32>,
    /// line numbers at the place that the hash of the word says, or behind it
    slots: Vec<u32>,
}

impl WordRows {
    /// One word a line: line i is the word of row i.
    ///
    /// # Panics
    /// When the text has 4 GiB or more: no list of words has.
    pub fn from_text(mut text: String) -> Self {
        text.shrink_to_fit();
        assert!(text.len() < FREE as usize, "a word list of 4 GiB");
        let mut lines = vec![0];
        let mut end = 0;
        for line in text.split_inclusive('\n') {
            end += line.len() as u32;
            lines.push(end);
        }
        let slots = vec![FREE; (lines.len() * 3 / 2).next_power_of_two().max(2)];
        let mut words = Self { text, lines, slots };
        for row in 0..words.len() as u32 {
            let slot = words.slot(words.word(row));
            words.slots[slot] = row;
        }
        words
    }

    /// The words of rows 0, 1, … A line break in a word counts as the white space it is.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Self {
        let line = |word: &S| format!("{}\n", word.as_ref().trim().replace('\n', " "));
        Self::from_text(words.iter().map(line).collect())
    }

    /// The row of a word.
    pub fn row(&self, word: &str) -> Option<i64> {
        let row = self.slots[self.slot(word)];
        (row != FREE).then_some(i64::from(row))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.lines.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn word(&self, row: u32) -> &str {
        let [start, end] = [row, row + 1].map(|line| self.lines[line as usize] as usize);
        self.text[start..end].trim()
    }

    /// The slot that holds the word, or the free one where it would be.
    fn slot(&self, word: &str) -> usize {
        let mask = self.slots.len() - 1;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(word);
        let mut slot = hash as usize & mask;
        // at most two thirds are taken, so there is a free one
        while self.slots[slot] != FREE && self.word(self.slots[slot]) != word {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_words_counts_and_spaces_do_not() {
        let words = WordRows::from_text("the\n dog \r\n\u{a0}\nthe\nUNK".to_owned());
        assert_eq!(words.len(), 5);
        assert_eq!(words.row("the"), Some(3));
        assert_eq!(words.row("dog"), Some(1));
        assert_eq!(words.row(""), Some(2));
        assert_eq!(words.row("UNK"), Some(4));
        assert_eq!(words.row("cat"), None);
    }

    #[test]
    fn every_word_of_a_long_list_is_found() {
        let list: Vec<String> = (0..20_000).map(|n| format!("word{n}")).collect();
        let words = WordRows::from_words(&list);
        assert!(
            (0i64..)
                .zip(&list)
                .all(|(row, word)| words.row(word) == Some(row))
        );
        assert_eq!(words.row("word20000"), None);
        assert_eq!(WordRows::from_text(String::new()).row("a"), None);
    }
}
