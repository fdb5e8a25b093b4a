//! From a folder of the original's files to a bundle that tells the same stories.
//!
//! `storyteller import` calls it. Every network is built once from the files as they are, so that what does not fit is
//! said with the file and the array before anything is written. The description is written last: an interrupted import
//! leaves no folder that looks whole, and a second run does only what is missing of the caption vectors.

mod parts;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind};

use crate::reader::{Original, Part};
use models::bundle::vectors::{CaptionVectors, add_to};
use models::bundle::{
    ImageEncoder, ImageEncoderKind, MANIFEST, Manifest, Style, files, sha256_of_file,
};
use models::{Bundle, Error, Result};

/// Learns what is being done, how much of it is done, and of how much.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize, usize);

/// How to import.
#[derive(Clone, Debug)]
pub struct Import {
    /// The bundle's name.
    pub name: String,
    /// Which decoder of the folder: `romance` for `romance.npz`.
    pub decoder: String,
    /// Keeps the original's 32-bit floats, or halves networks and tables ([`Kind::Half`]); stories may then differ.
    pub kind: Kind,
    /// What is computed for each caption.
    pub vectors: CaptionVectors,
    /// Where that is computed.
    pub device: Device,
}

impl Default for Import {
    fn default() -> Self {
        Self {
            name: "original".to_owned(),
            decoder: "romance".to_owned(),
            kind: Kind::Float,
            vectors: CaptionVectors::Embeddings,
            device: Device::Cpu,
        }
    }
}

const IMAGE_ENCODER: &str = "image_encoder.safetensors";

impl Import {
    /// Writes the bundle into `folder`, then the vectors of its captions. A bundle that an earlier run of the same
    /// import wrote is only given the vectors it lacks.
    ///
    /// # Errors
    /// When a file is missing or broken, files do not fit each other, `folder` holds another bundle, or the disk is full.
    pub fn run(&self, original: &Original, folder: &Path, progress: Progress) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let sources = self.sources(original)?;
        if !folder.join(MANIFEST).exists() {
            self.write(original, folder, sources, progress)?;
        } else if Bundle::open(folder)?.manifest().training.get("import") != Some(&sources) {
            return Err(Error::Bundle {
                path: folder.to_owned(),
                reason: "there is another bundle already; name an empty folder".to_owned(),
            });
        }
        add_to(folder, self.vectors, self.device, progress)
    }

    fn write(
        &self,
        original: &Original,
        folder: &Path,
        sources: toml::Value,
        progress: Progress,
    ) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|e| Error::file("make", folder, e))?;
        let place = |name: &str| folder.join(name);
        progress("reading the networks", 0, 4);
        let joint = parts::vse(original)?;
        joint.weights.save(&place(files::VSE), self.kind)?;
        joint.words.write(&place(files::VSE_WORDS))?;
        progress("reading the networks", 1, 4);
        let decoder = parts::decoder(original, &self.decoder)?;
        decoder.weights.save(&place(files::DECODER), self.kind)?;
        decoder.words.write(&place(files::DECODER_WORDS))?;
        progress("reading the networks", 2, 4);
        let encoders = parts::encoders(original)?;
        encoders.uni.save(&place(files::UNI), self.kind)?;
        encoders.bi.save(&place(files::BI), self.kind)?;
        parts::same_size(&encoders, &decoder)?;
        let (styles, vectors) = parts::styles(original, encoders.size)?;
        // style vectors are small and added to everything: they stay in 32 bits
        vectors.save(&place(files::STYLES), Kind::Float)?;
        progress("reading the networks", 3, 4);
        let (kind, weights) = parts::image_encoder(original, joint.image_size)?;
        weights.save(&place(IMAGE_ENCODER), self.kind)?;
        // half a gigabyte: gone before the tables come
        drop(weights);
        progress("reading the networks", 4, 4);
        parts::write_lines(&place(files::CAPTIONS), &parts::captions(original)?)?;
        let words = original.words()?;
        parts::write_lines(&place(files::TABLE_WORDS), &words)?;
        let wanted = tables::Wanted {
            words: words.len(),
            sizes: encoders.word_sizes,
            kind: self.kind,
        };
        tables::write(original, &place(files::TABLES), &wanted, progress)?;
        let mut manifest = self.manifest(kind, &joint);
        manifest.decoder.deep_output = decoder.deep_output;
        manifest.styles = styles;
        manifest.training.insert("import".to_owned(), sources);
        manifest.files = sums(folder, progress)?;
        manifest.write(folder)
    }

    /// The description, still without styles, sources and sums.
    fn manifest(&self, kind: ImageEncoderKind, joint: &parts::Joint) -> Manifest {
        let image_encoder = ImageEncoder {
            kind,
            file: Some(IMAGE_ENCODER.to_owned()),
            fetched: None,
            beside: None,
        };
        let mut manifest = Manifest::new(&self.name, "2015", image_encoder);
        manifest.vse.known_words = Some(joint.known);
        manifest.vse.encoder = joint.encoder;
        manifest
    }

    /// Which files the bundle is made from, with their sizes: enough to know the same import again.
    fn sources(&self, original: &Original) -> Result<toml::Value> {
        let mut table = toml::Table::new();
        for part in Part::ALL {
            let file = match part {
                Part::Decoder => original.decoder_file(&self.decoder)?,
                _ => original.path(part)?,
            };
            let size = std::fs::metadata(&file)
                .map_err(|e| Error::file("read", &file, e))?
                .len();
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            table.insert(name, toml::Value::Integer(size as i64));
        }
        table.insert("numbers".to_owned(), format!("{:?}", self.kind).into());
        Ok(toml::Value::Table(table))
    }
}

fn sums(folder: &Path, progress: Progress) -> Result<BTreeMap<String, String>> {
    let names: Vec<&str> = files::ALL.into_iter().chain([IMAGE_ENCODER]).collect();
    let mut sums = BTreeMap::new();
    for (done, name) in names.iter().enumerate() {
        progress("summing up the files", done, names.len());
        sums.insert((*name).to_owned(), sha256_of_file(&folder.join(name))?);
    }
    progress("summing up the files", names.len(), names.len());
    Ok(sums)
}

/// The style of a file `NAME_style.npy`.
fn style(name: &str) -> Style {
    Style {
        name: name.to_owned(),
        description: format!("The original's style {name}."),
        manner: None,
        heroes: Vec::new(),
        passages: 0,
        source: format!("{name}_style.npy"),
    }
}
