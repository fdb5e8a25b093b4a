//! The corpus that training reads: files found, books read, words counted.
//!
//! Used by the trainers and by `storyteller train corpus`. `kept` says what is left out of each book, `original_order`
//! numbers words as the original did.

mod kept;
mod original_order;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use models::text::book::Book;
use models::text::encoding::read_text;
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
        // a pipe is read like a file
        if !path.is_dir() {
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
    if is_tokenised(path) {
        return Book::read(path);
    }
    Ok(Book::from_text(&name_of(path), &read_text(path)?))
}

/// Whether a file is a book that was read before.
pub fn is_tokenised(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "tok")
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

/// A name for each book, of its file's; two books of one file name in two folders are two books, so the second is called
/// `poems-2`. Nothing that is written under these names overwrites another.
pub fn names_apart(paths: &[PathBuf]) -> Vec<String> {
    let mut taken = HashSet::new();
    let names: HashSet<String> = paths.iter().map(|path| name_of(path)).collect();
    paths
        .iter()
        .map(|path| {
            let name = name_of(path);
            let numbered = (2..)
                .map(|number| format!("{name}-{number}"))
                .filter(|other| !names.contains(other));
            let free = std::iter::once(name.clone())
                .chain(numbered)
                .find(|name| !taken.contains(name))
                .expect("there are more numbers than files");
            taken.insert(free.clone());
            free
        })
        .collect()
}

/// A book is called after its file.
fn name_of(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_of_one_file_name_get_names_of_their_own() {
        let paths = [
            "a/poems.txt",
            "b/poems.txt",
            "b/poems-2.txt",
            "c/poems.tok",
            "c/sea.txt",
        ];
        let names = names_apart(&paths.map(PathBuf::from));
        assert_eq!(names, ["poems", "poems-3", "poems-2", "poems-4", "sea"]);
    }
}
