//! Sentences of running text: where one ends while it is written, and what is judged one by one.
//!
//! Works on running text as people read it, unlike `tokenize`, which follows the original's rules for tokens.

/// Words that a full stop belongs to.
const ABBREVIATIONS: [&str; 18] = [
    "Mr", "Mrs", "Ms", "Dr", "St", "Messrs", "Capt", "Col", "Gen", "Lieut", "Sergt", "Rev", "Hon",
    "Prof", "Mme", "Mlle", "viz", "etc",
];
/// What may stand behind the mark that ends a sentence.
const BEHIND: [char; 5] = ['"', '\'', '”', '’', ')'];

/// Whether a piece of text has a mark at its end that may end a sentence.
pub fn may_end_sentence(piece: &str) -> bool {
    piece
        .trim_end()
        .trim_end_matches(BEHIND)
        .ends_with(['.', '!', '?'])
}

/// Whether a sentence ends where `text` ends, as far as it can be told without what follows.
pub fn ends_sentence(text: &str) -> bool {
    let inner = text.trim_end().trim_end_matches(BEHIND);
    let Some(before) = inner.strip_suffix('.') else {
        return inner.ends_with(['!', '?']);
    };
    let last = before.rsplit(|c: char| !c.is_alphanumeric()).next();
    let last = last.unwrap_or_default();
    // "J. Smith", but "So did I."
    let initial = last.len() == 1 && last != "I" && last.starts_with(|c: char| c.is_uppercase());
    !initial && !ABBREVIATIONS.contains(&last)
}

/// The sentences of more than two words; the whole text where there are none.
pub fn sentences(text: &str) -> Vec<&str> {
    let found = spans(text)
        .into_iter()
        .map(|(start, end)| trim_quote(&text[start..end]));
    let found: Vec<&str> = found
        .filter(|sentence| sentence.split_whitespace().count() > 2)
        .collect();
    if found.is_empty() { vec![text] } else { found }
}

/// Every sentence of a text, with its marks and without the white space between; a text without one is one.
pub fn all_sentences(text: &str) -> Vec<&str> {
    let each = spans(text).into_iter();
    each.map(|(start, end)| &text[start..end]).collect()
}

/// Where sentences begin and end: after a mark and the quotation mark behind it, before white space.
fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let (mut start, mut ended, mut end) = (0, false, 0);
    for (place, character) in text.char_indices() {
        if character.is_whitespace() && ended {
            spans.push((start, end));
            ended = false;
            start = place;
        }
        let next = place + character.len_utf8();
        match character {
            '.' | '!' | '?' => (ended, end) = (true, next),
            '"' | '\'' if ended => end = next,
            c if c.is_whitespace() => {}
            _ => ended = false,
        }
    }
    if !text[start..].trim().is_empty() {
        spans.push((start, text.len()));
    }
    let trimmed = |(start, end): (usize, usize)| {
        (
            start + text[start..end].len() - text[start..end].trim_start().len(),
            end,
        )
    };
    spans.into_iter().map(trimmed).collect()
}

/// A sentence without the quotation mark behind its end.
fn trim_quote(sentence: &str) -> &str {
    let inner = sentence.strip_suffix(['"', '\'']);
    inner
        .filter(|inner| inner.ends_with(['.', '!', '?']))
        .unwrap_or(sentence)
}

/// A text with the apostrophes of books: those within a word become curly; marks of speech stay as they are.
pub fn with_apostrophes(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let within = |place: usize| {
        let around = place.checked_sub(1).and_then(|before| letters.get(before));
        let around = around.zip(letters.get(place + 1));
        around.is_some_and(|(before, after)| before.is_alphabetic() && after.is_alphabetic())
    };
    let set = |(place, &letter): (usize, &char)| match letter {
        '\'' if within(place) => '’',
        other => other,
    };
    letters.iter().enumerate().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abbreviation_ends_no_sentence() {
        for whole in [
            "It rained.",
            "Who is there?\"",
            "So did I.",
            "No! ",
            "(It was late.)",
            "He left at 5.",
        ] {
            assert!(ends_sentence(whole) && may_end_sentence(whole), "{whole}");
        }
        for open in ["I met Mr.", "By J.", "the dog,", "", "\"", "and St. "] {
            assert!(!ends_sentence(open), "{open}");
        }
    }

    #[test]
    fn sentences_of_two_words_are_not_judged() {
        let text = "It rained. The dog ran home! \"Who is there?\" he said.";
        assert_eq!(sentences(text), ["The dog ran home!", "\"Who is there?"]);
        assert_eq!(sentences("Ah."), ["Ah."]);
    }

    #[test]
    fn every_sentence_of_a_text_is_listed_and_joined_they_are_the_text() {
        let text = "Ah. The dog ran home! \"Who is there?\" he said. Then the";
        let all = all_sentences(text);
        assert_eq!(all[0], "Ah.");
        assert_eq!(all.join(" "), text);
        assert!(all_sentences(" ").is_empty());
    }

    #[test]
    fn apostrophes_within_a_word_are_those_of_books() {
        let set = with_apostrophes("'Don't,' said the sailors' cook, 'it's Tom's.'");
        assert_eq!(set, "'Don’t,' said the sailors' cook, 'it’s Tom’s.'");
        assert_eq!(with_apostrophes("'"), "'");
        assert_eq!(with_apostrophes(""), "");
    }
}
