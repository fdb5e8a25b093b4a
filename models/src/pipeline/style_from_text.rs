//! A style from any text: passages are cut, encoded whole and averaged, as the bundle's own styles were made
//! (algorithm.md §6).
//!
//! The worker calls [`make`] for a style that a caller adds; so does `storyteller styles add`, with [`Networks`] opened
//! for that alone, and puts it on a shelf (see `training`). What must stay true: a new vector is the mean of passages read whole with the bundle's encoder, so
//! that the bundle's caption style is its counterpart; text that is too little or not of the bundle's language is
//! refused with the figures.

mod reader;

pub use reader::{Networks, Reader};

use std::collections::{HashMap, HashSet};

use tch::{Kind, Tensor};

use crate::bundle::Style;
use crate::error::{Error, Result};
use crate::text::book::Book;

/// Fewest words of a passage: the original took passages longer than 100.
const LEAST_WORDS: usize = 100;
/// Most words of a passage, so that batches stay small.
const MOST_WORDS: usize = 160;
/// Fewer passages say more about one scene than about a style.
pub const LEAST_PASSAGES: usize = 30;
/// The least share of words that must be among them, in per cent: English prose of any age has 85 and more, French 20.
const LEAST_KNOWN: f64 = 70.0;
/// A text with more control characters than this, in per cent, is no text.
const MOST_CONTROL: f64 = 1.0;

/// What is to become a style.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The name in requests: small letters, digits and hyphens.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// Where the text is from.
    pub source: String,
    /// The text of each file, with the file's name.
    pub texts: Vec<(String, String)>,
    /// At most so many passages are read, evenly spread over all that there are.
    pub most_passages: usize,
}

/// A style that can be told in once it is added, and how it came about.
#[derive(Debug)]
pub struct Made {
    /// What the bundle will say about it.
    pub style: Style,
    /// Its vector (C), and behind it how often its books use the words that the bundle counts.
    pub vector: Tensor,
    /// How many different passages the text has.
    pub found: usize,
    /// How many passages were left out because they stood there before.
    pub repeated: usize,
    /// The share of its words that the decoder knows, in per cent.
    pub known: f64,
}

/// Learns how many passages are read and of how many, and says whether to go on.
pub type GoOn<'a> = &'a mut dyn FnMut(usize, usize) -> bool;

/// Cuts, checks, encodes and averages.
///
/// # Errors
/// `Cancelled` if it is not to go on; when the name cannot be one, or the text is no text, too little, or not in the language of `reader`;
/// the message says what was found and what is needed.
pub fn make(draft: &Draft, reader: &Reader, go_on: GoOn) -> Result<Made> {
    let refuse = |reason| Error::format(format!("the text of style `{}`", draft.name), reason);
    check_name(&draft.name)?;
    for (file, text) in &draft.texts {
        check_text(file, text)?;
    }
    let books: Vec<Book> = draft
        .texts
        .iter()
        .map(|(file, text)| Book::from_text(file, text))
        .collect();
    let known = share_known(&books, &|token| reader.knows(token)).ok_or_else(|| {
        refuse("it holds no sentences of prose; give plain text with paragraphs".to_owned())
    })?;
    if known < LEAST_KNOWN {
        return Err(refuse(format!(
            "only {known:.0} % of its words are known to this bundle, at least {LEAST_KNOWN:.0} % are needed: it seems \
             to be in another language than the bundle's stories"
        )));
    }
    let all: Vec<String> = books
        .iter()
        .flat_map(|book| book.passages(LEAST_WORDS, MOST_WORDS))
        .collect();
    let count = all.len();
    let different = without_repeats(all);
    if different.len() < LEAST_PASSAGES {
        return Err(refuse(format!(
            "it has {} different passages of {LEAST_WORDS} to {MOST_WORDS} words, at least {LEAST_PASSAGES} are needed \
             (some {} words of prose): give more text",
            different.len(),
            LEAST_PASSAGES * 120
        )));
    }
    let read = spread(&different, draft.most_passages.max(LEAST_PASSAGES));
    let of = read.len();
    let thought = mean_of(reader, &read, go_on)?;
    let vector = Tensor::cat(&[thought, reader.usage(&books)], 0);
    Ok(Made {
        style: Style {
            name: draft.name.clone(),
            description: draft.description.clone(),
            manner: None,
            heroes: Vec::new(),
            passages: of as u64,
            source: draft.source.clone(),
        },
        vector,
        found: different.len(),
        repeated: count - different.len(),
        known,
    })
}

