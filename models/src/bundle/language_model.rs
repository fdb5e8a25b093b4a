//! The part of a bundle that thinks and writes with pretrained networks: a language model, its adapter, a sentence encoder.
//!
//! The networks themselves are fetched by set-up, or lie where their owner put them; a bundle holds only what was trained
//! for it. Any model of the llama family fits: sizes come from its own file.

use crate::error::{Error, Result};
use crate::text::wording::hears_thoughts;
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
    /// What was trained for it: low-rank matrices and the map from thoughts to soft tokens. Without it the model writes as it
    /// was published, and is asked in words alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// What the product of the matrices is multiplied with: alpha / rank.
    #[serde(default)]
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
    /// `{caption}`, `{words}`, `{hero}` and `{turn}` where these stand, and `{thought}` where the adapter learnt to hear soft
    /// tokens. Without it the prefix is soft tokens between fixed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The same for lyrics; what it asks for is written line by line. Without it lyrics are prose, set in lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lyrics_request: Option<String>,
    /// Who stories are about where their style names nobody: `an old gardener`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heroes: Vec<String>,
    /// What sets a story going, said of its hero: `who has lost a ring`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<String>,
    /// Phrases that the model says in every other story, one a line; sentences are rather chosen without them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worn: Option<String>,
    /// The folder of the sentence encoder: `model.safetensors`, `config.json`, `tokenizer.json`; as `base`.
    pub sentences: String,
}

impl LanguageModelPart {
    /// Refuses numbers that stories cannot be told with: TOML knows `nan` and `inf`, and so does a careless hand.
    ///
    /// # Errors
    /// The name of the number, what it is and what it may be.
    pub(super) fn check(&self) -> Result<(), String> {
        let numbers = [
            ("adapter_scale", self.adapter_scale, 100.0),
            ("style_pull", self.style_pull, 10.0),
            ("usage_pull", self.usage_pull, 2.0),
        ];
        for (name, number, most) in numbers {
            if !(0.0..=most).contains(&number) {
                return Err(format!("{name} is {number}: it may be 0 to {most}"));
            }
        }
        // without a request the prefix is soft tokens
        let prose = self.request.as_deref().is_none_or(hears_thoughts);
        let verse = self.lyrics_request.as_deref().is_some_and(hears_thoughts);
        if self.adapter.is_none() && (prose || verse) {
            let reason = "there is no adapter, and without one nobody hears soft tokens: give a request without {thought}, or the adapter";
            return Err(reason.to_owned());
        }
        if self.words_of_style > self.words_told {
            return Err(format!(
                "words_of_style is {}, of {} words_told: give fewer or tell more",
                self.words_of_style, self.words_told
            ));
        }
        Ok(())
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn part(changed: &str) -> Result<(), String> {
        let text = "kind = 'llama'\nbase = 'b'\nadapter = 'a'\nadapter_scale = 2.0\nthoughts = 't'\nwords = 'w'\nwords_told = 6\n\
             words_of_style = 2\nstyle_pull = 0.5\nusage_pull = 0.5\nsentences = 's'\n";
        let (name, _) = changed.split_once(" = ").unwrap_or_default();
        let lines = text.lines().map(|line| match line.split_once(" = ") {
            Some((key, _)) if key == name => changed,
            _ => line,
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        toml::from_str::<LanguageModelPart>(&text).unwrap().check()
    }

    #[test]
    fn without_an_adapter_nobody_is_asked_to_hear_thoughts() {
        let part = |lines: &str| {
            let text = "kind = 'llama'\nbase = 'b'\nthoughts = 't'\nwords = 'w'\nwords_told = 6\nwords_of_style = 2\nstyle_pull = 0.5\n\
                 sentences = 's'\n";
            let part: LanguageModelPart = toml::from_str(&format!("{text}{lines}")).unwrap();
            part.check()
        };
        assert_eq!(part("request = 'Tell.'"), Ok(()));
        assert_eq!(
            part("request = 'Tell.{thought}'\nadapter = 'a'\nadapter_scale = 2.0"),
            Ok(())
        );
        for lines in [
            "",
            "request = 'Tell.{thought}'",
            "request = 'Tell.'\nlyrics_request = 'Sing.{thought}'",
        ] {
            let said = part(lines).unwrap_err();
            assert!(said.contains("there is no adapter"), "{lines}: {said}");
        }
    }

    #[test]
    fn numbers_that_are_none_or_far_too_large_are_refused_by_name() {
        assert_eq!(part(""), Ok(()));
        for (changed, said) in [
            ("usage_pull = nan", "usage_pull is NaN: it may be 0 to 2"),
            ("usage_pull = -0.1", "usage_pull is -0.1: it may be 0 to 2"),
            ("style_pull = inf", "style_pull is inf: it may be 0 to 10"),
            (
                "adapter_scale = 1e9",
                "adapter_scale is 1000000000: it may be 0 to 100",
            ),
            (
                "words_of_style = 7",
                "words_of_style is 7, of 6 words_told: give fewer or tell more",
            ),
        ] {
            assert_eq!(part(changed).unwrap_err(), said);
        }
    }
}
