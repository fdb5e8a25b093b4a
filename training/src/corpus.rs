//! The corpus that training reads: files found, books read, words counted.
//!
//! Used by the trainers and by `storyteller train corpus`. `kept` says what is left out of each book, `original_order`
//! numbers words as the original did.

mod kept;
mod original_order;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use models::text::book::{Book, read_text};
use models::{Error, Result};

pub use kept::{Cutter, Kept};
pub use original_order::{OriginalDictionary, original_dictionary};

/// Every `.txt` and `.tok` file under the given files and folders, sorted, so that runs repeat.
///
/// # Errors
/// When a path cannot be read.
pub fn find_texts(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_file() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| Error::file("read", path, error))?;
        let mut below = Vec::new();
        for entry in entries {
            let entry = entry
                .map_err(|error| Error::file("read", path, error))?
                .path();
            let text = entry
                .extension()
                .is_some_and(|kind| kind == "txt" || kind == "tok");
            if entry.is_dir() || text {
                below.push(entry);
            }
        }
        found.extend(find_texts(&below)?);
    }
    found.sort();
    Ok(found)
}

/// Reads and tokenises a plain text file; bytes that are not UTF-8 are taken as Latin-1.
///
/// # Errors
/// When the file cannot be read.
pub fn read_book(path: &Path) -> Result<Book> {
    if path.extension().is_some_and(|kind| kind == "tok") {
        return Book::read(path);
    }
    Ok(Book::from_text(&name_of(path), &read_text(path)?))
}

/// Words by descending count, ties in order of first appearance.
pub fn count_words<'a>(sentences: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    for word in sentences.flat_map(|sentence| sentence.split(' ')) {
        let place = counts.len();
        counts.entry(word).or_insert((0, place)).0 += 1;
    }
    let mut words: Vec<_> = counts.into_iter().collect();
    words.sort_by_key(|(_, (count, place))| (std::cmp::Reverse(*count), *place));
    words
        .into_iter()
        .map(|(word, (count, _))| (word.to_owned(), count))
        .collect()
}

/// A book is called after its file.
fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