/// Passages read between two questions whether to go on: some seconds of one core.
const ASKED_AFTER: usize = 64;

/// The mean (C) of passages.
fn mean_of(reader: &Reader, passages: &[&String], go_on: GoOn) -> Result<Tensor> {
    let (of, mut done) = (passages.len(), 0);
    let mut sums = Vec::new();
    for some in passages.chunks(ASKED_AFTER) {
        if !go_on(done, of) {
            return Err(Error::Cancelled);
        }
        sums.push(reader.sum_of_vectors(some, &mut |more| {
            // that it goes on is asked between the parts only
            go_on(done + more, of);
        })?);
        done += some.len();
    }
    let sum = Tensor::stack(&sums, 0).sum_dim_intlist(0i64, false, Kind::Float);
    Ok(sum / of as f64)
}

fn check_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (1..=40).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-');
    if good {
        return Ok(());
    }
    Err(Error::Option {
        field: "style",
        reason: format!(
            "{name:?} is no name for a style: use 1 to 40 small letters, digits and hyphens"
        ),
    })
}

/// Refuses what is no plain text; typical are compressed files and pictures.
fn check_text(file: &str, text: &str) -> Result<()> {
    let characters = text.chars().count();
    if characters == 0 {
        return Err(Error::format(file, "it is empty"));
    }
    if let Some(kind) = other_kind(text) {
        let reason = format!("it is {kind}: save it as plain text (.txt) first");
        return Err(Error::format(file, reason));
    }
    let control = text
        .chars()
        .filter(|c| c.is_control() && !c.is_whitespace() || *c == char::REPLACEMENT_CHARACTER)
        .count();
    let share = 100.0 * control as f64 / characters as f64;
    if share > MOST_CONTROL {
        let reason =
            format!("{share:.0} % of it are control characters: it is no plain text file (.txt)");
        return Err(Error::format(file, reason));
    }
    Ok(())
}

/// What a text is that is written in plain characters and yet is no plain text; its marks would be taken for prose.
fn other_kind(text: &str) -> Option<&'static str> {
    let begins = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let first: String = begins.chars().take(64).collect::<String>().to_lowercase();
    let beginnings = [
        ("%pdf-", "a PDF document"),
        ("{\\rtf", "an RTF document"),
        ("%!ps", "a PostScript document"),
        (
            "pk\u{3}\u{4}",
            "a compressed document (.docx, .odt, .epub or .zip)",
        ),
        (
            "version https://git-lfs",
            "a pointer of Git LFS, and the text is elsewhere",
        ),
        ("\\documentclass", "a LaTeX document"),
    ];
    let known = beginnings
        .into_iter()
        .find(|(beginning, _)| first.starts_with(beginning));
    known.map(|(_, kind)| kind).or_else(|| {
        let marked = first.starts_with("<!doctype html") || first.starts_with("<html");
        let marked = marked || first.starts_with("<?xml") || tags(text) * WORDS_A_TAG > words(text);
        marked.then_some("an HTML or XML page")
    })
}

/// Prose has no tags; a page has one for every few words.
const WORDS_A_TAG: usize = 60;

