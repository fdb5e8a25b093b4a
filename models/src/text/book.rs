//! Books: plain text becomes paragraphs of tokenised sentences.
//!
//! Trainers read their corpus with it, and a style from a text is made of its passages. What must stay true: sentences
//! are cut by `tokenize`, the same way captions are cut when a story is told, and nothing but the author's prose is
//! kept (no licence texts, no headings).

use crate::durable;
use crate::error::Result;
use crate::text::{encoding, tokenize};
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
        let paragraphs = paragraphs(&without_licence(text))
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
        let text = encoding::read_text(path)?;
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
        durable::write(&path, text.join("\n\n") + "\n")
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

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What a line of a text file says about what lies around it.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    /// a book begins after it
    Start,
    /// what came since the start was licence, the book begins after it
    SmallPrint,
    /// the book is over
    End,
}

fn mark(line: &str) -> Option<Mark> {
    let upper = line.to_uppercase();
    let says =
        |word: &str| upper.contains("***") && upper.contains(word) && upper.contains("GUTENBERG");
    if line.starts_with("*END*THE SMALL PRINT") || line.contains("*END THE SMALL PRINT") {
        Some(Mark::SmallPrint)
    } else if says("END OF") || line.starts_with("End of the Project Gutenberg") {
        Some(Mark::End)
    } else if says("START") {
        Some(Mark::Start)
    } else {
        None
    }
}

/// What lies between Project Gutenberg's start and end marks, of each book that the text holds, or all of it where there
/// are no marks. A book that has lost its end mark reaches to the start of the next one.
pub fn without_licence(text: &str) -> String {
    let mut books: Vec<&str> = Vec::new();
    let (mut start, mut begun, mut offset) = (Some(0), false, 0);
    for line in text.split_inclusive('\n') {
        let after = offset + line.len();
        match (mark(line), start) {
            (Some(Mark::Start), Some(from)) if begun => {
                books.push(&text[from..offset]);
                start = Some(after);
            }
            (Some(Mark::Start | Mark::SmallPrint), _) => {
                start = Some(after);
                begun = true;
            }
            (Some(Mark::End), Some(from)) => {
                books.push(&text[from..offset]);
                (start, begun) = (None, false);
            }
            (Some(Mark::End) | None, _) => {}
        }
        offset = after;
    }
    books.extend(start.map(|from| &text[from..]));
    books.join("\n\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn book(number: usize) -> String {
        format!(
            "Produced by hand\n\n*** START OF THE PROJECT GUTENBERG EBOOK {number} ***\n\nBook {number} speaks.\n\n\
             End of the Project Gutenberg EBook\n*** END OF THE PROJECT GUTENBERG EBOOK {number} ***\n\nLicence.\n"
        )
    }

    fn read(text: &str) -> String {
        let words: Vec<String> = without_licence(text)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        words.join(" ")
    }

    #[test]
    fn of_several_books_in_one_text_each_is_kept_without_its_licence() {
        let all = [1, 2, 3].map(book).concat();
        assert_eq!(read(&all), "Book 1 speaks. Book 2 speaks. Book 3 speaks.");
        let unended = "*** START OF THE PROJECT GUTENBERG EBOOK 1 ***\nBook 1 speaks.\n".to_owned();
        assert_eq!(
            read(&(unended + &book(2))),
            "Book 1 speaks. Produced by hand Book 2 speaks."
        );
    }

    #[test]
    fn old_small_print_goes_and_a_text_without_marks_stays_whole() {
        let old = "*** START OF THE PROJECT GUTENBERG ETEXT ***\nSmall print.\n*END*THE SMALL PRINT! Ver.04\nBook.\n\
                   End of the Project Gutenberg Etext\n";
        assert_eq!(
            read(old),
            "Small print. Book.".trim_start_matches("Small print. ")
        );
        assert_eq!(
            read("She said *** and left.\n\nThe end."),
            "She said *** and left. The end."
        );
    }
}
