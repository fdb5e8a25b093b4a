//! What a language model is told before it writes: tokens, and among them those of a thought.
//!
//! Stories are told from it and adapters learn from it: one shape for both, so that they cannot drift apart.

use crate::error::Result;
use crate::text::pieces::Pieces;
use crate::text::wording::Asked;
use tch::Tensor;

/// What begins a text, in models that were taught conversations.
pub const BEGIN: &str = "<|im_start|>";
/// What ends one.
pub const END: &str = "<|im_end|>";
/// Stands for a soft token among those of [`Told::tokens`].
pub const SOFT: i64 = -1;

/// What becomes soft tokens.
#[derive(Debug)]
pub struct Heard {
    /// The shifted thought (T).
    pub thought: Tensor,
    /// The style as a difference from the mean thought (T); zeros for none.
    pub style: Tensor,
}

/// Everything before a passage.
#[derive(Debug)]
pub struct Told {
    before: Vec<i64>,
    heard: Option<Heard>,
    after: Vec<i64>,
}

impl Told {
    /// As an adapter is taught where a bundle has no request: soft tokens of a thought, and the tokens of words.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn learnt(pieces: &Pieces, heard: Heard, words: &[i64]) -> Result<Self> {
        let end = pieces.encode(&format!("{END}\n"))?;
        Ok(Self {
            before: pieces.encode(BEGIN)?,
            heard: Some(heard),
            after: [words, &end].concat(),
        })
    }

    /// A request in words; `heard` is left out where it has no place for it.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn asked(pieces: &Pieces, asked: &Asked, heard: Heard) -> Result<Self> {
        let after = asked.after.as_ref();
        Ok(Self {
            before: pieces.encode(&asked.before)?,
            heard: after.map(|_| heard),
            after: pieces.encode(after.map_or("", String::as_str))?,
        })
    }

    /// What becomes soft tokens, if anything does.
    pub fn heard(&self) -> Option<&Heard> {
        self.heard.as_ref()
    }

    /// All tokens, with [`SOFT`] at the places of `soft` tokens that the thought becomes.
    pub fn tokens(&self, soft: i64) -> Vec<i64> {
        let soft = self.heard.as_ref().map_or(0, |_| soft as usize);
        [&self.before[..], &vec![SOFT; soft], &self.after].concat()
    }
}
