//! One set: artefacts under their original names beside `golden.json`, `golden.npz` and perhaps `golden_e2e.*`.
//!
//! The networks are opened once from the artefacts, exactly as an import opens them; the modules beside this one
//! compare a kind of number each, and `artefacts` calls them.

use std::path::{Path, PathBuf};

use tch::Device;

use super::facts::{Facts, Numbers};
use crate::reader::Original;
use models::{Decoder, Gallery, Result, SkipThoughts, Styles, Vocabulary, Vse};

/// A set with its networks.
pub(super) struct Set {
    pub(super) folder: PathBuf,
    pub(super) original: Original,
    pub(super) numbers: Numbers,
    pub(super) facts: Facts,
    pub(super) skip_thoughts: SkipThoughts,
    pub(super) vse: Vse,
    pub(super) gallery: Gallery,
    pub(super) styles: Styles,
    pub(super) decoders: Vec<(String, Decoder, Vocabulary)>,
}

impl Set {
    pub(super) fn open(folder: &Path, device: Device) -> Result<Self> {
        let original = Original::open(folder)?;
        let vse = original.vse(device)?;
        let captions = original.captions()?;
        let texts: Vec<&str> = captions.iter().map(String::as_str).collect();
        let embeddings = vse.embed_sentences(&texts, &mut |_| {});
        let decoders = original.decoders().into_iter().map(|name| {
            let (decoder, words) = original.decoder(&name, device)?;
            Ok((name, decoder, words))
        });
        Ok(Self {
            folder: folder.to_owned(),
            numbers: Numbers::open(&folder.join("golden.npz"), device)?,
            facts: Facts::open(&folder.join("golden.json"))?,
            skip_thoughts: original.skip_thoughts(device)?,
            gallery: Gallery::new(captions, embeddings)?,
            styles: original.styles()?.to_device(device),
            decoders: decoders.collect::<Result<_>>()?,
            vse,
            original,
        })
    }

    /// The decoder of this name with its words.
    pub(super) fn decoder(&self, name: &str) -> Result<(&Decoder, &Vocabulary)> {
        let found = self.decoders.iter().find(|(known, ..)| known == name);
        let (_, decoder, words) = found.ok_or_else(|| {
            let reason = format!("it holds no decoder {name}.npz");
            models::Error::format(self.folder.display().to_string(), reason)
        })?;
        Ok((decoder, words))
    }

    /// The style with which stories are told here.
    pub(super) fn romance(&self) -> Vec<(String, f32)> {
        vec![("romance".to_owned(), 1.0)]
    }
}
