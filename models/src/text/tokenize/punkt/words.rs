//! The words inside a sentence candidate, cut as Punkt wants them: periods stay on their word.
//!
//! Called by `punkt` for a few words at a time. These are not the tokens of the encoders.

use crate::text::tokenize::is_space;

/// Punctuation that ends a word wherever it stands.
pub(super) fn ends_word(character: char) -> bool {
    "?!)\";}]*:@'({[".contains(character)
}

/// Cuts a context into words, line by line.
pub(super) fn split(context: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in context.split('\n') {
        let mut rest = line.trim_start_matches(is_space);
        while !rest.is_empty() {
            let (word, after) = rest.split_at(first_word(rest));
            found.push(word);
            rest = after.trim_start_matches(is_space);
        }
    }
    found
}

/// A number with its signs, points and commas, such as `-3,000.5`.
pub(super) fn is_number(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    let word = word.strip_prefix(['.', ',']).unwrap_or(word);
    word.starts_with(|c: char| c.is_ascii_digit())
        && word
            .chars()
            .all(|c| c.is_ascii_digit() || ",.-".contains(c))
}

/// Length in bytes of the word at the start of `text`, which starts with no space.
fn first_word(text: &str) -> usize {
    if let Some(length) = run_of_marks(text) {
        return length;
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    if text.starts_with(cannot_start_word) {
        return first;
    }
    let mut end = first;
    while let Some(next) = text[end..].chars().next() {
        let after = &text[end..];
        if ends_here(after) || after.strip_prefix(',').is_some_and(ends_here) {
            break;
        }
        end += next.len_utf8();
    }
    end
}

fn ends_here(after: &str) -> bool {
    after.is_empty()
        || after.starts_with(is_space)
        || after.starts_with(ends_word)
        || run_of_marks(after).is_some()
}

fn cannot_start_word(character: char) -> bool {
    "(\"`{[:;&#*@)}]-,".contains(character)
}

/// Length of a run of two or more dashes or periods, or of three or more periods set apart.
fn run_of_marks(text: &str) -> Option<usize> {
    for mark in ['-', '.'] {
        let length = text.len() - text.trim_start_matches(mark).len();
        if length >= 2 {
            return Some(length);
        }
    }
    let mut periods = 0;
    let mut length = 0;
    let mut rest = text;
    while let Some(after) = rest.strip_prefix('.') {
        periods += 1;
        length = text.len() - after.len();
        match after.chars().next() {
            Some(space) if is_space(space) => rest = &after[space.len_utf8()..],
            _ => break,
        }
    }
    (periods >= 3).then_some(length)
}
