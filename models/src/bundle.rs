//! A bundle: the folder that holds everything a storyteller needs (starter-bundle.md).
//!
//! `bundle.toml` names the parts and the sha256 of every file; nothing is hard-coded to one bundle.
//! Each file is checked against its sum before it is used (see `sums`), each array against the shape that its
//! network needs, so that a damaged or mixed-up folder is refused with the reason. Weights are mapped and copied once
//! into tensors; word tables and caption vectors stay on disk.

pub mod contents;
pub mod fixture;
pub mod language_model;
mod manifest;
pub mod styles;
mod sums;
pub mod vectors;

use crate::bundle::styles::Styles;
use crate::error::{Error, Result};
use crate::networks::decoder::Decoder;
use crate::networks::skip_thoughts::{SkipThoughts, WordRows, WordTables};
use crate::networks::vse::Vse;
use crate::tensors::device::mapped::Mapped;
use crate::tensors::matrix::Matrix;
use crate::tensors::weights::Weights;
use crate::text::usage::Usage;
use crate::text::vocabulary::Vocabulary;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::Device;

pub use manifest::default_emphasis;
pub use manifest::{
    DecoderPart, GalleryPart, ImageEncoder, ImageEncoderKind, MANIFEST, Manifest, SkipThoughtsPart,
    Style, VsePart, files,
};
use sums::{Sums, hex};
pub use sums::{remembered_sum, sha256, sha256_of_file};

/// An opened bundle folder.
#[derive(Debug)]
pub struct Bundle {
    folder: PathBuf,
    manifest: Manifest,
    name: String,
    sums: Sums,
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
        let files = manifest.files.keys();
        let outside = files
            .chain(manifest.image_encoder.all_fetched())
            .find(|name| !is_plain(name));
        if let Some(name) = outside {
            return Err(wrong(format!(
                "{name:?} is not the name of a file in this folder"
            )));
        }
        if let Some(part) = &manifest.language_model {
            part.check().map_err(wrong)?;
        }
        let sum = hex(&Sha256::digest(text.as_bytes()));
        let name = format!("{}-{}-{}", manifest.name, manifest.version, &sum[..8]);
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
            name,
            sums: Sums::forgetful(),
        })
    }

    /// The same bundle, whose files are hashed once only: what was found right is remembered in `cache` (see `sums`).
    #[must_use]
    pub fn remembering(mut self, cache: &Path) -> Self {
        self.sums = Sums::remembered_in(cache);
        self
    }

    /// Hashes every file, whatever is remembered; `progress` learns what is being done, how much and of how much (files).
    ///
    /// # Errors
    /// When a file is missing or differs from its sum; the message names all of them.
    pub fn verify(&self, progress: &mut dyn FnMut(&str, usize, usize)) -> Result<()> {
        let files = &self.manifest.files;
        let mut wrong = Vec::new();
        for (done, (file, wanted)) in files.iter().enumerate() {
            progress("checking the files", done, files.len());
            if let Err(reason) = self.sums.check_anew(&self.path(file), wanted) {
                wrong.push(reason);
            }
        }
        progress("checking the files", files.len(), files.len());
        if wrong.is_empty() {
            return Ok(());
        }
        Err(self.wrong(wrong.join("; ")))
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
        let tables = Arc::new(self.map(&part.tables)?);
        tables.expect_scattered_reads();
        let table = |name| Ok::<_, Error>(Matrix::map_safetensors(&tables, name)?.near(device));
        let tables = WordTables {
            uni: table("utable")?,
            bi: table("btable")?,
        };
        let uni = self.weights(&part.uni)?.to_device(device);
        let bi = self.weights(&part.bi)?.to_device(device);
        let words = WordRows::from_text(self.text(&part.words)?);
        SkipThoughts::with_tables(&uni, &bi, tables, words)
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
        let emphasis = self.manifest.style_emphasis;
        if !(emphasis.is_finite() && emphasis > 0.0) {
            return Err(self.wrong(format!("style_emphasis {emphasis} is no positive number")));
        }
        let words = self.usage()?.map_or(0, |usage| usage.words().len() as i64);
        let styles = Styles::new(&weights, &self.manifest.caption_style, size, words)?;
        let styles = styles.with_emphasis(emphasis);
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

    /// The words that its styles say more and less often; none where it counts none.
    ///
    /// # Errors
    /// As for every part.
    pub fn usage(&self) -> Result<Option<Usage>> {
        let part = self.manifest.language_model.as_ref();
        let file = part.and_then(|part| part.usage.as_ref());
        file.map(|file| Usage::parse(file, &self.text(file)?))
            .transpose()
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
        self.check(file)?;
        let path = self.path(file);
        std::fs::read(&path).map_err(|e| Error::file("read", &path, e))
    }

    /// A file that a part names, compared with its sum and mapped: nothing of it is in memory until it is touched.
    ///
    /// # Errors
    /// As [`Bundle::read`].
    pub fn map(&self, file: &str) -> Result<Mapped> {
        self.check(file)?;
        Mapped::open(&self.path(file))
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
        let known = format!("{:?} {:?}", m.vse.known_words, m.vse.encoder);
        self.key(
            &known,
            names
                .into_iter()
                .chain([&m.gallery.captions])
                .map(String::as_str),
        )
    }

    /// Names the captions' thoughts: changes with the captions and the sentence encoder, and with nothing else.
    ///
    /// # Errors
    /// When the captions have no sum.
    pub fn captions_key(&self) -> Result<String> {
        let part = self.manifest.language_model.as_ref();
        let encoder = part.map_or("", |part| part.sentences.as_str());
        let captions = self.sum(&self.manifest.gallery.captions)?.to_lowercase();
        Ok(hex(&Sha256::digest(format!("{captions} {encoder}"))))
    }

    /// Names what is computed from `files` in a way that `how` says.
    ///
    /// # Errors
    /// When one of them has no sum.
    pub fn key<'a>(&self, how: &str, files: impl IntoIterator<Item = &'a str>) -> Result<String> {
        let mut sum = Sha256::new();
        for file in files {
            sum.update(self.sum(file)?.to_lowercase());
        }
        sum.update(how);
        Ok(hex(&sum.finalize()))
    }

    fn sum(&self, file: &str) -> Result<&str> {
        let sum = self.manifest.files.get(file).map(String::as_str);
        sum.ok_or_else(|| self.wrong(format!("{MANIFEST} has no sha256 for `{file}` in [files]")))
    }

    fn check(&self, file: &str) -> Result<()> {
        let wanted = self.sum(file)?;
        let checked = self.sums.check(&self.path(file), wanted);
        checked.map_err(|reason| self.wrong(reason))
    }

    /// A file of arrays that a part names.
    ///
    /// # Errors
    /// As [`Bundle::read`]; also when it is no such file.
    pub fn weights(&self, file: &str) -> Result<Weights> {
        Weights::from_mapped(&self.map(file)?)
    }

    fn vocabulary(&self, file: &str) -> Result<Vocabulary> {
        Ok(Vocabulary::from_words(self.lines(file)?))
    }

    /// A file of text that a part names.
    ///
    /// # Errors
    /// As [`Bundle::read`]; also when it is no UTF-8.
    pub fn text(&self, file: &str) -> Result<String> {
        String::from_utf8(self.read(file)?)
            .map_err(|_| self.wrong(format!("{file} is not UTF-8 text")))
    }

    fn lines(&self, file: &str) -> Result<Vec<String>> {
        let text = self.text(file)?;
        Ok(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Bundle {
            path: self.folder.clone(),
            reason,
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}
