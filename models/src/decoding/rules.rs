//! What the next word of a story may not be, and how long a story gets.
//!
//! Beam search and sampling share these rules. `Rules::original` is what the 2015 code does
//! (algorithm.md §5.2): only the unknown word is barred. Barring repeats keeps a story from running
//! in circles, weariness from clinging to a few words, the least length from ending at once; all three
//! are ours.

use crate::decoding::hints::Hints;
use crate::text::vocabulary::{EOS, UNK};

/// The rules of one story; lengths are in words as the decoder counts them, marks included.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The most words, the end mark included.
    pub max_len: usize,
    /// The end mark may not come before this many words.
    pub min_len: usize,
    /// Whether the unknown word may be written.
    pub allow_unknown: bool,
    /// No run of this many words may come twice; 0 switches the rule off.
    pub no_repeat: usize,
    /// What each use of a word among the last [`MEMORY`] ones adds to its cost; 0 for nothing.
    pub weariness: f32,
    /// Words that are cheaper until they are used.
    pub hints: Hints,
}

/// How far back [`Rules::weariness`] looks.
pub const MEMORY: usize = 30;

impl Rules {
    /// The rules of the original, for at most `max_len` words.
    pub fn original(max_len: usize) -> Self {
        Self {
            max_len,
            min_len: 0,
            allow_unknown: false,
            no_repeat: 0,
            weariness: 0.0,
            hints: Hints::default(),
        }
    }

    /// The words that may not follow `words`; the unknown word is left to the caller, because the
    /// original does not strike it out but makes it very dear.
    pub(crate) fn barred(&self, words: &[i64]) -> Vec<i64> {
        let mut barred = repeats(words, self.no_repeat);
        if words.len() < self.min_len {
            barred.push(EOS);
        }
        barred
    }

    /// What `word` costs more because of the `words` before it.
    pub(crate) fn wear(&self, words: &[i64], word: i64) -> f32 {
        if word == EOS {
            return 0.0;
        }
        let mut wear = 0.0;
        if self.weariness > 0.0 {
            let recent = &words[words.len().saturating_sub(MEMORY)..];
            wear = self.weariness * recent.iter().filter(|&&used| used == word).count() as f32;
        }
        match self.hints.worth(word) {
            worth if worth > 0.0 && words.contains(&word) => wear + worth,
            _ => wear,
        }
    }

    /// Whether this is the unknown word and may not be written.
    pub(crate) fn is_barred_unknown(&self, word: i64) -> bool {
        word == UNK && !self.allow_unknown
    }
}

/// The words that would complete a run of `length` words that `words` already holds.
fn repeats(words: &[i64], length: usize) -> Vec<i64> {
    if length == 0 || words.len() < length {
        return Vec::new();
    }
    let tail = &words[words.len() + 1 - length..];
    let runs = words
        .windows(length)
        .filter(|run| run[..length - 1] == *tail);
    runs.map(|run| run[length - 1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_would_repeat_a_run_is_barred() {
        let rules = Rules {
            no_repeat: 3,
            ..Rules::original(9)
        };
        assert_eq!(rules.barred(&[5, 6, 7, 5, 6]), [7]);
        assert!(rules.barred(&[5, 6, 7, 6, 5]).is_empty());
        assert_eq!(rules.barred(&[5, 5, 5]), [5]);
        assert!(Rules::original(9).barred(&[5, 5, 5, 5]).is_empty());
    }

    #[test]
    fn a_word_grows_dearer_with_each_use() {
        let rules = Rules {
            weariness: 0.5,
            ..Rules::original(9)
        };
        assert_eq!(
            [rules.wear(&[5, 6, 5], 5), rules.wear(&[5, 6, 5], 7)],
            [1.0, 0.0]
        );
        assert_eq!(rules.wear(&[5; 99], 5), 0.5 * MEMORY as f32);
        assert_eq!(rules.wear(&[0, 0], EOS), 0.0);
    }

    #[test]
    fn a_story_may_not_end_too_early() {
        let rules = Rules {
            min_len: 2,
            ..Rules::original(9)
        };
        assert_eq!(rules.barred(&[5]), [EOS]);
        assert!(rules.barred(&[5, 6]).is_empty());
    }
}
