//! What words a text has, and what kinds of them there are to who chooses sentences: those that lean on something before, that
//! speak of the text itself, that are a narrator's, and that only hold a sentence together. English, in lower case.

/// Words of fewer letters say little.
const CONTENT: usize = 3;

/// The words of a text, in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether a word says something by itself.
pub(super) fn is_content(word: &str) -> bool {
    word.len() >= CONTENT && !HOLDING.contains(&word)
}

/// Words that hold a sentence together, of three letters or more.
#[rustfmt::skip]
const HOLDING: [&str; 91] = [
    "the", "and", "but", "for", "nor", "not", "was", "were", "are", "been", "being", "had", "has", "have", "having", "did", "does",
    "would", "could", "should", "will", "shall", "may", "might", "must", "can", "with", "without", "from", "into", "upon", "over",
    "under", "out", "off", "down", "through", "about", "after", "before", "between", "behind", "against", "toward", "towards",
    "that", "this", "these", "those", "there", "here", "then", "than", "when", "where", "while", "which", "who", "whom", "whose",
    "what", "how", "why", "she", "her", "hers", "him", "his", "they", "them", "their", "its", "our", "you", "your", "one", "all",
    "any", "some", "such", "each", "both", "other", "more", "most", "very", "only", "just", "even", "too", "also",
];

/// Words at the beginning that are asked whether they lean.
const FIRST: usize = 3;

/// Whether the beginning of a sentence leans on something that was said before: "Then …", "When he …", "After that …".
pub(super) fn leans(words: &[String]) -> bool {
    let first = words.iter().take(FIRST);
    first.enumerate().any(|(place, word)| {
        LEANING.contains(&word.as_str())
            || REFERRING.contains(&word.as_str())
            || place == 0 && LINKING.contains(&word.as_str())
    })
}

/// What points at something that was said, wherever it stands.
const LEANING: [&str; 9] = [
    "this",
    "that",
    "these",
    "those",
    "then",
    "thus",
    "therefore",
    "however",
    "such",
];

/// Who was spoken of; not "it", which is the weather too.
const REFERRING: [&str; 8] = ["he", "she", "they", "him", "her", "them", "his", "their"];

/// What goes on from a sentence before, as the first word.
const LINKING: [&str; 10] = [
    "and", "but", "or", "nor", "so", "yet", "for", "also", "too", "now",
];

/// Whether a word speaks of the text, as models answer that were taught to be asked.
pub(super) fn is_of_texts(word: &str) -> bool {
    [
        "paragraph",
        "novel",
        "chapter",
        "author",
        "reader",
        "story",
        "hero",
        "tale",
        "caption",
        "scene",
        "poem",
        "verse",
        "verses",
        "rhyme",
        "stanza",
        "chorus",
    ]
    .contains(&word)
}

/// Whether a word is that of somebody who tells.
pub(super) fn is_narrator(word: &str) -> bool {
    ["i", "my", "me", "myself"].contains(&word)
}

/// Whether speech begins in a sentence and goes on after it, in single marks, which apostrophes look like.
pub(super) fn opens_speech(text: &str) -> bool {
    let marks = |c: char| c == '\'' || c == '‘';
    let opened = text
        .split(' ')
        .filter(|word| word.starts_with(marks))
        .count();
    let closing = |word: &&str| {
        let word = word.trim_end_matches([',', '.', ';']);
        let inner = word.trim_end_matches(['\'', '’']);
        inner.len() < word.len() && inner.ends_with(['.', ',', '!', '?'])
    };
    opened > text.split(' ').filter(closing).count()
}

#[cfg(test)]
mod tests {
    use super::{leans, opens_speech, words};

    #[test]
    fn speech_that_goes_on_after_its_sentence_is_open() {
        for text in [
            "He said, 'I am hungry.",
            "'Oh, child, look at me!",
            "‘Come, she said.",
        ] {
            assert!(opens_speech(text), "{text}");
        }
        for text in [
            "He said, 'I am hungry.'",
            "'Come,' she said, and he came.",
            "‘Come,’ she said.",
            "The captain's daughter couldn't wait.",
            "It was the sailors' ship.",
            "",
        ] {
            assert!(!opens_speech(text), "{text}");
        }
    }

    #[test]
    fn a_beginning_leans_on_those_it_does_not_name() {
        for text in [
            "Then a man came.",
            "When he came back",
            "After that day",
            "Now a dog",
            "His cup was full.",
        ] {
            assert!(leans(&words(text)), "{text}");
        }
        for text in [
            "A man came then.",
            "When the king came back he",
            "It was cold now.",
            "On the hill",
            "",
        ] {
            assert!(!leans(&words(text)), "{text}");
        }
    }
}
