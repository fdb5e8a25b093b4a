//! What a writer is made for and on: the bundle that lends everything else, and the language model's side of words.
//! The training of an adapter stands on these; nothing here changes while it learns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use models::Bundle;
use models::bundle::language_model::LanguageModelPart;
use models::networks::bert::SentenceEncoder;
use models::networks::prefix::Spread;
use models::pipeline::caption_thoughts;
use models::text::pieces::Pieces;
use models::text::words::WordList;
use tch::{Device, Kind, Tensor};
use training::recipes::adapter::lessons::Lessons;

use crate::commands::progress::LoadingBar;

/// The bundle that a new writer is made for.
pub(super) struct Source {
    pub(super) bundle: Bundle,
    pub(super) part: LanguageModelPart,
    pub(super) cache: PathBuf,
    pub(super) device: Device,
}

/// What the writer is asked about: all that stays as it is while it learns.
pub(super) struct Ground {
    pub(super) words: WordList,
    pub(super) spread: Spread,
    pub(super) captions: Vec<String>,
    pub(super) caption_thoughts: Tensor,
    pub(super) caption: Tensor,
}

impl Source {
    pub(super) fn ground(
        &self,
        encoder: &SentenceEncoder,
        bar: &mut LoadingBar,
    ) -> anyhow::Result<Ground> {
        let arrays = self.bundle.weights(&self.part.thoughts)?;
        let words = self.part.words.as_str();
        let captions = self.bundle.captions()?;
        let kept = self.cache.join("gallery").join(self.bundle.captions_key()?);
        let caption_thoughts =
            caption_thoughts::recall(&captions, encoder, &kept, &mut |what, done, of| {
                bar.show(what, done, of);
            })?;
        Ok(Ground {
            words: WordList::parse(words, &self.bundle.text(words)?, &arrays, Device::Cpu)?,
            spread: Spread::load(&arrays, encoder.size())?,
            caption: caption_thoughts.mean_dim(0i64, false, Kind::Float),
            captions,
            caption_thoughts,
        })
    }
}

impl Source {
    /// A base as a bundle names it: within the cache where it lies there, else by its whole path.
    pub(super) fn name_of(&self, base: &Path) -> String {
        let whole = base.canonicalize();
        let whole = whole.unwrap_or_else(|_| base.to_owned());
        let cache = self.cache.canonicalize();
        let within = cache.ok().and_then(|cache| {
            let within = whole.strip_prefix(cache).ok()?;
            Some(within.to_owned())
        });
        within.unwrap_or(whole).display().to_string()
    }
}

/// The language model's side of words.
pub(super) struct Tongue {
    pub(super) pieces: Pieces,
    /// What ends a passage.
    pub(super) end: i64,
    pub(super) words: WordList,
}

impl Tongue {
    pub(super) fn of(base: &Path, words: &WordList) -> anyhow::Result<Self> {
        let pieces = Pieces::of_model(base)?;
        let end = pieces.id("<|im_end|>");
        Ok(Self {
            end: end.context(
                "the language model's tokenizer has no <|im_end|>, which ends a passage",
            )?,
            words: words.for_pieces(&pieces)?,
            pieces,
        })
    }

    /// All tokens that stand in passages or can be told.
    pub(super) fn allowed(&self, all: [&Lessons; 2]) -> Vec<i64> {
        let written = all.iter().flat_map(|lessons| lessons.written());
        let allowed: BTreeSet<i64> = written
            .chain(self.words.tokens())
            .chain([self.end])
            .collect();
        allowed.into_iter().collect()
    }
}
