//! Passages of poems as a language model is to write them: stanzas of four lines that rhyme.
//! `passages` asks for each book whether it is verse.

use models::text::rhyme::rhyme;

/// A book of verse has lines of so few letters, in the middle.
const SHORT_LINES: usize = 60;
/// Lines of a stanza.
const STANZA: usize = 4;
/// Words of a line, at least and at most.
const WORDS: (usize, usize) = (4, 11);
/// Stanzas of a passage, at most.
const MOST_STANZAS: usize = 3;

/// Whether most lines of a text are as short as those of verse.
pub(super) fn is_verse(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lengths: Vec<usize> = lines.map(|line| line.chars().count()).collect();
    lengths.sort_unstable();
    // a text wrapped at 72 columns has long lines but for the last of its paragraphs
    lengths
        .get(lengths.len() / 2)
        .is_some_and(|&middle| middle < SHORT_LINES)
}

/// The stanzas of poems that rhyme, up to three that follow each other together.
pub(super) fn of_poems(text: &str) -> Vec<Vec<String>> {
    let mut passages = Vec::new();
    let mut run: Vec<String> = Vec::new();
    for paragraph in text.replace('\r', "").split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
        let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        for stanza in lines.chunks(STANZA) {
            if is_stanza(stanza) {
                run.push(stanza.join("\n"));
            }
            if run.len() == MOST_STANZAS || !is_stanza(stanza) && !run.is_empty() {
                passages.push(std::mem::take(&mut run));
            }
        }
    }
    if !run.is_empty() {
        passages.push(run);
    }
    passages
}

/// Whether lines are a stanza as songs have them: each of some words, and ends that rhyme in turn or in pairs.
fn is_stanza(lines: &[&str]) -> bool {
    let fits = |line: &&str| {
        let words = line.split_whitespace().count();
        let plain = |c: char| c.is_alphabetic() || c.is_whitespace() || ",.;:!?'—-".contains(c);
        (WORDS.0..=WORDS.1).contains(&words)
            && line.chars().all(plain)
            && line.starts_with(char::is_alphabetic)
    };
    let ends: Vec<String> = lines.iter().map(|line| last_word(line)).collect();
    let rhymes = |one: usize, other: usize| rhyme(&ends[one], &ends[other]);
    lines.len() == STANZA
        && lines.iter().all(fits)
        && (rhymes(0, 1) && rhymes(2, 3) || rhymes(1, 3) || rhymes(0, 3) && rhymes(1, 2))
}

fn last_word(line: &str) -> String {
    let mut words = line.split(|c: char| !c.is_alphabetic());
    let last = words.rfind(|word| !word.is_empty());
    last.unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POEM: &str = "A TITLE\n\nThe moon is up above the sea,\nThe wind is in the old oak tree,\n\
        The boats are coming home tonight,\nAnd every window has a light.\n\n\
        The sand is cold, the sand is white,\nThe gulls have gone to sleep by night,\n\
        And no one walks along the shore,\nWhere we have walked so long before.\n\n\
        Here nothing is a rhyme at all,\nAnd lines are merely lines of prose,\nWhich stop because\nThe page is over\n";

    #[test]
    fn stanzas_that_rhyme_are_taken_together_and_others_are_not() {
        let found = of_poems(POEM);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].len(), 2);
        assert!(found[0][1].starts_with("The sand is cold") && found[0][1].ends_with("before."));
    }

    #[test]
    fn verse_is_told_from_prose_by_its_lines() {
        assert!(is_verse(POEM));
        let wrapped = "It was a dark night, and the wind that came from over the hills was colder\nthan any that he knew. ";
        assert!(!is_verse(&wrapped.repeat(9)));
        assert!(!is_verse(
            "One paragraph a line, which is as long as paragraphs of novels mostly are."
        ));
        assert!(!is_verse(""));
    }
}
