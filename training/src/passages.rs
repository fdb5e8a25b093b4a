//! Passages of novels as a language model is to write them: whole sentences, no talk, opening with what can be understood and
//! ending where a paragraph ends; of books of poems, stanzas that rhyme.
//!
//! `storyteller train decoder --base` cuts them out of books; a folder's name is the style of the books in it. What must
//! stay true: books that are held out are held out whole, and which ones they are follows from their names alone.

mod verse;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use models::Result;
use models::bundle::sha256;
use models::text::book::Book;
use models::text::detokenize;
use models::text::encoding::read_text;
use models::text::words::plain_words;

use crate::corpus;

/// Words of a passage, at least and at most.
const WORDS: (usize, usize) = (55, 118);
/// A passage of fewer sentences has nowhere to go.
const LEAST_SENTENCES: usize = 3;
/// One book in so many is held out.
const HELD_OUT: u8 = 14;
/// Tokens that say that somebody speaks: what is said needs to be known to go on with it.
const TALK: [&str; 6] = ["``", "''", "\"", "`", "'", "''."];
/// Among more capital letters than one word in so many, a passage is about persons that nobody knows.
const WORDS_A_NAME: usize = 6;
/// No more than this share of a style's passages comes from one book.
const SHARE_OF_A_BOOK: usize = 4;
/// A passage that opens with one of these speaks of somebody whom nobody knows yet, or goes on from what nobody read.
const OPENS_IN_THE_MIDDLE: [&str; 24] = [
    "he", "she", "it", "they", "his", "her", "their", "its", "him", "them", "and", "but", "or",
    "nor", "so", "yet", "for", "then", "this", "that", "these", "those", "such", "thus",
];
/// Of ten passages so many are those that speak most of things that can be seen; the others are as they come.
const SEEN_OF_TEN: usize = 8;

/// A passage.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The folder of its book; none for books beside the folders.
    pub style: Option<String>,
    /// The book's file.
    pub book: String,
    /// Whether its book is held out.
    pub held_out: bool,
    /// Whether it is verse.
    pub verse: bool,
    /// Its sentences, as people read them; of verse its stanzas.
    pub sentences: Vec<String>,
}

impl Passage {
    /// The whole text.
    pub fn text(&self) -> String {
        self.sentences.join(if self.verse { "\n\n" } else { " " })
    }
}

/// How much is taken.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Take {
    /// Passages a style to learn from.
    pub learnt: usize,
    /// Passages a style to measure on.
    pub measured: usize,
}

