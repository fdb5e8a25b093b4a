//! Skip-thought vectors: what a text means, as the two published encoders see it (algorithm.md §4).
//!
//! One encoder reads a text forwards, the other both ways. A vector is [uni | bi], each half of unit
//! length. The caller tokenises (see `tokenize::preprocess`); words that the tables lack read as
//! `UNK`. The storyteller never adds the end mark, and the style vectors were made the same way.
//! The tables may lie on disk: a batch reads the rows of its words and no more.

mod words;

use crate::error::{Error, Result};
use crate::networks::batches::{AT_ONCE, longest_first};
use crate::networks::gru::Gru;
use crate::tensors::matrix::Matrix;
use crate::tensors::unit_rows::unit_rows;
use crate::tensors::weights::Weights;
use tch::{Device, Kind, Tensor};

pub use words::WordRows;

/// The encoders with their word tables; C is the size of a whole vector.
#[derive(Debug)]
pub struct SkipThoughts {
    uni: Gru,
    forward: Gru,
    backward: Gru,
    tables: WordTables,
    words: WordRows,
    unknown: i64,
    end: i64,
    device: Device,
}

/// The word vectors of both encoders, (V, E) each.
#[derive(Debug)]
pub struct WordTables {
    /// What the one-way encoder reads (`utable`).
    pub uni: Matrix,
    /// What the two-way encoder reads (`btable`).
    pub bi: Matrix,
}

/// Where the parts of [`SkipThoughts`] come from.
#[derive(Debug)]
pub struct SkipThoughtParts<'a> {
    /// Holds the GRU `encoder`.
    pub uni: &'a Weights,
    /// Holds the GRUs `encoder` and `encoder_r`.
    pub bi: &'a Weights,
    /// Holds `utable` and `btable`, (V, E) each.
    pub tables: &'a Weights,
    /// The word of each row; `UNK` and `<eos>` among them. Of a word given twice the last row wins.
    pub words: &'a [String],
}

/// How to encode; the default is what the storyteller uses.
#[derive(Clone, Copy, Debug)]
pub struct Encoding {
    /// Reads `<eos>` after the last word.
    pub end_mark: bool,
    /// Brings each half to unit length.
    pub normalise: bool,
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            end_mark: false,
            normalise: true,
        }
    }
}

impl SkipThoughts {
    /// Joins encoders and tables that are in memory.
    ///
    /// # Errors
    /// As [`SkipThoughts::with_tables`].
    pub fn new(parts: &SkipThoughtParts) -> Result<Self> {
        let table = |name| Matrix::from_tensor(parts.tables.tensor(name, &[-1, -1])?);
        let tables = WordTables {
            uni: table("utable")?,
            bi: table("btable")?,
        };
        let words = WordRows::from_words(parts.words);
        Self::with_tables(parts.uni, parts.bi, tables, words)
    }

    /// Joins encoders (`uni` holds the GRU `encoder`, `bi` the GRUs `encoder` and `encoder_r`) and tables wherever they
    /// lie.
    ///
    /// # Errors
    /// When an array is missing, shapes do not fit each other or the number of words, or the words
    /// lack `UNK` or `<eos>`.
    pub fn with_tables(
        uni: &Weights,
        bi: &Weights,
        tables: WordTables,
        words: WordRows,
    ) -> Result<Self> {
        let device = uni.tensor("encoder_b", &[-1])?.device();
        let (uni_label, bi_label) = (uni.label(), bi.label());
        let uni = Gru::new(uni, "encoder")?;
        let (forward, backward) = (Gru::new(bi, "encoder")?, Gru::new(bi, "encoder_r")?);
        if backward.input_size() != forward.input_size() {
            let reason = "`encoder` and `encoder_r` read words of different sizes";
            return Err(Error::format(bi_label, reason));
        }
        let pairs = [
            ("utable", &tables.uni, uni.input_size()),
            ("btable", &tables.bi, forward.input_size()),
        ];
        for (name, table, size) in pairs {
            let (found, wanted) = ([table.count(), table.width()], [words.len() as i64, size]);
            if found != wanted {
                return Err(Error::Shape {
                    file: "the word tables".to_owned(),
                    name: name.to_owned(),
                    found: found.to_vec(),
                    wanted: wanted.to_vec(),
                });
            }
        }
        let row_of = |word: &str| {
            let missing = || Error::format("the word tables", format!("no row for `{word}`"));
            words.row(word).ok_or_else(missing)
        };
        let (unknown, end) = (row_of("UNK")?, row_of("<eos>")?);
        tracing::debug!(
            "skip-thoughts of {uni_label} and {bi_label}, {} words",
            words.len()
        );
        Ok(Self {
            uni,
            forward,
            backward,
            tables,
            words,
            unknown,
            end,
            device,
        })
    }

