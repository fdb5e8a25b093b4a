//! Skip-thought vectors: what a text means, as the two published encoders see it (algorithm.md §4).
//!
//! One encoder reads a text forwards, the other both ways. A vector is [uni | bi], each half of unit
//! length. The caller tokenises (see `tokenize::preprocess`); words that the tables lack read as
//! `UNK`. The storyteller never adds the end mark, and the style vectors were made the same way.

use crate::batches::{AT_ONCE, by_length};
use crate::vse::unit_rows;
use crate::{Error, Gru, Result, Weights};
use std::collections::HashMap;
use tch::{Device, Kind, Tensor};

/// The encoders with their word tables; C is the size of a whole vector.
#[derive(Debug)]
pub struct SkipThoughts {
    uni: Gru,
    forward: Gru,
    backward: Gru,
    uni_table: Tensor,
    bi_table: Tensor,
    rows: HashMap<String, i64>,
    unknown: i64,
    end: i64,
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
    /// Joins encoders and tables.
    ///
    /// # Errors
    /// When an array is missing, shapes do not fit each other or the number of words, or the words
    /// lack `UNK` or `<eos>`.
    pub fn new(parts: &SkipThoughtParts) -> Result<Self> {
        let uni = Gru::new(parts.uni, "encoder")?;
        let forward = Gru::new(parts.bi, "encoder")?;
        let backward = Gru::new(parts.bi, "encoder_r")?;
        let count = parts.words.len() as i64;
        let uni_table = parts.tables.tensor("utable", &[count, uni.input_size()])?;
        let bi_table = parts
            .tables
            .tensor("btable", &[count, forward.input_size()])?;
        if backward.input_size() != forward.input_size() {
            let reason = "`encoder` and `encoder_r` read words of different sizes";
            return Err(Error::format(parts.bi.label(), reason));
        }
        let rows: HashMap<String, i64> = parts
            .words
            .iter()
            .zip(0..)
            .map(|(word, row)| (word.trim().to_owned(), row))
            .collect();
        let row_of = |word: &str| {
            let missing = || Error::format(parts.tables.label(), format!("no row for `{word}`"));
            rows.get(word).copied().ok_or_else(missing)
        };
        let (unknown, end) = (row_of("UNK")?, row_of("<eos>")?);
        Ok(Self {
            uni,
            forward,
            backward,
            uni_table,
            bi_table,
            rows,
            unknown,
            end,
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
        for (length, batch) in by_length(rows.iter().map(Vec::len), AT_ONCE) {
            let flat: Vec<i64> = batch
                .iter()
                .flat_map(|&i| rows[i].iter().copied())
                .collect();
            let ids = Tensor::from_slice(&flat).view([batch.len() as i64, length as i64]);
            let vectors = self.encode_batch(&ids.to_device(self.device()), how.normalise);
            let places: Vec<i64> = batch.iter().map(|&i| i as i64).collect();
            let places = Tensor::from_slice(&places).to_device(self.device());
            let _ = out.index_copy_(0, &places, &vectors);
            done += batch.len();
            progress(done);
        }
        out
    }

    /// Rows of the tables (B, T), T > 0, to vectors (B, C).
    fn encode_batch(&self, ids: &Tensor, normalise: bool) -> Tensor {
        let (count, length) = (ids.size()[0], ids.size()[1]);
        let steps = ids.tr().contiguous().view([-1]);
        let look = |table: &Tensor| table.index_select(0, &steps).view([length, count, -1]);
        let last = |gru: &Gru, x: &Tensor| gru.run(x, None, None).select(0, length - 1);
        let uni = last(&self.uni, &look(&self.uni_table));
        let words = look(&self.bi_table);
        let halves = [
            last(&self.forward, &words),
            last(&self.backward, &words.flip(0)),
        ];
        let bi = Tensor::cat(&halves, 1);
        if normalise {
            Tensor::cat(&[unit_rows(&uni), unit_rows(&bi)], 1)
        } else {
            Tensor::cat(&[uni, bi], 1)
        }
    }

    fn rows_of(&self, tokens: &[String], how: Encoding) -> Vec<i64> {
        let row = |token: &String| self.rows.get(token).copied().unwrap_or(self.unknown);
        tokens
            .iter()
            .map(row)
            .chain(how.end_mark.then_some(self.end))
            .collect()
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.uni_table.device()
    }
}