/// How many tags, such as `<p class="first">` and `</p>`, there are.
fn tags(text: &str) -> usize {
    let is_tag = |rest: &&str| {
        let name = rest.strip_prefix('/').unwrap_or(rest);
        let inside: Option<&str> = name.split(['>', '<']).next();
        let closed = inside.is_some_and(|inside| name[inside.len()..].starts_with('>'));
        closed && name.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    text.split('<').skip(1).filter(is_tag).count()
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The share of words that are known, in per cent; none if there are no words.
fn share_known(books: &[Book], knows: &dyn Fn(&str) -> bool) -> Option<f64> {
    // a book says the same words again and again: each is looked up once
    let mut uses: HashMap<&str, usize> = HashMap::new();
    let tokens = books
        .iter()
        .flat_map(Book::sentences)
        .flat_map(|sentence| sentence.split(' '));
    for token in tokens.filter(|token| token.chars().any(char::is_alphabetic)) {
        *uses.entry(token).or_default() += 1;
    }
    let all: usize = uses.values().sum();
    let known: usize = uses
        .iter()
        .filter(|(token, _)| knows(token))
        .map(|(_, count)| count)
        .sum();
    (all > 0).then(|| 100.0 * known as f64 / all as f64)
}

fn without_repeats(mut passages: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    passages.retain(|passage| seen.insert(passage.clone()));
    passages
}

/// At most `most` of the items, evenly spread.
fn spread(items: &[String], most: usize) -> Vec<&String> {
    let count = items.len().min(most);
    (0..count)
        .map(|index| &items[index * items.len() / count])
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_confuse_a_request_are_refused() {
        assert!(check_name("north-sea-2").is_ok());
        for name in ["", "Sea", "a b", "../x", "-x", "sea=1"] {
            let error = check_name(name).unwrap_err().to_string();
            assert!(error.contains("small letters"), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_the_share() {
        let noise: String = (0..=255u8).map(char::from).collect();
        let error = check_text("noise.bin", &noise).unwrap_err().to_string();
        assert!(
            error.contains("noise.bin") && error.contains("control"),
            "{error}"
        );
        assert!(check_text("prose.txt", "It rained.\r\n\tIt stopped.\n").is_ok());
    }

    #[test]
    fn documents_that_are_no_plain_text_are_refused_by_their_kind() {
        let prose = "It rained for a long time, and then it stopped. ".repeat(40);
        let kinds = [
            (format!("<!DOCTYPE html><html><body><p>{prose}</p>"), "HTML"),
            (format!("  <HTML>{prose}"), "HTML"),
            (
                format!("<p class=\"a\">{}</p>\n", &prose[..48]).repeat(9),
                "HTML",
            ),
            (format!("{{\\rtf1\\ansi {prose}}}"), "RTF"),
            (format!("%PDF-1.4\nBT ({prose}) Tj ET"), "PDF"),
            (format!("%!PS-Adobe\n({prose}) show"), "PostScript"),
            (format!("\\documentclass{{book}}\n{prose}"), "LaTeX"),
        ];
        for (text, kind) in kinds {
            let error = check_text("book.txt", &text).unwrap_err().to_string();
            assert!(
                error.contains(kind) && error.contains("plain text"),
                "{error}"
            );
        }
        let odd = format!("a < b and c > d, <3, << he said >> {prose} <i>once</i>");
        assert!(check_text("book.txt", &odd).is_ok());
    }

    #[test]
    fn passages_are_spread_and_repeats_left_out() {
        let passages: Vec<String> = (0..10).map(|n| format!("passage {}", n % 5)).collect();
        let different = without_repeats(passages);
        assert_eq!(different.len(), 5);
        assert_eq!(
            spread(&different, 2),
            [&"passage 0".to_owned(), &"passage 2".to_owned()]
        );
    }

    #[test]
    fn the_share_of_known_words_tells_languages_apart() {
        let known = |token: &str| ["The", "the", "dog", "ran", "home"].contains(&token);
        let share = |text: &str| share_known(&[Book::from_text("t", text)], &known);
        assert_eq!(share("The dog ran home. The dog ran."), Some(100.0));
        assert_eq!(share("Le chien courut chez lui."), Some(0.0));
        assert_eq!(share("* * *"), None);
    }
}
