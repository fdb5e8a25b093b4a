//! How well a sentence of prose follows those before it, whatever it says: how long it is, and how it begins.
//!
//! What a small model likes best is short and begins as the sentence before did: "It was … It was …". People's sentences in the
//! novels it learnt from have 19 words, and one of fifteen begins as the one before. `choosing` asks for each that might come next.

use super::kinds_of_words::words as words_of;

/// A sentence that begins with the word that the one before began with; half of it for the one before that.
const SAME_BEGINNING: f64 = -1.0;
/// The share of its words that stood in the sentence before: with more than this it echoes it, "She made it with her paws. She made
/// it with her ears."
pub(super) const ECHOES: f64 = 0.6;
/// What it costs to have a larger share than this.
const ECHO: (f64, f64) = (0.4, -5.0);
/// One that only states: "there was", "it was"; half of it for "she was".
const ONLY_STATES: f64 = -0.7;
/// What a sentence gains by being as long as people's are, and how many words that is; a shorter one gains its share.
const LENGTH: (f64, usize) = (0.6, 24);
/// A sentence of fewer or more words, and each word beyond.
const WORDS: (usize, usize) = (8, 34);
const TOO_SHORT: f64 = -0.4;
/// A short one after a short one: "It was a white sign. A red sign. A green sign."
const SHORT_AGAIN: f64 = -0.8;
const TOO_LONG: f64 = -0.02;

/// How well a sentence of these words stands after those before it, the last one first.
pub(super) fn of_a_sentence<'a>(words: &[String], before: impl Iterator<Item = &'a String>) -> f64 {
    let count = words.len();
    let short = if count < WORDS.0 { TOO_SHORT } else { 0.0 };
    let long = TOO_LONG * count.saturating_sub(WORDS.1) as f64;
    let before: Vec<Vec<String>> = before.take(2).map(|text| words_of(text)).collect();
    let again = count < WORDS.0 && before.first().is_some_and(|last| last.len() < WORDS.0);
    let short = short + if again { SHORT_AGAIN } else { 0.0 };
    let alike = before.iter().zip([SAME_BEGINNING, SAME_BEGINNING / 2.0]);
    let alike = alike.filter(|(sentence, _)| sentence.first() == words.first());
    let gained = LENGTH.0 * count.min(LENGTH.1) as f64 / LENGTH.1 as f64;
    let echoed = before.first().map_or(0.0, |last| echo(words, last));
    let echoed = ECHO.1 * (echoed - ECHO.0).max(0.0);
    short + long + gained + echoed + stating(words) + alike.map(|(_, cost)| cost).sum::<f64>()
}

/// The share of the words of a sentence that stood in another one.
pub(super) fn echo(words: &[String], other: &[String]) -> f64 {
    let known = words.iter().filter(|word| other.contains(word)).count();
    known as f64 / words.len().max(1) as f64
}

/// What it costs to say only that something was.
fn stating(words: &[String]) -> f64 {
    let mut words = words.iter().map(String::as_str);
    let (Some(first), Some("was" | "were" | "is" | "are" | "had")) = (words.next(), words.next())
    else {
        return 0.0;
    };
    match first {
        "there" | "it" => ONLY_STATES,
        "he" | "she" | "they" | "this" | "that" => ONLY_STATES / 2.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(text: &str, before: &[&str]) -> f64 {
        let before: Vec<String> = before.iter().map(|&text| text.to_owned()).collect();
        of_a_sentence(&words_of(text), before.iter().rev())
    }

    #[test]
    fn a_sentence_had_better_begin_otherwise_than_the_two_before_it() {
        let next = "The dog ran after them over the fields";
        let other = score(next, &["A bell rang.", "She heard it."]);
        let last = score(next, &["A bell rang.", "The cook heard it."]);
        let earlier = score(next, &["The bell rang.", "She heard it."]);
        let long_ago = score(next, &["The bell rang.", "She heard it.", "A cat ran."]);
        assert!(last < earlier && earlier < other);
        assert_eq!(long_ago, other);
    }

    #[test]
    fn a_sentence_had_better_say_more_than_that_something_was() {
        let said = |text: &str| score(text, &[]);
        let moves = said("He ran with the dogs over the fields");
        assert!(said("He was with the dogs in the fields") < moves);
        assert!(
            said("It was with the dogs in the fields") < said("He was with the dogs in the fields")
        );
        assert_eq!(said("It"), said("He"), "nothing is stated yet");
    }

    #[test]
    fn a_short_sentence_had_better_not_follow_a_short_one() {
        let long = "Old men went slowly down to the harbour again.";
        let short = "A sign stood there.";
        let next = "Nobody came.";
        assert!(score(next, &[long, short]) < score(next, &[short, long]));
        let next = "Nobody came out of the house that day, nor spoke of it.";
        assert_eq!(score(next, &[long, short]), score(next, &[short, long]));
    }

    #[test]
    fn a_sentence_had_better_be_as_long_as_peoples_are_and_no_longer() {
        let of = |count: usize| score(&vec!["word"; count].join(" "), &[]);
        assert!(of(4) < of(8) && of(8) < of(20) && of(20) < of(24));
        assert_eq!(of(24), of(30));
        assert!(of(50) < of(30));
    }

    #[test]
    fn a_sentence_had_better_not_echo_the_one_before_it() {
        let before = "The cat made it with her little paws.";
        let echoing = "Her cat made it with the little ears.";
        let other = "Then somebody knocked at that old door.";
        assert!(score(echoing, &[before]) < score(other, &[before]) - 1.0);
        assert_eq!(echo(&words_of(echoing), &words_of(before)), 7.0 / 8.0);
        assert_eq!(echo(&[], &words_of(before)), 0.0);
    }
}
