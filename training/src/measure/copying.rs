//! Are stories copied out of the books that were learnt from? The longest runs of words that stand in both.
//!
//! `storyteller evaluate stories --books` calls [`longest_runs`]. Stories are few and books are long: the short runs of all
//! stories are kept, the books are read once past them, and every match is followed to its end.

use std::collections::HashMap;

use crate::measure::stories::Specimen;
use crate::measure::words::words;

/// Runs shorter than this are language, not memory.
const SHORT: usize = 6;

/// A run of words of a story that a book has, too.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Copied {
    /// How many words.
    pub words: usize,
    /// The run.
    pub text: String,
    /// The book.
    pub book: String,
}

/// For each story its longest run, if it has one of six words or more; `books` are names and texts.
pub fn longest_runs(
    stories: &[Specimen],
    books: impl IntoIterator<Item = (String, String)>,
) -> Vec<Option<Copied>> {
    let told: Vec<Vec<String>> = stories.iter().map(|one| words(&one.story)).collect();
    let mut starts: HashMap<&[String], Vec<(usize, usize)>> = HashMap::new();
    for (story, words) in told.iter().enumerate() {
        for (place, run) in words.windows(SHORT).enumerate() {
            starts.entry(run).or_default().push((story, place));
        }
    }
    let mut longest: Vec<Option<Copied>> = vec![None; stories.len()];
    for (book, text) in books {
        let read = words(&text);
        for (at, run) in read.windows(SHORT).enumerate() {
            for &(story, place) in starts.get(run).into_iter().flatten() {
                let pairs = told[story][place..].iter().zip(&read[at..]);
                let words = pairs.take_while(|(a, b)| a == b).count();
                let known = longest[story].as_ref().map_or(0, |copied| copied.words);
                if words > known {
                    longest[story] = Some(Copied {
                        words,
                        text: told[story][place..place + words].join(" "),
                        book: book.clone(),
                    });
                }
            }
        }
    }
    longest
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_common_run_is_found_whatever_stands_around_it() {
        let story = |text: &str| Specimen {
            photo: "a.jpg".to_owned(),
            style: "sea".to_owned(),
            story: text.to_owned(),
        };
        let stories = [
            story("Here the old ship came slowly home, over a grey and silent sea, at last."),
            story("Nothing of this is in any book of mine."),
            story("Short."),
        ];
        let books = [
            ("one", "And so the old ship came slowly home before dawn."),
            (
                "two",
                "“Came slowly home over a grey and silent sea,” he said.",
            ),
        ];
        let books = books.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let found = longest_runs(&stories, books);
        let first = found[0].as_ref().unwrap();
        assert_eq!(first.words, 9);
        assert_eq!(first.text, "came slowly home over a grey and silent sea");
        assert_eq!(first.book, "two");
        assert_eq!(found[1..], [None, None]);
    }
}
