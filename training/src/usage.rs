//! Which words tell the styles of a bundle apart, and how often the books of each use them.
//!
//! `storyteller train usage` calls it; stories lean towards what their style says more often (`models::text::usage`). A word
//! must be one token of the language model, since it is single tokens whose likelihood is moved.

use std::collections::{BTreeMap, HashMap, HashSet};

use models::text::book::Book;
use models::text::usage::Usage;

/// So many books must have a word before it may speak for a style.
const BOOKS_OF_A_WORD: usize = 12;

/// How often each style's books, and the captions, use these words.
#[derive(Debug)]
pub struct Counted {
    /// The words, in alphabetical order.
    pub words: Vec<String>,
    /// Logarithms of frequencies (W) by style.
    pub usage: BTreeMap<String, Vec<f32>>,
}

/// Takes the `most` words that tell styles apart best, and counts them; `is_token` says of a word whether it can be one.
pub fn count(
    books: &BTreeMap<String, Vec<Book>>,
    most: usize,
    is_token: &dyn Fn(&str) -> bool,
) -> Counted {
    let common: Vec<String> = common_words(books)
        .into_iter()
        .filter(|word| is_token(word))
        .collect();
    let counted = Usage::new(common.clone());
    let usage: BTreeMap<&String, Vec<f32>> = books
        .iter()
        .map(|(style, books)| (style, counted.of(books)))
        .collect();
    let mut places: Vec<usize> = (0..common.len()).collect();
    places.sort_by(|&a, &b| telling(&usage, b).total_cmp(&telling(&usage, a)));
    places.truncate(most);
    // in alphabetical order again
    places.sort_unstable();
    let taken = |of: &Vec<f32>| places.iter().map(|&place| of[place]).collect();
    Counted {
        words: places.iter().map(|&place| common[place].clone()).collect(),
        usage: usage
            .iter()
            .map(|(&style, of)| (style.clone(), taken(of)))
            .collect(),
    }
}

/// Words in small letters that enough books have, in alphabetical order.
fn common_words(books: &BTreeMap<String, Vec<Book>>) -> Vec<String> {
    let mut holders: HashMap<&str, usize> = HashMap::new();
    for book in books.values().flatten() {
        let tokens = book.sentences().flat_map(|sentence| sentence.split(' '));
        let words: HashSet<&str> = tokens
            .filter(|token| token.len() > 1 && token.chars().all(|c| c.is_ascii_lowercase()))
            .collect();
        for word in words {
            *holders.entry(word).or_default() += 1;
        }
    }
    let wanted = BOOKS_OF_A_WORD.min(books.values().map(Vec::len).sum());
    let mut words: Vec<String> = holders
        .into_iter()
        .filter(|&(_, books)| books >= wanted)
        .map(|(word, _)| word.to_owned())
        .collect();
    words.sort();
    words
}

/// How well the word at a place tells some style: how much more or less it says it than all do, by the root of how often all do.
fn telling(usage: &BTreeMap<&String, Vec<f32>>, place: usize) -> f32 {
    let all: Vec<f32> = usage.values().map(|of| of[place]).collect();
    let common = all.iter().sum::<f32>() / all.len().max(1) as f32;
    let apart = all.iter().map(|one| (one - common).abs());
    apart.fold(0.0, f32::max) * common.exp().sqrt()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn book(text: &str) -> Book {
        Book {
            name: "book".to_owned(),
            paragraphs: vec![vec![text.to_owned()]],
        }
    }

    #[test]
    fn the_words_that_tell_styles_apart_are_taken_and_no_names() {
        let of = |texts: [&str; 2]| texts.map(book).to_vec();
        let books = BTreeMap::from([
            (
                "sea".to_owned(),
                of([
                    "the ship ship ship a lady Ahab",
                    "a ship the ship lady Ahab",
                ]),
            ),
            (
                "romance".to_owned(),
                of([
                    "the lady lady lady a ship Ahab",
                    "the a lady ship lady Ahab",
                ]),
            ),
        ]);
        let found = count(&books, 2, &|_| true);
        assert_eq!(found.words, ["lady", "ship"]);
        assert!(found.usage["sea"][1] > found.usage["sea"][0]);
        assert!(found.usage["romance"][1] < found.usage["romance"][0]);
        let tokens = count(&books, 2, &|word| word != "lady");
        assert_eq!(tokens.words, ["ship", "the"]);
    }
}
