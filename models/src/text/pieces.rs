//! Text to tokens and back: byte-level BPE for language models, WordPiece for sentence encoders.
//!
//! The work is done by the `tokenizers` crate; here is only how a model's own file says it is to be done. A model's
//! control tokens are recognised inside texts too, as its authors' tokenizer does: texts of users never go through here
//! without [`Pieces::encode_plain`].

use crate::error::{Error, Result};
use crate::tensors::gguf::Gguf;
use std::path::Path;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{AddedToken, Tokenizer};

/// A tokenizer.
#[derive(Clone, Debug)]
pub struct Pieces {
    tokenizer: Tokenizer,
    label: String,
}

impl Pieces {
    /// The tokenizer of a language model: in its GGUF file, or beside its weights in a folder.
    ///
    /// # Errors
    /// When there is none of a known kind.
    pub fn of_model(path: &Path) -> Result<Self> {
        if path.is_dir() {
            Self::from_json(&path.join("tokenizer.json"))
        } else {
            Self::from_gguf(&Gguf::open(path)?)
        }
    }

    /// The tokenizer of a language model's GGUF file.
    ///
    /// # Errors
    /// When the file has no byte-level BPE of a known kind.
    pub fn from_gguf(file: &Gguf) -> Result<Self> {
        let label = file.label();
        let (model, kind) = (
            file.text("tokenizer.ggml.model")?,
            file.text("tokenizer.ggml.pre")?,
        );
        if model != "gpt2" || !["smollm", "gpt-2", "llama-bpe", "qwen2"].contains(&kind) {
            let reason = format!(
                "its tokenizer is `{model}`, `{kind}`; byte-level BPE (gpt2: smollm, gpt-2) is read"
            );
            return Err(Error::format(label, reason));
        }
        let tokens = file.texts("tokenizer.ggml.tokens")?;
        let merges = file.texts("tokenizer.ggml.merges")?;
        let merges = merges.iter().filter_map(|merge| {
            let (left, right) = merge.split_once(' ')?;
            Some((left.to_owned(), right.to_owned()))
        });
        let vocabulary: Vocab = tokens
            .iter()
            .zip(0u32..)
            .map(|(token, id)| (token.clone(), id))
            .collect();
        let bpe = BPE::builder()
            .vocab_and_merges(vocabulary, merges.collect())
            .build();
        let mut tokenizer = Tokenizer::new(bpe.map_err(|error| wrong(&label, &error))?);
        let bytes = ByteLevel::new(false, true, true);
        let before: Vec<PreTokenizerWrapper> = if kind == "smollm" {
            vec![Digits::new(true).into(), bytes.into()]
        } else {
            vec![bytes.into()]
        };
        tokenizer.with_pre_tokenizer(Some(Sequence::new(before)));
        tokenizer.with_decoder(Some(bytes));
        let control =
            |token: &&String| token.starts_with("<|") && token.ends_with("|>") || is_angled(token);
        let special: Vec<AddedToken> = tokens
            .iter()
            .take_while(control)
            .map(|token| AddedToken::from(token.clone(), true).normalized(false))
            .collect();
        tokenizer.add_special_tokens(&special);
        Ok(Self { tokenizer, label })
    }

    /// A tokenizer as Hugging Face publishes it, `tokenizer.json`; padding and cutting are ours.
    ///
    /// # Errors
    /// When the file cannot be read or is of another form.
    pub fn from_json(path: &Path) -> Result<Self> {
        let label = path.display().to_string();
        let mut tokenizer = Tokenizer::from_file(path).map_err(|error| wrong(&label, &error))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| wrong(&label, &error))?;
        Ok(Self { tokenizer, label })
    }

    /// Token ids of a text, control tokens recognised.
    ///
    /// # Errors
    /// When the tokenizer cannot read it.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let found = self.tokenizer.encode_fast(text, false);
        let found = found.map_err(|error| wrong(&self.label, &error))?;
        Ok(found.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    /// As [`Pieces::encode`], for texts that must not name control tokens: what looks like one loses its first bracket.
    ///
    /// # Errors
    /// When the tokenizer cannot read it.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<i64>> {
        self.encode(&text.replace("<|", "|"))
    }

    /// The token that is a space and this word; none where these are several.
    ///
    /// # Errors
    /// When the tokenizer cannot read it.
    pub fn token_of(&self, word: &str) -> Result<Option<i64>> {
        Ok(match self.encode_plain(&format!(" {word}"))?[..] {
            [token] => Some(token),
            _ => None,
        })
    }

    /// Token ids between the marks that a sentence encoder wants around them, at most `longest`, the last mark kept.
    ///
    /// # Errors
    /// When the tokenizer cannot read it.
    pub fn encode_sentence(&self, text: &str, longest: usize) -> Result<Vec<i64>> {
        let found = self.tokenizer.encode_fast(text, true);
        let found = found.map_err(|error| wrong(&self.label, &error))?;
        let mut ids: Vec<i64> = found.get_ids().iter().map(|&id| i64::from(id)).collect();
        if ids.len() > longest {
            let last = ids[ids.len() - 1];
            ids.truncate(longest - 1);
            ids.push(last);
        }
        Ok(ids)
    }

    /// The text of token ids, control tokens left out; bytes that make no character become U+FFFD.
    ///
    /// # Errors
    /// When an id is none of the vocabulary's.
    pub fn decode(&self, ids: &[i64]) -> Result<String> {
        self.decoded(ids, true)
    }

    /// As [`Pieces::decode`], control tokens shown.
    ///
    /// # Errors
    /// When an id is none of the vocabulary's.
    pub fn decode_all(&self, ids: &[i64]) -> Result<String> {
        self.decoded(ids, false)
    }

    fn decoded(&self, ids: &[i64], skip: bool) -> Result<String> {
        let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
        self.tokenizer
            .decode(&ids, skip)
            .map_err(|error| wrong(&self.label, &error))
    }

    /// The id of a token, such as `<|im_end|>`.
    pub fn id(&self, token: &str) -> Option<i64> {
        self.tokenizer.token_to_id(token).map(i64::from)
    }

    /// How many tokens there are.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}

/// Control tokens of some models have names such as `<repo_name>`.
fn is_angled(token: &str) -> bool {
    token.len() > 2 && token.starts_with('<') && token.ends_with('>')
}

fn wrong(label: &str, error: &dyn std::fmt::Display) -> Error {
    Error::format(label, format!("its tokenizer cannot be used: {error}"))
}
