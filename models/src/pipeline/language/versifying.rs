//! What makes lines a verse: their length, an end that rhymes, stanzas that are whole.
//! `choosing` asks for each line that might come next; which ends rhyme is `text::rhyme`'s to say.

use super::kinds_of_words::words as words_of;
use crate::pipeline::verse::STANZA;
use crate::text::rhyme::{rhyme, syllables};

/// A line whose end rhymes with one of the two before it in its stanza.
const RHYME: f64 = 1.5;
/// A line that ends with the word of another one of its stanza.
const SAME_END: f64 = -0.8;
/// A line of fewer or more words, and each word beyond.
const WORDS: (usize, usize) = (4, 9);
const EACH_BEYOND: f64 = -0.2;
/// Each syllable more or fewer than in the line before.
const UNEVEN: f64 = -0.05;
/// Words that the lines of a whole stanza may need.
const ROOM_OF_A_STANZA: usize = 32;
/// How well a line of these words stands after the lines of a song.
pub(super) fn of_a_line(words: &[String], lines: &[String]) -> f64 {
    let stanza = &lines[lines.len() - lines.len() % STANZA..];
    let ends: Vec<String> = stanza
        .iter()
        .filter_map(|line| words_of(line).pop())
        .collect();
    let end = words.last().map(String::as_str).unwrap_or_default();
    let rhymes = ends.iter().rev().take(2).any(|before| rhyme(before, end));
    let same = ends.iter().any(|before| before == end);
    let beyond = WORDS.0.saturating_sub(words.len()) + words.len().saturating_sub(WORDS.1);
    let uneven = stanza.last().map_or(0, |before| {
        let before: usize = before.split_whitespace().map(syllables).sum();
        let own: usize = words.iter().map(|word| syllables(word)).sum();
        own.abs_diff(before)
    });
    let heard = if same {
        SAME_END
    } else if rhymes {
        RHYME
    } else {
        0.0
    };
    heard + EACH_BEYOND * beyond as f64 + UNEVEN * uneven as f64
}

/// Whether so many lines end with a stanza.
pub(super) fn ends_stanza(lines: usize) -> bool {
    lines > 0 && lines.is_multiple_of(STANZA)
}

/// Whether another line may be begun with so many words left.
pub(super) fn has_room(lines: usize, words_left: usize) -> bool {
    let needed = if lines.is_multiple_of(STANZA) {
        ROOM_OF_A_STANZA
    } else {
        WORDS.0
    };
    words_left >= needed || lines == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_better_with_a_rhyme_and_worse_with_the_same_word_or_many() {
        let lines = ["The moon is bright tonight,".to_owned()];
        let score = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            of_a_line(&words, &lines)
        };
        let plain = score("and all the world is old");
        assert!(score("and all the world is white") > plain);
        assert!(score("and all the world tonight") < plain);
        assert!(score("and all of all of all the world is very very old") < plain);
    }

    #[test]
    fn only_lines_of_the_same_stanza_rhyme() {
        let stanza: Vec<String> = ["one light", "two", "three", "four night"]
            .map(str::to_owned)
            .to_vec();
        let words: Vec<String> = ["so", "very", "very", "white"].map(str::to_owned).to_vec();
        assert_eq!(of_a_line(&words, &stanza), 0.0);
        assert!(ends_stanza(4) && !ends_stanza(5) && !ends_stanza(0));
        assert!(!has_room(4, 20) && has_room(5, 20) && has_room(0, 3));
    }
}
