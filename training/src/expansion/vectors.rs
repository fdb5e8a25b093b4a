//! Word vectors as others publish them: GloVe text, word2vec text (a first line of two numbers) and word2vec binary.
//!
//! [`WordVectors::read`] tells them apart by their beginnings. A damaged file is refused with the line (or the word)
//! where it breaks; nothing is guessed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use tch::{Kind, Tensor};

use models::{Error, Result};

/// Words and their vectors, row for row.
#[derive(Debug)]
pub struct WordVectors {
    /// The words, in the order of the file: usually the most frequent first.
    pub words: Vec<String>,
    /// (words, S), f32.
    pub vectors: Tensor,
}

/// A word longer than this (in bytes) means that a binary file is no such file.
const LONGEST_WORD: usize = 2000;
/// Vectors of more numbers are in no file that we know of; a larger figure is a damaged header.
const LARGEST_VECTOR: usize = 10_000;

struct Reader<'a> {
    file: BufReader<File>,
    path: &'a Path,
    words: Vec<String>,
    numbers: Vec<f32>,
}

impl WordVectors {
    /// Reads a file, at most the first `most` words of it.
    ///
    /// # Errors
    /// When it cannot be read or is damaged; the message names line and reason.
    pub fn read(path: &Path, most: usize) -> Result<WordVectors> {
        let file = File::open(path).map_err(|error| Error::file("read", path, error))?;
        let mut reader = Reader {
            file: BufReader::with_capacity(1 << 20, file),
            path,
            words: Vec::new(),
            numbers: Vec::new(),
        };
        let first = reader.line()?.unwrap_or_default();
        let first =
            String::from_utf8(first).map_err(|_| reader.wrong(1, "it is not UTF-8 text"))?;
        let size = match header(&first) {
            Some((count, size)) if reader.is_binary()? => {
                reader.binary(count.min(most), size)?;
                size
            }
            Some((_, size)) => {
                reader.text(2, size, most)?;
                size
            }
            None => {
                let size = first.split_whitespace().count().saturating_sub(1);
                if size < 2 {
                    return Err(reader.wrong(1, "a word and its numbers are expected"));
                }
                reader.add_line(1, &first, size)?;
                reader.text(2, size, most)?;
                size
            }
        };
        reader.finish(size)
    }

    /// The number S of numbers a word.
    pub fn size(&self) -> usize {
        self.vectors.size()[1] as usize
    }
}

/// The first line of word2vec files: how many words, how many numbers each.
fn header(line: &str) -> Option<(usize, usize)> {
    let mut numbers = line.split_whitespace();
    let header = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    numbers.next().is_none().then_some(header)
}

