//! What `bundle.toml` says: the parts of a bundle, their files and the sums of all of them.
//!
//! Read by [`super::Bundle`]; trainers, imports and the fixture bundle write it. What must stay true: fields are only added,
//! each with a default, so that bundles of older versions are read.

use super::language_model::LanguageModelPart;
use crate::durable;
use crate::error::{Error, Result};
use crate::networks::vse::SentenceEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

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
    /// What sees, thinks and writes with pretrained networks, instead of the three parts of 2015 that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_model: Option<LanguageModelPart>,
    /// The joint space of pictures and sentences.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub vse: VsePart,
    /// The text encoders.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub skip_thoughts: SkipThoughtsPart,
    /// What writes.
    #[serde(default, skip_serializing_if = "is_usual")]
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

impl Manifest {
    /// The description of a bundle in [`files`] that has no styles and no sums yet; whoever makes one changes what is
    /// different.
    pub fn new(name: &str, version: &str, image_encoder: ImageEncoder) -> Self {
        let file = str::to_owned;
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            language: "en".to_owned(),
            caption_style: default_caption_style(),
            style_vectors: file(files::STYLES),
            style_emphasis: default_emphasis(),
            image_encoder,
            language_model: None,
            vse: VsePart::default(),
            skip_thoughts: SkipThoughtsPart::default(),
            decoder: DecoderPart::default(),
            gallery: GalleryPart {
                captions: file(files::CAPTIONS),
                vectors: None,
            },
            styles: Vec::new(),
            training: toml::Table::new(),
            files: BTreeMap::new(),
        }
    }

    /// Puts the description into a folder. It comes last of all files: a folder without it is no bundle.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = toml::to_string_pretty(self)
            .map_err(|error| Error::format(MANIFEST, error.to_string()))?;
        durable::write(&folder.join(MANIFEST), text)
    }
}

/// What the files of a bundle are usually called. A bundle may call them otherwise: readers ask its description.
pub mod files {
    /// Weights of the joint space.
    pub const VSE: &str = "vse.safetensors";
    /// Its words.
    pub const VSE_WORDS: &str = "vse.words.txt";
    /// Weights of the one-way encoder.
    pub const UNI: &str = "uni_skip.safetensors";
    /// Weights of the two-way encoder.
    pub const BI: &str = "bi_skip.safetensors";
    /// Word vectors of both.
    pub const TABLES: &str = "skip_tables.safetensors";
    /// The word of each of their rows.
    pub const TABLE_WORDS: &str = "skip.words.txt";
    /// Weights of the decoder.
    pub const DECODER: &str = "decoder.safetensors";
    /// Its words.
    pub const DECODER_WORDS: &str = "decoder.words.txt";
    /// The captions.
    pub const CAPTIONS: &str = "captions.txt";
    /// The style vectors.
    pub const STYLES: &str = "styles.safetensors";

    /// All of them.
    pub const ALL: [&str; 10] = [
        VSE,
        VSE_WORDS,
        UNI,
        BI,
        TABLES,
        TABLE_WORDS,
        DECODER,
        DECODER_WORDS,
        CAPTIONS,
        STYLES,
    ];
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
    /// A second photo network that looks beside it, in the cache, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
}

impl ImageEncoder {
    /// What set-up puts into the cache for it.
    pub fn all_fetched(&self) -> impl Iterator<Item = &String> {
        self.fetched.iter().chain(&self.beside)
    }
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
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
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

impl Default for VsePart {
    fn default() -> Self {
        Self {
            file: files::VSE.to_owned(),
            words: files::VSE_WORDS.to_owned(),
            known_words: None,
            encoder: SentenceEncoder::Gru,
        }
    }
}

/// The part `[skip_thoughts]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
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

impl Default for SkipThoughtsPart {
    fn default() -> Self {
        Self {
            uni: files::UNI.to_owned(),
            bi: files::BI.to_owned(),
            tables: files::TABLES.to_owned(),
            words: files::TABLE_WORDS.to_owned(),
        }
    }
}

/// The part `[decoder]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct DecoderPart {
    /// Weights.
    pub file: String,
    /// Words, one a line from id 2.
    pub words: String,
    /// Whether there is a layer between state and words.
    #[serde(default = "default_deep_output")]
    pub deep_output: bool,
}

impl Default for DecoderPart {
    fn default() -> Self {
        Self {
            file: files::DECODER.to_owned(),
            words: files::DECODER_WORDS.to_owned(),
            deep_output: true,
        }
    }
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
    /// What a language model is asked for, such as `a ghost story`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manner: Option<String>,
    /// Who its stories may be about, such as `an old sailor`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heroes: Vec<String>,
    /// How many passages its vector is the mean of.
    pub passages: u64,
    /// Where the passages are from.
    pub source: String,
}

/// Whether a part has the usual names, which readers assume where it is left out: a bundle with a language model has none.
fn is_usual<T: Default + PartialEq>(part: &T) -> bool {
    *part == T::default()
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
