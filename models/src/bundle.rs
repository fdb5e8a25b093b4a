//! A bundle: the folder that holds everything a storyteller needs (starter-bundle.md).
//!
//! `bundle.toml` names the parts and the sha256 of every file; nothing is hard-coded to one bundle.
//! Each file is checked against its sum when it is read, each array against the shape that its
//! network needs, so that a damaged or mixed-up folder is refused with the reason. Trainers and the
//! import of original files write this format through [`Manifest`].

use crate::decoder::Decoder;
use crate::skip_thoughts::{SkipThoughtParts, SkipThoughts};
use crate::vse::{SentenceEncoder, Vse};
use crate::{Error, Result, Styles, Vocabulary, Weights};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tch::Device;

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

fn default_style_vectors() -> String {
    "styles.safetensors".to_owned()
}

fn default_deep_output() -> bool {
    true
}

/// An opened bundle folder.
#[derive(Debug)]
pub struct Bundle {
    folder: PathBuf,
    manifest: Manifest,
    name: String,
}

impl Bundle {
    /// Reads `bundle.toml` in `folder`; the parts are read when they are asked for.
    ///
    /// # Errors
    /// When the file is missing, is no such description, or a file name leaves the folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::file("read", &path, e))?;
        let wrong = |reason: String| Error::Bundle {
            path: folder.to_owned(),
            reason,
        };
        let manifest: Manifest =
            toml::from_str(&text).map_err(|e| wrong(format!("{MANIFEST}: {e}")))?;
        let mut names = manifest
            .files
            .keys()
            .chain(manifest.image_encoder.fetched.as_ref());
        if let Some(name) = names.find(|name| !is_plain(name)) {
            return Err(wrong(format!(
                "{name:?} is not the name of a file in this folder"
            )));
        }
        let sum = hex(&Sha256::digest(text.as_bytes()));
        let name = format!("{}-{}-{}", manifest.name, manifest.version, &sum[..8]);
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            name,
        })
    }

    /// What `bundle.toml` says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Name, version and the start of the description's sum: changes whenever a file changes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The joint embedding, on `device`.
    ///
    /// # Errors
    /// As for every part: a file is missing, differs from its sum, or does not fit.
    pub fn vse(&self, device: Device) -> Result<Vse> {
        let part = &self.manifest.vse;
        let vocabulary = self.vocabulary(&part.words)?;
        let words = part.known_words.unwrap_or(vocabulary.len());
        Vse::new(
            &self.weights(&part.file)?.to_device(device),
            vocabulary,
            words,
            part.encoder,
        )
    }

    /// The text encoders, on `device`.
    ///
    /// # Errors
    /// As for every part.
    pub fn skip_thoughts(&self, device: Device) -> Result<SkipThoughts> {
        let part = &self.manifest.skip_thoughts;
        SkipThoughts::new(&SkipThoughtParts {
            uni: &self.weights(&part.uni)?.to_device(device),
            bi: &self.weights(&part.bi)?.to_device(device),
            tables: &self.weights(&part.tables)?.to_device(device),
            words: &self.lines(&part.words)?,
        })
    }

    /// The decoder and its words, on `device`.
    ///
    /// # Errors
    /// As for every part; also when there are more words than the network can write.
    pub fn decoder(&self, device: Device) -> Result<(Decoder, Vocabulary)> {
        let part = &self.manifest.decoder;
        let weights = self.weights(&part.file)?.to_device(device);
        let decoder = Decoder::new(&weights, part.deep_output)?;
        let vocabulary = self.vocabulary(&part.words)?;
        if decoder.words() > vocabulary.len() as i64 {
            let (ids, known) = (decoder.words(), vocabulary.len());
            let reason = format!(
                "{} writes {ids} words, {} names {known}",
                part.file, part.words
            );
            return Err(self.wrong(reason));
        }
        Ok((decoder, vocabulary))
    }

    /// The style vectors, of `size` numbers each, on `device`.
    ///
    /// # Errors
    /// As for every part; also when a style of the list has no vector.
    pub fn styles(&self, size: i64, device: Device) -> Result<Styles> {
        let weights = self.weights(&self.manifest.style_vectors)?;
        let styles = Styles::new(&weights, &self.manifest.caption_style, size)?;
        match self
            .manifest
            .styles
            .iter()
            .find(|style| !styles.contains(&style.name))
        {
            Some(style) => Err(self.wrong(format!("style `{}` has no vector", style.name))),
            None => Ok(styles.to_device(device)),
        }
    }

    /// The captions, without empty lines.
    ///
    /// # Errors
    /// As for every part; also when there are none.
    pub fn captions(&self) -> Result<Vec<String>> {
        let mut captions = self.lines(&self.manifest.gallery.captions)?;
        captions.retain(|caption| !caption.is_empty());
        if captions.is_empty() {
            return Err(self.wrong("the gallery has no captions".to_owned()));
        }
        Ok(captions)
    }

    /// A file that a part names, read and compared with its sum.
    ///
    /// # Errors
    /// When it has no sum, cannot be read, or differs.
    pub fn read(&self, file: &str) -> Result<Vec<u8>> {
        let wanted = self.sum(file)?;
        let path = self.folder.join(file);
        let bytes = std::fs::read(&path).map_err(|e| Error::file("read", &path, e))?;
        let found = hex(&Sha256::digest(&bytes));
        if found != wanted.to_lowercase() {
            let reason = format!("{file} has sha256 {found}, not {wanted}: fetch the bundle again");
            return Err(self.wrong(reason));
        }
        Ok(bytes)
    }

    /// Where a file of the bundle lies.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Names the computed vectors of the captions: changes with the captions and the networks that
    /// read them, and with nothing else.
    ///
    /// # Errors
    /// When one of the files has no sum.
    pub fn gallery_key(&self) -> Result<String> {
        let m = &self.manifest;
        let skip = &m.skip_thoughts;
        let names = [
            &m.vse.file,
            &m.vse.words,
            &skip.uni,
            &skip.bi,
            &skip.tables,
            &skip.words,
        ];
        let mut sum = Sha256::new();
        for name in names.into_iter().chain([&m.gallery.captions]) {
            sum.update(self.sum(name)?.to_lowercase());
        }
        sum.update(format!("{:?} {:?}", m.vse.known_words, m.vse.encoder));
        Ok(hex(&sum.finalize()))
    }

    fn sum(&self, file: &str) -> Result<&str> {
        let sum = self.manifest.files.get(file).map(String::as_str);
        sum.ok_or_else(|| self.wrong(format!("{MANIFEST} has no sha256 for `{file}` in [files]")))
    }

    fn weights(&self, file: &str) -> Result<Weights> {
        Weights::from_safetensors_bytes(self.path(file).display().to_string(), &self.read(file)?)
    }

    fn vocabulary(&self, file: &str) -> Result<Vocabulary> {
        Ok(Vocabulary::from_words(self.lines(file)?))
    }

    fn lines(&self, file: &str) -> Result<Vec<String>> {
        let text = String::from_utf8(self.read(file)?)
            .map_err(|_| self.wrong(format!("{file} is not UTF-8 text")))?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Bundle {
            path: self.folder.clone(),
            reason,
        }
    }
}

/// The sha256 of some bytes, in hexadecimal: what `[files]` holds.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}
