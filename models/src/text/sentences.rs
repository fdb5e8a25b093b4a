//! Sentences of a finished text: where it may end, and what is judged one by one.
//!
//! Works on running text as people read it, unlike `tokenize`, which follows the original's rules for tokens.

/// A text shorter than this many bytes is not cut at its last full stop: little would remain.
const SHORTEST: usize = 40;

/// The text up to the end of its last sentence, quotation marks that nobody closes removed.
pub fn whole_sentences(text: &str) -> String {
    let text = text.trim();
    let end = text.rfind(['.', '!', '?']).filter(|&end| end > SHORTEST);
    let mut text = end.map_or(text, |end| &text[..=end]).to_owned();
    if text.matches('"').count() % 2 == 1 {
        text.retain(|c| c != '"');
    }
    text
}

/// The first sentences of a text that have at most so many words together; the first one in any case.
pub fn within_words(text: &str, most: usize) -> String {
    let mut kept = 0;
    let mut words = 0;
    for (start, end) in spans(text) {
        words += text[start..end].split_whitespace().count();
        if words > most && kept > 0 {
            break;
        }
        kept = end;
    }
    text[..kept].to_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_with_its_last_whole_sentence() {
        let long = "The rain had stopped before anybody in the house woke. Then the";
        assert_eq!(
            whole_sentences(long),
            "The rain had stopped before anybody in the house woke."
        );
        assert_eq!(whole_sentences(" Short. And "), "Short. And");
        assert_eq!(
            whole_sentences("He said, \"Come in, all of you, and sit down by the fire. It rained."),
            "He said, Come in, all of you, and sit down by the fire. It rained."
        );
    }

    #[test]
    fn a_text_is_cut_between_sentences_when_it_has_too_many_words() {
        let text = "One two three. Four five six! \"Seven eight nine.\" Ten.";
        assert_eq!(within_words(text, 7), "One two three. Four five six!");
        assert_eq!(
            within_words(text, 9),
            "One two three. Four five six! \"Seven eight nine.\""
        );
        assert_eq!(within_words(text, 1), "One two three.");
    }

    #[test]
    fn sentences_of_two_words_are_not_judged() {
        let text = "It rained. The dog ran home! \"Who is there?\" he said.";
        assert_eq!(sentences(text), ["The dog ran home!", "\"Who is there?"]);
        assert_eq!(sentences("Ah."), ["Ah."]);
    }
}
