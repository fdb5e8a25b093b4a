//! The part of a bundle that sees: its files and the numbers of its score, read from `seeing.toml` in the bundle's folder.
//! The storyteller opens it with a bundle; `storyteller train` writes the files that it names.

use super::mentions::Mentions;
use super::{Recipe, Seeing};
use crate::networks::word_head::WordHead;
use crate::tensors::weights::Weights;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

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
    /// Reads the file of a bundle's folder.
    ///
    /// # Errors
    /// When it is missing or a field of it is.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        toml::from_str(&text(&path)?)
            .map_err(|error| Error::format(path.display().to_string(), error.to_string()))
    }

    /// Loads what turns looks into captions.
    ///
    /// # Errors
    /// When a file is missing, damaged or does not fit the others.
    pub fn seeing(&self, folder: &Path) -> Result<Seeing> {
        let weights = |file: &String| Weights::from_safetensors(&folder.join(file));
        let joints = self
            .joints
            .iter()
            .map(weights)
            .collect::<Result<Vec<_>>>()?;
        let mentions = Mentions::parse(&self.mentions, &text(&folder.join(&self.mentions))?)?;
        Seeing::load(
            self.recipe.clone(),
            (&joints, &weights(&self.names)?),
            mentions,
        )
    }

    /// Loads what turns looks into words.
    ///
    /// # Errors
    /// As [`SeeingPart::seeing`].
    pub fn word_head(&self, folder: &Path) -> Result<WordHead> {
        let words = text(&folder.join(&self.words))?;
        let words = words.lines().map(str::to_owned).collect();
        WordHead::load(
            &Weights::from_safetensors(&folder.join(&self.word_head))?,
            words,
        )
    }
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::file("read", path, error))
}
