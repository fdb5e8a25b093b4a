//! What `bundle.toml` says: the parts of a bundle, their files and the sums of all of them.
//!
//! Read by [`super::Bundle`]; trainers, imports and the fixture bundle write it. What must stay true: fields are only added,
//! each with a default, so that bundles of older versions are read.

use crate::networks::vse::SentenceEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the file that describes a bundle.
pub const MANIFEST: &str = "bundle.toml";

/// What `bundle.toml` says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Manifest {
    /// A short name, such as `starter`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The language of its stories, such as `en`.
    pub language: String,
    /// The style that stands for plain descriptions.
    #[serde(default = "default_caption_style")]
    pub caption_style: String,
    /// The file of the style vectors.
    #[serde(default = "default_style_vectors")]
    pub style_vectors: String,
    /// How much further from their mean the styles are set than they are: 1 is the original's shift; strict stories
    /// always have that.
    #[serde(default = "default_emphasis")]
    pub style_emphasis: f64,
    /// What looks at pictures.
    pub image_encoder: ImageEncoder,
    /// The joint space of pictures and sentences.
    pub vse: VsePart,
    /// The text encoders.
    pub skip_thoughts: SkipThoughtsPart,
    /// What writes.
    pub decoder: DecoderPart,
    /// The captions.
    pub gallery: GalleryPart,
    /// What a person may choose from.
    pub styles: Vec<Style>,
    /// Data, terms and measured quality; free form.
    #[serde(default)]
    pub training: toml::Table,
    /// File name to sha256, of every file in the folder that the parts name.
    pub files: BTreeMap<String, String>,
}

/// The image encoder of a bundle.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ImageEncoder {
    /// Which network.
    pub kind: ImageEncoderKind,
    /// Its weights in the folder …
    pub file: Option<String>,
    /// … or in the cache, where the set-up step put them.
    pub fetched: Option<String>,
}

/// The networks that can look at a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageEncoderKind {
    /// EfficientNet-Lite0, 1280 numbers.
    EfficientnetLite0,
    /// VGG-19 up to fc7, 4096 numbers: the original's.
    Vgg19,
}

/// The part `[vse]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct VsePart {
    /// Weights.
    pub file: String,
    /// Words, one a line from id 2.
    pub words: String,
    /// How many ids the network knows; all of the file unless given.
    pub known_words: Option<usize>,
    /// How it reads a sentence.
    #[serde(default)]
    pub encoder: SentenceEncoder,
}

/// The part `[skip_thoughts]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SkipThoughtsPart {
    /// Weights of the one-way encoder.
    pub uni: String,
    /// Weights of the two-way encoder.
    pub bi: String,
    /// Word vectors of both.
    pub tables: String,
    /// The word of each row, `UNK` and `<eos>` among them.
    pub words: String,
}

/// The part `[decoder]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct DecoderPart {
    /// Weights.
    pub file: String,
    /// Words, one a line from id 2.
    pub words: String,
    /// Whether there is a layer between state and words.
    #[serde(default = "default_deep_output")]
    pub deep_output: bool,
}

/// The part `[gallery]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct GalleryPart {
    /// Captions, one a line, pre-tokenised.
    pub captions: String,
    /// What is known about each caption, if it was computed when the bundle was made (see [`super::vectors`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<String>,
}

/// A style that a person may choose.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Style {
    /// The name in requests; also the name of its vector.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// How many passages its vector is the mean of.
    pub passages: u64,
    /// Where the passages are from.
    pub source: String,
}

fn default_caption_style() -> String {
    "caption".to_owned()
}

/// The original's shift, as it is.
pub fn default_emphasis() -> f64 {
    1.0
}

fn default_style_vectors() -> String {
    "styles.safetensors".to_owned()
}

fn default_deep_output() -> bool {
    true
}
