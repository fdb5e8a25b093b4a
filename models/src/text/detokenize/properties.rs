//! Whatever a decoder writes, the text obeys a printer's rules: twenty thousand drawn token sequences, and sentences that
//! must come back from their tokens as they were.

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{lyrics, prose};
use crate::text::tokenize::preprocess;

const TOKENS: [&str; 40] = [
    "``",
    "''",
    "\"",
    "“",
    "”",
    ",",
    ".",
    ";",
    ":",
    "?",
    "!",
    "...",
    "--",
    "(",
    ")",
    "[",
    "]",
    "$",
    "%",
    "'",
    "'s",
    "n't",
    "'ll",
    "'em",
    "'tis",
    "can",
    "not",
    "gon",
    "na",
    "did",
    "She",
    "sea",
    "Mr.",
    "don",
    "d'ye",
    "1,000",
    "o'clock",
    "I",
    "a",
    "well-known",
];

fn drawn(dice: &mut ChaCha8Rng) -> Vec<&'static str> {
    let count = dice.random_range(0..25);
    let draw = |_| *TOKENS.choose(dice).unwrap_or(&"sea");
    (0..count).map(draw).collect()
}

#[test]
fn no_mark_stands_alone_and_quotation_marks_are_pairs_in_turn() {
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..20_000 {
        let tokens = drawn(&mut dice);
        let text = prose(&tokens);
        for wrong in [
            " ,", " .", " ;", " :", " ?", " !", "  ", " ”", "“ ", "( ", " )",
        ] {
            assert!(!text.contains(wrong), "{wrong:?} in {text:?} of {tokens:?}");
        }
        assert_eq!(text, text.trim(), "{tokens:?}");
        let marks: Vec<char> = text.chars().filter(|c| ['“', '”'].contains(c)).collect();
        assert!(
            marks.chunks(2).all(|pair| pair == ['“', '”']),
            "{text:?} of {tokens:?}"
        );
        let verse = lyrics(&tokens);
        let has_word = |line: &str| line.contains(char::is_alphanumeric);
        assert!(verse.lines().all(has_word), "{verse:?} of {tokens:?}");
    }
}

#[test]
fn a_word_is_never_lost() {
    let mut dice = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..5_000 {
        let tokens = drawn(&mut dice);
        let letters =
            |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).collect() };
        assert_eq!(
            letters(&prose(&tokens)),
            letters(&tokens.concat()),
            "{tokens:?}"
        );
    }
}

#[test]
fn sentences_come_back_from_their_tokens() {
    let subjects = [
        "She",
        "The captain",
        "Mr. Darcy",
        "Nobody",
        "His sister's friend",
        "The dogs",
    ];
    let verbs = [
        "didn't answer",
        "couldn't have known",
        "said that she'd come",
        "looked at the sea; it was grey",
        "asked: “Who's there?” once more",
        "cried, “I won't go!” and wept",
        "paid 1,000 pounds (and no more)",
        "went on — slowly",
        "cannot sleep",
        "left at six o'clock",
    ];
    let mut count = 0;
    for subject in subjects {
        for verb in verbs {
            let sentence = format!("{subject} {verb}.");
            // what people type for it
            let typed = sentence.replace(['“', '”'], "\"").replace(" — ", " -- ");
            let told = prose(&preprocess(&typed));
            let wanted = sentence.replace('\'', "’").replace(" — ", "—");
            assert_eq!(told, wanted);
            count += 1;
        }
    }
    assert_eq!(count, 60);
}
