//! From the words of a hypothesis to the text of a story.
//!
//! A strict story is the original's text to the letter: tokens joined by spaces, the last one
//! dropped, lyrics split at commas (algorithm.md §5.4, §6). Any other story is written for people:
//! it has no more words than asked for, ends at the end of a sentence, and is set as prose or verse.

use crate::pipeline::options::Form;
use crate::text::detokenize;

const ENDS: [&str; 4] = [".", "!", "?", "..."];
const CLOSERS: [&str; 6] = ["''", "'", "\"", ")", "]", "”"];

/// The original's text.
pub fn strict(tokens: &[&str], form: Form) -> String {
    let passage = tokens.join(" ");
    match form {
        Form::Prose => passage,
        Form::Lyrics => {
            let lines = passage
                .split(',')
                .map(|line| line.strip_prefix(' ').unwrap_or(line));
            lines
                .filter(|line| !line.trim().is_empty())
                .collect::<Vec<_>>()
                .join("\n")
        }
    }
}

/// A text for people. Unless the tokens end a sentence they are cut after the last one that does; a
/// single unfinished sentence is kept and closed.
pub fn for_people(tokens: &[&str], max_words: usize, form: Form) -> String {
    let mut tokens = within(tokens, max_words).to_vec();
    match sentence_end(&tokens) {
        Some(end) => tokens.truncate(end),
        None => {
            while tokens.last().is_some_and(|token| !is_word(token)) {
                tokens.pop();
            }
            if !tokens.is_empty() {
                tokens.push(".");
            }
        }
    }
    match form {
        Form::Prose => detokenize::prose(&tokens),
        Form::Lyrics => detokenize::lyrics(&tokens),
    }
}

/// The number of words in a finished text.
pub fn count_words(text: &str) -> usize {
    text.split_whitespace().filter(|word| is_word(word)).count()
}

/// The first tokens with at most `max_words` words.
fn within<'a, 'b>(tokens: &'a [&'b str], max_words: usize) -> &'a [&'b str] {
    let words = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| is_word(token));
    let end = words.map(|(place, _)| place).nth(max_words);
    &tokens[..end.unwrap_or(tokens.len())]
}

/// The place after the last sentence, with the marks that close it.
fn sentence_end(tokens: &[&str]) -> Option<usize> {
    let last = tokens.iter().rposition(|token| ENDS.contains(token))?;
    let closers = tokens[last + 1..]
        .iter()
        .take_while(|token| CLOSERS.contains(token));
    let end = last + 1 + closers.count();
    tokens[..end]
        .iter()
        .any(|token| is_word(token))
        .then_some(end)
}

fn is_word(token: &str) -> bool {
    token.contains(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        text.split(' ').collect()
    }

    #[test]
    fn strict_lyrics_break_at_commas_and_lose_one_space_each() {
        let tokens = split("`` i love the man , '' she said .");
        assert_eq!(
            strict(&tokens, Form::Prose),
            "`` i love the man , '' she said ."
        );
        assert_eq!(
            strict(&tokens, Form::Lyrics),
            "`` i love the man \n'' she said ."
        );
        assert_eq!(strict(&split(", a , , b ,"), Form::Lyrics), "a \nb ");
    }

    #[test]
    fn an_unfinished_text_is_cut_after_its_last_sentence() {
        let text = for_people(&split("He ran . `` Stop ! '' she"), 99, Form::Prose);
        assert!(text.ends_with(['”', '"', '!', '\'']), "{text}");
        assert!(text.contains("Stop") && !text.contains("she"), "{text}");
    }

    #[test]
    fn a_story_has_no_more_words_than_asked_for() {
        let text = for_people(
            &split("He ran away . She stayed here . They met ."),
            6,
            Form::Prose,
        );
        assert_eq!(text, "He ran away. She stayed here.");
        assert_eq!(count_words(&text), 6);
    }

    #[test]
    fn a_single_unfinished_sentence_is_kept_and_closed() {
        assert_eq!(
            for_people(&split("he ran , and ,"), 99, Form::Prose),
            "he ran, and."
        );
        assert_eq!(for_people(&[], 99, Form::Prose), "");
    }
}
