//! Which tokens a story leans towards: those of the words that its style says more often than all styles do.
//!
//! Words come from the bundle, tokens from its model; a word that is several tokens is leaned nowhere. `drawing` adds the nats.

use super::Language;
use super::item::Item;
use crate::bundle::Bundle;
use crate::error::Result;
use crate::pipeline::writer::{Unit, Writer};
use crate::text::usage::Usage;

/// The words that a bundle counts, if it counts any.
#[derive(Debug)]
pub(super) struct Leanings {
    usage: Option<Usage>,
    /// Where each word stands among the tokens that may be written.
    tokens: Vec<Option<usize>>,
}

impl Leanings {
    /// Those of a bundle, for its writer.
    ///
    /// # Errors
    /// When the words cannot be read.
    pub(super) fn open(bundle: &Bundle, writer: &Writer) -> Result<Self> {
        let usage = bundle.usage()?;
        let tokens = match &usage {
            Some(usage) => writer.places_of(usage.words())?,
            None => Vec::new(),
        };
        Ok(Self { usage, tokens })
    }

    /// The words.
    pub(super) fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }
}

/// Where the tokens of a request's words stand, and what is added to their logits. Verse is drawn as it comes: its words have
/// to rhyme.
///
/// # Errors
/// When the numbers of a style cannot be read.
pub(super) fn of(language: &Language, item: &Item, unit: Unit) -> Result<Vec<(usize, f32)>> {
    if unit == Unit::Line {
        return Ok(Vec::new());
    }
    let pull = language.part.usage_pull as f32;
    let nats = language.styles.leaning(&item.mix)?;
    let placed = nats.into_iter().zip(&language.leanings.tokens);
    Ok(placed
        .filter_map(|(nats, place)| Some(((*place)?, pull * nats)))
        .collect())
}