impl Reader<'_> {
    /// The next line without its end; none at the end of the file.
    fn line(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let read = self.file.read_until(b'\n', &mut line);
        let read = read.map_err(|error| Error::file("read", self.path, error))?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok((read > 0).then_some(line))
    }

    /// Whether raw floats follow: bytes that no line of numbers has.
    fn is_binary(&mut self) -> Result<bool> {
        let ahead = self.file.fill_buf();
        let ahead = ahead.map_err(|error| Error::file("read", self.path, error))?;
        let ahead = &ahead[..ahead.len().min(4096)];
        let raw = |&byte: &u8| byte < b'\t' || (14..32).contains(&byte);
        Ok(ahead.iter().any(raw))
    }

    fn text(&mut self, mut line: usize, size: usize, most: usize) -> Result<()> {
        while self.words.len() < most {
            let Some(bytes) = self.line()? else { break };
            let text = String::from_utf8(bytes).map_err(|_| self.wrong(line, "it is not UTF-8"))?;
            self.add_line(line, &text, size)?;
            line += 1;
        }
        Ok(())
    }

    fn add_line(&mut self, line: usize, text: &str, size: usize) -> Result<()> {
        let parts: Vec<&str> = text
            .trim_end()
            .split(' ')
            .filter(|p| !p.is_empty())
            .collect();
        if parts.len() < size + 1 {
            let found = parts.len().saturating_sub(1);
            return Err(self.wrong(line, &format!("{found} numbers, {size} are needed")));
        }
        // some files hold words with blanks in them
        let (word, numbers) = parts.split_at(parts.len() - size);
        for number in numbers {
            let value: f32 = number
                .parse()
                .map_err(|_| self.wrong(line, &format!("{number:?} is no number")))?;
            if !value.is_finite() {
                return Err(self.wrong(line, &format!("{number} cannot be part of a vector")));
            }
            self.numbers.push(value);
        }
        self.words.push(word.join("_"));
        Ok(())
    }

    fn binary(&mut self, count: usize, size: usize) -> Result<()> {
        if size == 0 || size > LARGEST_VECTOR {
            return Err(self.wrong(1, &format!("vectors of {size} numbers are not possible")));
        }
        let mut raw = vec![0u8; size * 4];
        for number in 1..=count {
            let broken = |what: &str| self_wrong(self.path, &format!("word {number}: {what}"));
            let mut word = Vec::new();
            let read = (&mut self.file)
                .take(LONGEST_WORD as u64)
                .read_until(b' ', &mut word);
            read.map_err(|error| Error::file("read", self.path, error))?;
            if word.pop() != Some(b' ') {
                return Err(broken("the file ends, or the word does not"));
            }
            self.file
                .read_exact(&mut raw)
                .map_err(|_| broken("the file ends within its vector"))?;
            let values = raw
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b));
            self.numbers.extend(values);
            let word = String::from_utf8_lossy(&word);
            self.words.push(word.trim_start_matches('\n').to_owned());
        }
        if let Some(place) = self.numbers.iter().position(|value| !value.is_finite()) {
            let what = format!("word {}: a number is not finite", place / size + 1);
            return Err(self_wrong(self.path, &what));
        }
        Ok(())
    }

    fn finish(self, size: usize) -> Result<WordVectors> {
        if self.words.is_empty() {
            return Err(self.wrong(1, "it holds no words"));
        }
        let shape = [self.words.len() as i64, size as i64];
        Ok(WordVectors {
            vectors: Tensor::from_slice(&self.numbers)
                .view(shape)
                .to_kind(Kind::Float),
            words: self.words,
        })
    }

    fn wrong(&self, line: usize, reason: &str) -> Error {
        self_wrong(self.path, &format!("line {line}: {reason}"))
    }
}

fn self_wrong(path: &Path, reason: &str) -> Error {
    Error::format(path.display().to_string(), reason)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<WordVectors> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        WordVectors::read(file.path(), 100)
    }

    #[test]
    fn all_three_forms_give_the_same_vectors() {
        let glove = read(b"the 1 -2.5\ndog 0.25 3\n").unwrap();
        let text = read(b"2 2\nthe 1 -2.5\ndog 0.25 3\n").unwrap();
        let mut bytes = b"2 2\n".to_vec();
        for (word, numbers) in [("the", [1f32, -2.5]), ("dog", [0.25, 3.0])] {
            bytes.extend(format!("{word} ").as_bytes());
            bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
            bytes.push(b'\n');
        }
        let binary = read(&bytes).unwrap();
        for vectors in [&glove, &text, &binary] {
            assert_eq!(vectors.words, ["the", "dog"]);
            assert!(vectors.vectors.equal(&glove.vectors));
        }
        bytes.truncate(bytes.len() - 4);
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains("word 2"), "{error}");
    }

    #[test]
    fn a_damaged_line_is_named_with_its_number() {
        for (text, part) in [
            ("the 1 2\ndog 3\n", "line 2: 1 numbers, 2 are needed"),
            ("the 1 2\ndog 3 x4\n", "line 2: \"x4\" is no number"),
            ("the 1 2\ncat 1 1\ndog 3 nan\n", "line 3: nan cannot"),
            ("", "line 1"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }
}
