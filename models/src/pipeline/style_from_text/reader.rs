//! Who reads the passages of a style-to-be, and who knows the bundle's language: one of the two kinds of pipeline.
//! `style_from_text` asks it; a mean is over passages as the bundle's own styles are.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use crate::bundle::Bundle;
use crate::bundle::language_model::fetched;
use crate::error::Result;
use crate::networks::bert::SentenceEncoder;
use crate::networks::skip_thoughts::{Encoding, SkipThoughts};
use crate::text::book::Book;
use crate::text::detokenize;
use crate::text::pieces::Pieces;
use crate::text::usage::Usage;
use crate::text::vocabulary::{UNK, Vocabulary};

/// Among so many frequent words of the decoder a text of its language finds most of its own.
const FREQUENT_WORDS: i64 = 20_000;

/// Who reads the passages, and who knows the bundle's language.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'a> {
    /// Skip-thoughts, and the words of a recurrent decoder.
    Recurrent(&'a SkipThoughts, &'a Vocabulary),
    /// A sentence encoder, the tokens of a language model, and the words that its styles lean towards.
    Language(&'a SentenceEncoder, &'a Pieces, Option<&'a Usage>),
}

/// The networks of a bundle that read passages.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it stays where it is"
)]
pub enum Networks {
    /// What [`Reader::Recurrent`] reads with.
    Recurrent(SkipThoughts, Vocabulary),
    /// What [`Reader::Language`] reads with.
    Language(SentenceEncoder, Pieces, Option<Usage>),
}

impl Networks {
    /// Opens these and no others; fetched networks lie in `cache`.
    ///
    /// # Errors
    /// When one is not there, or cannot be opened.
    pub fn open(bundle: &Bundle, cache: &Path, device: Device) -> Result<Self> {
        if let Some(part) = &bundle.manifest().language_model {
            let sentences = SentenceEncoder::open(&fetched(cache, &part.sentences)?, device)?;
            let pieces = Pieces::of_model(&fetched(cache, &part.base)?)?;
            return Ok(Self::Language(sentences, pieces, bundle.usage()?));
        }
        let (_, words) = bundle.decoder(Device::Cpu)?;
        Ok(Self::Recurrent(bundle.skip_thoughts(device)?, words))
    }

    /// Who reads with them.
    pub fn reader(&self) -> Reader<'_> {
        match self {
            Self::Recurrent(encoder, words) => Reader::Recurrent(encoder, words),
            Self::Language(encoder, pieces, usage) => {
                Reader::Language(encoder, pieces, usage.as_ref())
            }
        }
    }
}

impl Reader<'_> {
    /// The sum (C) of the vectors of passages of tokens.
    pub(super) fn sum_of_vectors(
        self,
        passages: &[&String],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Tensor> {
        let _no_grad = tch::no_grad_guard();
        let vectors = match self {
            Self::Recurrent(encoder, _) => {
                let tokens: Vec<Vec<String>> = passages
                    .iter()
                    .map(|passage| passage.split(' ').map(str::to_owned).collect())
                    .collect();
                encoder.encode(&tokens, Encoding::default(), progress)
            }
            Self::Language(encoder, ..) => {
                encoder.encode(&one_sentence_each(passages), progress)?
            }
        };
        Ok(vectors
            .sum_dim_intlist(0i64, false, Kind::Float)
            .to_device(Device::Cpu))
    }

    /// What stands behind the thought of a style (W): how often its books use the words that are counted, if any are.
    pub(super) fn usage(self, books: &[Book]) -> Tensor {
        match self {
            Self::Language(_, _, Some(usage)) => Tensor::from_slice(&usage.of(books)),
            _ => Tensor::zeros([0], (Kind::Float, Device::Cpu)),
        }
    }

    /// Whether a token is a word of the bundle's language.
    pub(super) fn knows(self, token: &str) -> bool {
        let lower = token.to_lowercase();
        match self {
            Self::Recurrent(_, words) => {
                let found = |word: &str| words.id(word, FREQUENT_WORDS) != UNK;
                found(token) || found(&lower)
            }
            // a frequent word is one token; those of other languages are put together from several
            Self::Language(_, pieces, _) => {
                pieces.token_of(&lower).is_ok_and(|token| token.is_some())
            }
        }
    }
}

/// From each passage another sentence: the first of the first, the second of the second, and so on around. Their mean is
/// that of all sentences, for a fifth of the work.
fn one_sentence_each(passages: &[&String]) -> Vec<String> {
    let pick = |(index, passage): (usize, &&String)| {
        let tokens: Vec<&str> = passage.split(' ').collect();
        let sentences: Vec<&[&str]> = tokens
            .split_inclusive(|token| [".", "!", "?"].contains(token))
            .filter(|sentence| sentence.len() > 3)
            .collect();
        let sentence = sentences.get(index % sentences.len().max(1));
        detokenize::prose(sentence.copied().unwrap_or(&tokens))
    };
    passages.iter().enumerate().map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_passage_gives_another_of_its_sentences() {
        let passage = "It rained all day . It stopped at night . Ah .".to_owned();
        let found = one_sentence_each(&[&passage, &passage, &passage]);
        assert_eq!(
            found,
            [
                "It rained all day.",
                "It stopped at night.",
                "It rained all day."
            ]
        );
    }
}
