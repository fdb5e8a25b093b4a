//! The words that a thought can be read out as.
//!
//! Each word of the list has a direction in the space of thoughts; matching pursuit (Mallat & Zhang 1993) takes the word
//! nearest to a thought, removes what it explains, and goes on. Two words of one stem are never picked together. Words
//! that were often read and seldom meant are kept in the list, since training used them, but never picked.

use crate::error::{Error, Result};
use crate::tensors::floats::floats;
use crate::tensors::weights::Weights;
use crate::text::pieces::Pieces;
use std::collections::{HashMap, HashSet};
use tch::{Device, Kind, Tensor};

/// How far down the best words a pick looks for one whose stem is free.
const FIRST_LOOK: usize = 40;

/// A word of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word, in lower case.
    pub text: String,
    /// The language model's token for a space and the word.
    pub token: i64,
    /// Whether it may be picked when stories are told.
    pub kept: bool,
    stem: String,
}

/// The list with its directions.
#[derive(Debug)]
pub struct WordList {
    words: Vec<Word>,
    all: Directions,
    /// Those of the kept words alone.
    kept: Directions,
    by_text: HashMap<String, usize>,
}

/// Where words point.
#[derive(Debug)]
struct Directions {
    /// (N, T) unit rows.
    rows: Tensor,
    /// The place in the list of each row's word (N).
    words: Vec<usize>,
}

impl WordList {
    /// From the lines of a file (word, token, …, kept as 0 or 1; tabs between) and the array `directions`.
    ///
    /// # Errors
    /// When a line is no word, or there is not one direction a word.
    pub fn parse(file: &str, text: &str, weights: &Weights, device: Device) -> Result<Self> {
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with('#'));
        let words = lines.map(|(number, line)| {
            Word::parse(line).ok_or_else(|| {
                let reason = format!(
                    "line {} is no word with its token and whether it is kept",
                    number + 1
                );
                Error::format(file, reason)
            })
        });
        let words = words.collect::<Result<Vec<_>>>()?;
        let directions = weights.tensor("directions", &[words.len() as i64, -1])?;
        Ok(Self::new(words, directions.to_device(device)))
    }

    /// From words and their directions (W, T).
    pub fn new(words: Vec<Word>, directions: Tensor) -> Self {
        let kept: Vec<usize> = (0..words.len()).filter(|&i| words[i].kept).collect();
        let rows: Vec<i64> = kept.iter().map(|&i| i as i64).collect();
        let kept_rows =
            directions.index_select(0, &Tensor::from_slice(&rows).to_device(directions.device()));
        let by_text = words
            .iter()
            .enumerate()
            .map(|(i, word)| (word.text.clone(), i))
            .collect();
        Self {
            all: Directions {
                rows: directions,
                words: (0..words.len()).collect(),
            },
            kept: Directions {
                rows: kept_rows,
                words: kept,
            },
            words,
            by_text,
        }
    }

    /// The same words for another language model: those of which a space and the word are one token of it.
    ///
    /// # Errors
    /// When the tokenizer cannot read a word.
    pub fn for_pieces(&self, pieces: &Pieces) -> Result<Self> {
        let (mut words, mut rows) = (Vec::new(), Vec::new());
        for (row, word) in self.words.iter().enumerate() {
            if let Some(token) = pieces.token_of(&word.text)? {
                words.push(Word::new(&word.text, token, word.kept));
                rows.push(row as i64);
            }
        }
        let directions = &self.all.rows;
        let rows = Tensor::from_slice(&rows).to_device(directions.device());
        Ok(Self::new(words, directions.index_select(0, &rows)))
    }

    /// The tokens of all words.
    pub fn tokens(&self) -> impl Iterator<Item = i64> {
        self.words.iter().map(|word| word.token)
    }

    /// The list as [`WordList::parse`] reads it: its lines, and the directions (W, T).
    pub fn written(&self) -> (String, &Tensor) {
        let lines = self
            .words
            .iter()
            .map(|word| format!("{}\t{}\t{}\n", word.text, word.token, u8::from(word.kept)));
        let head = "# word\ttoken of a space and the word\twhether it is told\n";
        (head.to_owned() + &lines.collect::<String>(), &self.all.rows)
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// A word of the list.
    pub fn word(&self, index: usize) -> &Word {
        &self.words[index]
    }

    /// The place of a word that may be picked.
    pub fn find(&self, text: &str) -> Option<usize> {
        self.by_text
            .get(text)
            .copied()
            .filter(|&i| self.words[i].kept)
    }

    /// The place of any word of the list.
    pub fn find_any(&self, text: &str) -> Option<usize> {
        self.by_text.get(text).copied()
    }

    /// `count` words for a difference from the mean thought (T), nearest first; stems in `taken` are passed over and those
    /// of the picked words join them.
    pub fn read(
        &self,
        difference: &Tensor,
        count: usize,
        taken: &mut HashSet<String>,
    ) -> Vec<usize> {
        let picks = self.pursue(&self.kept, difference, count, taken);
        picks.into_iter().map(|(word, _)| word).collect()
    }

    /// As [`WordList::read`] from all words, and with the margin by which each pick beat the next one that was free.
    pub fn read_all(&self, difference: &Tensor, count: usize) -> Vec<(usize, f32)> {
        self.pursue(&self.all, difference, count, &mut HashSet::new())
    }

    fn pursue(
        &self,
        among: &Directions,
        difference: &Tensor,
        count: usize,
        taken: &mut HashSet<String>,
    ) -> Vec<(usize, f32)> {
        let _no_grad = tch::no_grad_guard();
        let Directions {
            rows: directions,
            words,
        } = among;
        let norm = difference.square().sum(Kind::Float).sqrt().clamp_min(1e-12);
        let mut rest = (difference / norm).to_kind(Kind::Float);
        let look = FIRST_LOOK.min(directions.size()[0] as usize);
        let mut picked = Vec::new();
        while picked.len() < count && look > 0 {
            let (scores, rows) = directions.mv(&rest).topk(look as i64, 0, true, true);
            let (scores, rows) = (floats(&scores), whole(&rows));
            let mut free = (0..look).filter(|&k| !taken.contains(&self.words[words[rows[k]]].stem));
            let Some(first) = free.next() else { break };
            let margin = free
                .next()
                .map_or(f32::INFINITY, |next| scores[first] - scores[next]);
            let row = rows[first];
            taken.insert(self.words[words[row]].stem.clone());
            picked.push((words[row], margin));
            rest -= directions.get(row as i64) * f64::from(scores[first]);
        }
        picked
    }
}