/// Reads all books under `folder` and takes those passages of each style that speak most of what `is_seen` calls visible.
///
/// # Errors
/// When a file cannot be read.
pub fn gather(
    folder: &Path,
    take: Take,
    is_seen: &dyn Fn(&str) -> bool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Passage>> {
    let files = corpus::find_texts(&[folder.to_owned()])?;
    let held_out = held_out(&files);
    let mut styles: Vec<(Option<String>, Vec<Passage>)> = Vec::new();
    for (done, file) in files.iter().enumerate() {
        let style = style_of(folder, file);
        let book = file.file_name().unwrap_or_default().to_string_lossy();
        let (cut, verse) = cut_out(file)?;
        let own: Vec<Passage> = cut
            .into_iter()
            .map(|sentences| Passage {
                // a folder of poems has no style of prose
                style: style.clone().filter(|_| !verse),
                book: book.clone().into_owned(),
                held_out: held_out.contains(file),
                verse,
                sentences,
            })
            .collect();
        match styles.iter_mut().find(|(known, _)| *known == style) {
            Some((_, all)) => all.extend(own),
            None => styles.push((style, own)),
        }
        progress(done + 1, files.len());
    }
    let mut taken = Vec::new();
    for (_, all) in styles {
        let (measured, learnt) = all.into_iter().partition(|passage| passage.held_out);
        taken.extend(most_visible(learnt, take.learnt, is_seen));
        taken.extend(most_visible(measured, take.measured, is_seen));
    }
    Ok(taken)
}

/// The passages of one file, and whether they are verse.
fn cut_out(file: &Path) -> Result<(Vec<Vec<String>>, bool)> {
    // sentences of a tokenised book stand a line each, short ones too, and are prose
    if corpus::is_tokenised(file) {
        return Ok((of_book(&Book::read(file)?), false));
    }
    let text = read_text(file)?;
    if verse::is_verse(&text) {
        return Ok((verse::of_poems(&text), true));
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok((of_book(&Book::from_text(&name, &text)), false))
}

/// The passages of one book, in reading order, none sharing a sentence with another.
pub fn of_book(book: &Book) -> Vec<Vec<String>> {
    let mut passages = Vec::new();
    let mut run: Vec<(String, bool)> = Vec::new();
    for paragraph in &book.paragraphs {
        if paragraph.iter().all(|sentence| is_plain(sentence)) {
            let last = paragraph.len() - 1;
            let whole = paragraph.iter().enumerate();
            run.extend(whole.map(|(i, sentence)| (as_read(sentence), i == last)));
        } else {
            cut(&run, &mut passages);
            run.clear();
        }
    }
    cut(&run, &mut passages);
    passages
}

/// Cuts sentences that follow each other, each with whether its paragraph ends with it.
fn cut(run: &[(String, bool)], passages: &mut Vec<Vec<String>>) {
    let mut first = 0;
    while first < run.len() {
        if opens_in_the_middle(&run[first].0) {
            first += 1;
            continue;
        }
        let mut words = 0;
        let (mut longest, mut at_paragraph) = (None, None);
        for (place, (sentence, ends)) in run.iter().enumerate().skip(first) {
            words += sentence.split(' ').count();
            if words > WORDS.1 {
                break;
            }
            if words >= WORDS.0 {
                longest = Some(place + 1);
                at_paragraph = if *ends { Some(place + 1) } else { at_paragraph };
            }
        }
        let Some(end) = at_paragraph.or(longest) else {
            first += 1;
            continue;
        };
        let text: Vec<String> = run[first..end].iter().map(|(s, _)| s.clone()).collect();
        if text.len() >= LEAST_SENTENCES && names(&text) * WORDS_A_NAME <= words_of(&text) {
            passages.push(text);
        }
        first = end;
    }
}

/// The passages that speak most of visible things, and some others; evenly from many books.
fn most_visible(
    mut all: Vec<Passage>,
    count: usize,
    is_seen: &dyn Fn(&str) -> bool,
) -> Vec<Passage> {
    let share = |passage: &Passage| {
        let text = passage.text().to_lowercase();
        let words: Vec<&str> = plain_words(&text).collect();
        let seen = words.iter().filter(|word| is_seen(word)).count();
        seen as f64 / words.len().max(1) as f64
    };
    all.sort_by_cached_key(|passage| std::cmp::Reverse((share(passage) * 1e6) as u64));
    let most_of_a_book = (count / SHARE_OF_A_BOOK).max(1);
    let mut of_book = std::collections::HashMap::new();
    let (mut taken, mut others) = (Vec::new(), Vec::new());
    for passage in all {
        let from: &mut usize = of_book.entry(passage.book.clone()).or_default();
        if taken.len() < count * SEEN_OF_TEN / 10 && *from < most_of_a_book {
            *from += 1;
            taken.push(passage);
        } else {
            others.push(passage);
        }
    }
    let rest = count.saturating_sub(taken.len()).min(others.len());
    taken.extend((0..rest).map(|i| others[i * others.len() / rest].clone()));
    taken
}

/// The books that are held out: by their names, and at least one where there are two.
fn held_out(files: &[PathBuf]) -> HashSet<PathBuf> {
    let is_held = |file: &&PathBuf| {
        let name = file.file_name().unwrap_or_default();
        let sum = sha256(name.to_string_lossy().as_bytes());
        let first = u8::from_str_radix(&sum[..2], 16).unwrap_or(0);
        first.is_multiple_of(HELD_OUT)
    };
    let held: HashSet<PathBuf> = files.iter().filter(is_held).cloned().collect();
    match files {
        [_, .., last] if held.is_empty() => HashSet::from([last.clone()]),
        _ => held,
    }
}

fn style_of(folder: &Path, file: &Path) -> Option<String> {
    let below = file.strip_prefix(folder).ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    (below.components().count() > 1).then(|| first.to_owned())
}

/// Whether a tokenised sentence is told, not spoken, and is prose.
fn is_plain(sentence: &str) -> bool {
    let odd = |token: &str| {
        TALK.contains(&token)
            || token.contains(['[', ']', '*', '|', '{', '}', '_', '=', '<', '>'])
            || token.chars().filter(char::is_ascii_digit).count() > 2
    };
    !sentence.split(' ').any(odd)
}

fn opens_in_the_middle(sentence: &str) -> bool {
    let first = sentence.split(|c: char| !c.is_alphabetic()).next();
    let first = first.unwrap_or_default().to_lowercase();
    OPENS_IN_THE_MIDDLE.contains(&first.as_str())
}

fn as_read(sentence: &str) -> String {
    detokenize::prose(&sentence.split(' ').collect::<Vec<_>>())
}

fn words_of(sentences: &[String]) -> usize {
    let words = sentences.iter().map(|sentence| sentence.split(' ').count());
    words.sum()
}

/// Words with a capital letter that do not begin a sentence.
fn names(sentences: &[String]) -> usize {
    let inner = sentences
        .iter()
        .flat_map(|sentence| sentence.split(' ').skip(1));
    inner
        .filter(|word| word.len() > 1 && word.starts_with(|c: char| c.is_uppercase()))
        .count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sentence(words: usize, of: &str) -> String {
        format!("The {of}{} .", " went on".repeat(words / 2 - 1))
    }

    fn book(paragraphs: &[Vec<String>]) -> Book {
        Book {
            name: "book".to_owned(),
            paragraphs: paragraphs.to_vec(),
        }
    }

    #[test]
    fn a_passage_ends_where_a_paragraph_ends_and_nobody_talks_in_it() {
        let told = |of: &str| sentence(20, of);
        let spoken = vec!["`` Come in , '' he said .".to_owned()];
        let found = of_book(&book(&[
            vec![told("dog"), told("cat"), told("cow")],
            vec![told("owl")],
            vec![told("pig"), told("hen")],
            spoken.clone(),
            vec![told("rat")],
            spoken,
        ]));
        // five sentences fit, but the fourth is the last that ends a paragraph
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), 4);
        assert!(found[0][3].starts_with("The owl") && found[0][3].ends_with("on."));
    }

    #[test]
    fn names_of_books_decide_alone_which_are_held_out() {
        let files: Vec<PathBuf> = (0..400)
            .map(|n| PathBuf::from(format!("b{n}.txt")))
            .collect();
        let held = held_out(&files);
        assert!((10..60).contains(&held.len()), "{}", held.len());
        let some: Vec<PathBuf> = files.iter().rev().take(200).cloned().collect();
        let again = held_out(&some);
        assert!(again.is_subset(&held) && !again.is_empty());
        assert_eq!(
            held_out(&files[..1]).len(),
            usize::from(held.contains(&files[0]))
        );
    }

    #[test]
    fn passages_about_visible_things_come_first_and_from_many_books() {
        let passage = |book: usize, word: &str| Passage {
            style: None,
            book: format!("{book}.txt"),
            held_out: false,
            verse: false,
            sentences: vec![format!("There was a {word}.")],
        };
        let mut all: Vec<Passage> = (0..20).map(|n| passage(n % 2, "tree")).collect();
        all.extend((0..20).map(|n| passage(n, "thought")));
        let found = most_visible(all, 10, &|word| word == "tree");
        let trees = found
            .iter()
            .filter(|passage| passage.text().contains("tree"))
            .count();
        // two books of trees give a quarter each
        assert_eq!(found.len(), 10);
        assert!(trees >= 4, "{trees}");
    }
}
