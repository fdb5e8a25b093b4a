//! The part of a bundle that sees: its files and the numbers of its score, read from `seeing.toml` in the bundle's folder.
//! The storyteller opens it with a bundle; `storyteller train` writes the files that it names.

use super::mentions::Mentions;
use super::{Recipe, Seeing};
use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::networks::word_head::WordHead;
use serde::{Deserialize, Serialize};

/// The file in a bundle's folder.
pub const FILE: &str = "seeing.toml";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeeingPart {
    /// Weights of the detector.
    pub detector: String,
    /// Weights of the joint spaces; their products are averaged.
    pub joints: Vec<String>,
    /// Vectors of the names of the classes.
    pub names: String,
    /// Phrases and the classes that they name.
    pub mentions: String,
    /// Weights of the word head.
    pub word_head: String,
    /// Its words, one a line.
    pub words: String,
    /// The numbers of the score.
    pub recipe: Recipe,
}

impl SeeingPart {
    /// Reads the file of a bundle.
    ///
    /// # Errors
    /// When it is missing, differs from its sum, or lacks a field.
    pub fn read(bundle: &Bundle) -> Result<Self> {
        toml::from_str(&bundle.text(FILE)?).map_err(|error| {
            Error::format(bundle.path(FILE).display().to_string(), error.to_string())
        })
    }

    /// Loads what turns looks into captions.
    ///
    /// # Errors
    /// When a file is missing, differs from its sum, or does not fit the others.
    pub fn seeing(&self, bundle: &Bundle) -> Result<Seeing> {
        let weights = |file: &String| bundle.weights(file);
        let joints = self
            .joints
            .iter()
            .map(weights)
            .collect::<Result<Vec<_>>>()?;
        let mentions = Mentions::parse(&self.mentions, &bundle.text(&self.mentions)?)?;
        let names = weights(&self.names)?;
        Seeing::load(self.recipe.clone(), &joints, &names, mentions)
    }

    /// Names what is read of a gallery: changes with the captions and all that they are read with, and with nothing else.
    ///
    /// # Errors
    /// When one of the files has no sum.
    pub fn readings_key(&self, bundle: &Bundle) -> Result<String> {
        let joints = self.joints.iter().map(String::as_str);
        let files = joints.chain([FILE, self.mentions.as_str()]);
        bundle.key(&bundle.captions_key()?, files)
    }

    /// Loads what turns looks into words.
    ///
    /// # Errors
    /// As [`SeeingPart::seeing`].
    pub fn word_head(&self, bundle: &Bundle) -> Result<WordHead> {
        let words = bundle.text(&self.words)?;
        let words = words.lines().map(str::to_owned).collect();
        WordHead::load(&bundle.weights(&self.word_head)?, words)
    }
}