impl Word {
    /// A word with the language model's token for it.
    pub fn new(text: impl Into<String>, token: i64, kept: bool) -> Self {
        let text = text.into();
        let stem = stem(&text).to_owned();
        Self {
            text,
            token,
            kept,
            stem,
        }
    }

    /// What words of one family share.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let (text, token) = (*fields.first()?, fields.get(1)?.parse().ok()?);
        let kept = *fields.last()? == "1";
        (fields.len() >= 3 && !text.is_empty()).then(|| Self::new(text, token, kept))
    }
}

/// The runs of ASCII letters of a text in lower case: the list holds no other words.
pub fn plain_words(lower: &str) -> impl Iterator<Item = &str> {
    let runs = lower.split(|c: char| !c.is_ascii_lowercase());
    runs.filter(|run| !run.is_empty())
}

/// One ending cut off where three letters stay, then five letters: crude, and enough to keep "horse" from following
/// "horses". The list holds ASCII words only.
pub fn stem(word: &str) -> &str {
    let ending = ["ing", "ed", "es", "s", "er", "ly"]
        .into_iter()
        .find(|ending| {
            word.strip_suffix(ending)
                .is_some_and(|rest| rest.chars().count() >= 3)
        });
    let rest = ending
        .and_then(|ending| word.strip_suffix(ending))
        .unwrap_or(word);
    rest.char_indices()
        .nth(5)
        .map_or(rest, |(end, _)| &rest[..end])
}

fn whole(tensor: &Tensor) -> Vec<usize> {
    let numbers: Vec<i64> = Vec::try_from(tensor.to_device(Device::Cpu)).unwrap_or_default();
    numbers.into_iter().map(|n| n as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn a_stem_loses_one_ending_and_all_but_five_letters() {
        for (word, wanted) in [
            ("horses", "hors"),
            ("horse", "horse"),
            ("sitting", "sitt"),
            ("red", "red"),
            ("mountain", "mount"),
        ] {
            assert_eq!(stem(word), wanted);
        }
    }
}
