//! The part of a bundle that thinks and writes with pretrained networks: a language model, its adapter, a sentence encoder.
//!
//! The networks themselves are fetched by set-up, or lie where their owner put them; a bundle holds only what was trained
//! for it. Any model of the llama family fits: sizes come from its own file.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The part `[language_model]` of `bundle.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageModelPart {
    /// The family of the network that writes.
    pub kind: LanguageModelKind,
    /// Its weights: a GGUF file or a folder with `config.json` and `model.safetensors`, absolute or within the cache.
    pub base: String,
    /// What was trained for it: low-rank matrices and the map from thoughts to soft tokens.
    pub adapter: String,
    /// What the product of the matrices is multiplied with: alpha / rank.
    pub adapter_scale: f64,
    /// Arrays `mean` and `std` of thoughts of prose, `directions` of the words, `tokens` that may be written.
    pub thoughts: String,
    /// The words that thoughts can be read out as.
    pub words: String,
    /// How many words a story is told to speak of.
    pub words_told: usize,
    /// How many of them say the style, at strength 1.
    pub words_of_style: usize,
    /// How far a thought moves towards a style, at strength 1; prose has a spread of about 1.
    pub style_pull: f64,
    /// The words of [`crate::text::usage`], whose frequencies stand behind the thought in the vector of each style. Without them
    /// a style is heard in its thought and its manner alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// How far a story leans towards the words of its style, at strength 1; 1 would be as often as its books say them.
    #[serde(default)]
    pub usage_pull: f64,
    /// How it is asked in words, for a model that was taught to answer requests: everything before the passage, with `{manner}`,
    /// `{caption}` and `{words}` where these stand, and `{thought}` where the adapter learnt to hear soft tokens. Without it
    /// the prefix is soft tokens between fixed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The same for lyrics; what it asks for is written line by line. Without it lyrics are prose, set in lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lyrics_request: Option<String>,
    /// The folder of the sentence encoder: `model.safetensors`, `config.json`, `tokenizer.json`; as `base`.
    pub sentences: String,
}

/// The families of language models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LanguageModelKind {
    /// Llama, SmolLM and what computes alike.
    Llama,
}

/// Where a network that a bundle names lies: at an absolute path, or within the cache, where set-up put it.
///
/// # Errors
/// When it is not there.
pub fn fetched(cache: &Path, name: &str) -> Result<PathBuf> {
    let path = cache.join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(Error::Bundle {
        path,
        reason: "the network is not there: run `make setup` (scripts/setup-language.sh)".to_owned(),
    })
}