    /// The size C of a vector: the uni half and the bi half.
    pub fn size(&self) -> i64 {
        self.uni.state_size() + self.forward.state_size() + self.backward.state_size()
    }

    /// Texts, as tokens, to vectors (N, C). A text without tokens gets a vector of zeros.
    /// `progress` learns how many texts are done.
    pub fn encode(
        &self,
        texts: &[Vec<String>],
        how: Encoding,
        progress: &mut dyn FnMut(usize),
    ) -> Tensor {
        let rows: Vec<Vec<i64>> = texts
            .iter()
            .map(|tokens| self.rows_of(tokens, how))
            .collect();
        let mut out = Tensor::zeros(
            [rows.len() as i64, self.size()],
            (Kind::Float, self.device()),
        );
        let mut done = 0;
        for batch in longest_first(&rows).chunks(AT_ONCE) {
            let texts: Vec<&[i64]> = batch.iter().map(|&i| rows[i].as_slice()).collect();
            let vectors = self.encode_batch(&texts, how.normalise);
            let places: Vec<i64> = batch.iter().map(|&i| i as i64).collect();
            let places = Tensor::from_slice(&places).to_device(self.device());
            let _ = out.index_copy_(0, &places, &vectors);
            done += batch.len();
            progress(done);
        }
        self.tables.uni.release();
        self.tables.bi.release();
        out
    }

    /// Rows of the tables for each text, the longest text first and none empty, to vectors (B, C). A step reads the weights of
    /// the encoders once for all texts that have it.
    fn encode_batch(&self, texts: &[&[i64]], normalise: bool) -> Tensor {
        let longest = texts.first().map_or(0, |text| text.len());
        let having = |step: usize| texts.iter().take_while(move |text| text.len() > step);
        let counts: Vec<i64> = (0..longest).map(|s| having(s).count() as i64).collect();
        let read = |gru: &Gru, table: &Matrix, place: fn(usize, usize) -> usize| {
            let steps =
                (0..longest).flat_map(|s| having(s).map(move |text| text[place(s, text.len())]));
            let words = table
                .gather(&steps.collect::<Vec<_>>())
                .to_device(self.device);
            gru.run_packed(&words, &counts)
        };
        let forwards = |step: usize, _length: usize| step;
        let backwards = |step: usize, length: usize| length - 1 - step;
        let uni = read(&self.uni, &self.tables.uni, forwards);
        let halves = [
            read(&self.forward, &self.tables.bi, forwards),
            read(&self.backward, &self.tables.bi, backwards),
        ];
        let bi = Tensor::cat(&halves, 1);
        if normalise {
            Tensor::cat(&[unit_rows(&uni), unit_rows(&bi)], 1)
        } else {
            Tensor::cat(&[uni, bi], 1)
        }
    }

    fn rows_of(&self, tokens: &[String], how: Encoding) -> Vec<i64> {
        let row = |token: &String| self.words.row(token).unwrap_or(self.unknown);
        tokens
            .iter()
            .map(row)
            .chain(how.end_mark.then_some(self.end))
            .collect()
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.device
    }
}
