//! The pickled dictionaries of joint space and decoder: words with ids from 2 on (algorithm.md §1.4).
//! A file may hold a second pickle with counts, which nobody needs.

use std::path::Path;

use crate::formats::Value;
use models::{Error, Result, Vocabulary};

/// Reads the words of a dictionary in the order of their ids.
///
/// # Errors
/// When the file is missing or broken, an entry is no word with a number, or a number from 2 on is missing.
pub(crate) fn read(file: &Path) -> Result<Vocabulary> {
    let wrong = |reason: String| Error::format(file.display().to_string(), reason);
    let (value, _) = super::pickle(file)?;
    let Value::Dict(entries) = value else {
        return Err(wrong("a dictionary of words is expected in it".to_owned()));
    };
    let mut words: Vec<Option<String>> = Vec::new();
    for (word, id) in &entries {
        let text = match word {
            Value::Text(text) => text.clone(),
            Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => return Err(wrong(format!("{other:?} is no word"))),
        };
        let place = id
            .as_int()
            .and_then(|id| usize::try_from(id - 2).ok())
            .filter(|&place| place < entries.len());
        let place = place.ok_or_else(|| {
            wrong(format!(
                "word {text:?} has the number {id:?}, not 2 … {}",
                entries.len() + 1
            ))
        })?;
        if words.len() <= place {
            words.resize(place + 1, None);
        }
        words[place] = Some(text);
    }
    let all: Option<Vec<String>> = words.iter().cloned().collect();
    all.map(Vocabulary::from_words).ok_or_else(|| {
        let missing = words.iter().position(Option::is_none).unwrap_or(0) + 2;
        wrong(format!("no word has the number {missing}"))
    })
}
