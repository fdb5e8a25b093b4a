//! Words and their numbers, as all networks of the original count them.
//!
//! 0 is the end of a text, 1 an unknown word; real words start at 2, by falling frequency. A file
//! holds one word a line: line i (from 0) is word i + 2. A network may know fewer words than the
//! file lists: every look-up says how many it knows (algorithm.md §1.4, §3.2).

use crate::durable;
use crate::error::{Error, Result};
use crate::text::encoding;
use std::collections::HashMap;
use std::path::Path;

/// Ends a text (and pads a batch).
pub const EOS: i64 = 0;
/// Any word that is not in the vocabulary.
pub const UNK: i64 = 1;
/// Stands for "no word yet": the first input of every story.
pub const START: i64 = -1;
const FIRST_WORD: i64 = 2;

/// The two-way table of words and ids.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    words: Vec<String>,
    ids: HashMap<String, i64>,
}

impl Vocabulary {
    /// Numbers the words in their order, from 2 on. Of a word given twice the last number wins.
    pub fn from_words(words: Vec<String>) -> Self {
        let ids = words
            .iter()
            .zip(FIRST_WORD..)
            .map(|(w, id)| (w.clone(), id))
            .collect();
        Self { words, ids }
    }

    /// Reads a file of one word a line.
    ///
    /// # Errors
    /// When the file cannot be read or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::file("read", path, e))?;
        Ok(Self::from_words(
            encoding::without_mark(&text)
                .lines()
                .map(str::to_owned)
                .collect(),
        ))
    }

    /// Writes the file that [`Vocabulary::read`] reads.
    ///
    /// # Errors
    /// When a word holds a line break, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(word) = self.words.iter().find(|word| word.contains(['\n', '\r'])) {
            return Err(Error::format(
                format!("word {word:?}"),
                "a word cannot hold a line break",
            ));
        }
        let text: String = self
            .words
            .iter()
            .flat_map(|word| [word.as_str(), "\n"])
            .collect();
        durable::write(path, text)
    }

    /// The id of a word for a network that knows ids below `n_words`; 1 for all others.
    pub fn id(&self, word: &str, n_words: i64) -> i64 {
        self.ids
            .get(word)
            .copied()
            .filter(|&id| id < n_words)
            .unwrap_or(UNK)
    }

    /// The word with this id; `<eos>` and `UNK` for 0, 1 and ids without a word.
    pub fn word(&self, id: i64) -> &str {
        if id == EOS {
            return "<eos>";
        }
        let index = usize::try_from(id - FIRST_WORD).ok();
        index
            .and_then(|i| self.words.get(i))
            .map_or("UNK", String::as_str)
    }

    /// How many ids there are, the two special ones included.
    pub fn len(&self) -> usize {
        self.words.len() + FIRST_WORD as usize
    }

    /// Whether there are no words beside the two special ones.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words, in the order of their ids.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn three() -> Vocabulary {
        Vocabulary::from_words(["the", "dog", "runs"].map(str::to_owned).to_vec())
    }

    #[test]
    fn words_are_numbered_from_two_and_the_rest_is_unknown() {
        let vocabulary = three();
        assert_eq!(vocabulary.id("the", 5), 2);
        assert_eq!(vocabulary.id("runs", 5), 4);
        assert_eq!(vocabulary.id("cat", 5), UNK);
        assert_eq!(vocabulary.len(), 5);
        assert_eq!(vocabulary.word(3), "dog");
        assert_eq!(
            [vocabulary.word(0), vocabulary.word(1), vocabulary.word(99)],
            ["<eos>", "UNK", "UNK"]
        );
    }

    #[test]
    fn a_word_beyond_what_the_network_knows_is_unknown() {
        assert_eq!(three().id("runs", 4), UNK);
        assert_eq!(three().id("dog", 4), 3);
    }

    #[test]
    fn a_vocabulary_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("three.words.txt");
        three().write(&path).unwrap();
        let back = Vocabulary::read(&path).unwrap();
        assert_eq!(back.words(), three().words());
        let broken = Vocabulary::from_words(vec!["a\nb".to_owned()]);
        assert!(broken.write(&path).is_err());
    }
}
