//! Books: plain text becomes paragraphs of tokenised sentences.
//!
//! Trainers read their corpus with it, and a style from a text is made of its passages. What must stay true: sentences
//! are cut by `tokenize`, the same way captions are cut when a story is told, and nothing but the author's prose is
//! kept (no licence texts, no headings).

use crate::text::tokenize;
use crate::{Error, Result};
use std::path::Path;

/// A sentence as its tokens joined by single spaces.
pub type Sentence = String;

/// One book: its name (the file's stem) and its paragraphs of sentences.
#[derive(Clone, Debug)]
pub struct Book {
    /// The file's stem.
    pub name: String,
    /// Paragraphs in order, each a list of tokenised sentences.
    pub paragraphs: Vec<Vec<Sentence>>,
}

/// A paragraph shorter than this and without a final mark is a heading, not prose.
const HEADING_WORDS: usize = 12;

/// Lines longer than this on average mean that a line is a whole paragraph.
const WRAPPED_LINE: usize = 100;

impl Book {
    /// Cuts a book's plain text into paragraphs and sentences.
    pub fn from_text(name: &str, text: &str) -> Book {
        let paragraphs = paragraphs(without_licence(text))
            .iter()
            .map(|paragraph| plain_marks(paragraph))
            .filter(|paragraph| is_prose(paragraph))
            .map(|paragraph| sentences(&paragraph))
            .filter(|sentences| !sentences.is_empty())
            .collect();
        Book {
            name: name.to_owned(),
            paragraphs,
        }
    }

    /// Reads what [`Book::write`] wrote: a sentence a line, an empty line between paragraphs.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(path: &Path) -> Result<Book> {
        let text = read_text(path)?;
        let paragraphs = text
            .split("\n\n")
            .map(|paragraph| paragraph.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter(|sentences| !sentences.is_empty())
            .collect();
        Ok(Book {
            name: stem(path),
            paragraphs,
        })
    }

    /// Writes the tokenised book into `folder` as `NAME.tok`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text: Vec<String> = self
            .paragraphs
            .iter()
            .map(|sentences| sentences.join("\n"))
            .collect();
        let path = folder.join(format!("{}.tok", self.name));
        std::fs::write(&path, text.join("\n\n") + "\n")
            .map_err(|error| Error::file("write", &path, error))
    }

    /// All sentences in reading order.
    pub fn sentences(&self) -> impl Iterator<Item = &Sentence> {
        self.paragraphs.iter().flatten()
    }

    /// Passages of consecutive sentences, each of at least `least` and at most `most` words; paragraphs are joined
    /// until a passage is long enough, a sentence that would make it too long starts the next one.
    pub fn passages(&self, least: usize, most: usize) -> Vec<Sentence> {
        let mut passages = Vec::new();
        let mut current: Vec<&str> = Vec::new();
        let mut words = 0;
        for sentence in self.sentences() {
            let length = sentence.split(' ').count();
            if words + length > most {
                current.clear();
                words = 0;
            }
            if length > most {
                continue;
            }
            current.push(sentence);
            words += length;
            if words >= least {
                passages.push(current.join(" "));
                current.clear();
                words = 0;
            }
        }
        passages
    }
}

/// A text file; bytes that are not UTF-8 are taken as Latin-1.
///
/// # Errors
/// When the file cannot be read.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::file("read", path, error))?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error
            .into_bytes()
            .iter()
            .map(|&byte| char::from(byte))
            .collect(),
    })
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The text between Project Gutenberg's start and end marks, or all of it where there are none.
pub fn without_licence(text: &str) -> &str {
    let is_mark = |line: &str, word: &str| {
        let line = line.to_uppercase();
        line.contains("***") && line.contains(word) && line.contains("GUTENBERG")
    };
    let mut start = 0;
    let mut end = text.len();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if is_mark(line, "START")
            || line.starts_with("*END*THE SMALL PRINT")
            || line.contains("*END THE SMALL PRINT")
        {
            start = offset + line.len();
        } else if start < offset
            && (is_mark(line, "END OF") || line.starts_with("End of the Project Gutenberg"))
        {
            end = offset;
            break;
        }
        offset += line.len();
    }
    &text[start.min(end)..end]
}

/// The paragraphs of a plain text: lines joined up to an empty one, or each line where lines are long.
pub fn paragraphs(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let average = text.len() / lines.len().max(1);
    if average > WRAPPED_LINE {
        return lines.iter().map(|line| line.trim().to_owned()).collect();
    }
    let mut paragraphs = vec![String::new()];
    for line in text.lines() {
        match line.trim() {
            "" => paragraphs.push(String::new()),
            line => {
                let last = paragraphs
                    .last_mut()
                    .expect("there is always one: it starts with one");
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// Typographic marks as the tokeniser knows them; underscores and asterisks of emphasis go.
pub fn plain_marks(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '“' | '”' | '„' | '«' | '»' => plain.push('"'),
            '‘' | '’' | '`' => plain.push('\''),
            '—' | '–' | '―' => plain.push_str(" -- "),
            '…' => plain.push_str(" ... "),
            '_' | '*' | '|' | '~' | '^' => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Whether a paragraph is prose, and no heading or table.
pub fn is_prose(paragraph: &str) -> bool {
    let words = paragraph.split_whitespace().count();
    let ends = paragraph
        .trim_end()
        .ends_with(['.', '!', '?', '"', '\'', ';', ':', ',', '-', ')']);
    let capitals = paragraph.chars().filter(|c| c.is_uppercase()).count();
    let letters = paragraph.chars().filter(|c| c.is_alphabetic()).count();
    letters > 0 && capitals * 2 < letters && (ends || words >= HEADING_WORDS)
}

/// The tokenised sentences of a paragraph.
pub fn sentences(paragraph: &str) -> Vec<Sentence> {
    let spaced: Vec<&str> = paragraph.split_whitespace().collect();
    tokenize::sentences(&spaced.join(" "))
        .iter()
        .map(|sentence| tokenize::preprocess(sentence).join(" "))
        .filter(|sentence| sentence.split(' ').count() >= 2)
        .collect()
}
