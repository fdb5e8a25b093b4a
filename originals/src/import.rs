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
    DecoderPart, GalleryPart, ImageEncoder, ImageEncoderKind, MANIFEST, Manifest, SkipThoughtsPart,
    Style, VsePart, sha256_of_file,
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

const VSE: &str = "vse.safetensors";
const VSE_WORDS: &str = "vse.words.txt";
const UNI: &str = "uni_skip.safetensors";
const BI: &str = "bi_skip.safetensors";
const TABLES: &str = "skip_tables.safetensors";
const TABLE_WORDS: &str = "skip.words.txt";
const DECODER: &str = "decoder.safetensors";
const DECODER_WORDS: &str = "decoder.words.txt";
const CAPTIONS: &str = "captions.txt";
const STYLES: &str = "styles.safetensors";
const IMAGE_ENCODER: &str = "image_encoder.safetensors";

const FILES: [&str; 11] = [
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
    IMAGE_ENCODER,
];

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
        joint.weights.save(&place(VSE), self.kind)?;
        joint.words.write(&place(VSE_WORDS))?;
        progress("reading the networks", 1, 4);
        let decoder = parts::decoder(original, &self.decoder)?;
        decoder.weights.save(&place(DECODER), self.kind)?;
        decoder.words.write(&place(DECODER_WORDS))?;
        progress("reading the networks", 2, 4);
        let encoders = parts::encoders(original)?;
        encoders.uni.save(&place(UNI), self.kind)?;
        encoders.bi.save(&place(BI), self.kind)?;
        parts::same_size(&encoders, &decoder)?;
        let (styles, vectors) = parts::styles(original, encoders.size)?;
        // style vectors are small and added to everything: they stay in 32 bits
        vectors.save(&place(STYLES), Kind::Float)?;
        progress("reading the networks", 3, 4);
        let eyes = parts::image_encoder(original, joint.image_size)?;
        eyes.1.save(&place(IMAGE_ENCODER), self.kind)?;
        progress("reading the networks", 4, 4);
        let kind = eyes.0;
        drop(eyes);
        parts::write_lines(&place(CAPTIONS), &parts::captions(original)?)?;
        let words = original.words()?;
        parts::write_lines(&place(TABLE_WORDS), &words)?;
        tables::write(
            original,
            &place(TABLES),
            (words.len(), encoders.word_sizes),
            (self.kind, progress),
        )?;
        let mut manifest = self.manifest((kind, styles), &joint, decoder.deep_output);
        manifest.training.insert("import".to_owned(), sources);
        manifest.files = sums(folder, progress)?;
        put(folder, &manifest)
    }

    /// The description, still without sources and sums.
    fn manifest(
        &self,
        (kind, styles): (ImageEncoderKind, Vec<Style>),
        joint: &parts::Joint,
        deep_output: bool,
    ) -> Manifest {
        Manifest {
            name: self.name.clone(),
            version: "2015".to_owned(),
            language: "en".to_owned(),
            caption_style: "caption".to_owned(),
            style_vectors: STYLES.to_owned(),
            style_emphasis: 1.0,
            image_encoder: ImageEncoder {
                kind,
                file: Some(IMAGE_ENCODER.to_owned()),
                fetched: None,
            },
            vse: VsePart {
                file: VSE.to_owned(),
                words: VSE_WORDS.to_owned(),
                known_words: Some(joint.known),
                encoder: joint.encoder,
            },
            skip_thoughts: skip_thoughts_part(),
            decoder: DecoderPart {
                file: DECODER.to_owned(),
                words: DECODER_WORDS.to_owned(),
                deep_output,
            },
            gallery: GalleryPart {
                captions: CAPTIONS.to_owned(),
                vectors: None,
            },
            styles,
            training: toml::Table::new(),
            files: BTreeMap::new(),
        }
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

fn skip_thoughts_part() -> SkipThoughtsPart {
    SkipThoughtsPart {
        uni: UNI.to_owned(),
        bi: BI.to_owned(),
        tables: TABLES.to_owned(),
        words: TABLE_WORDS.to_owned(),
    }
}

fn sums(folder: &Path, progress: Progress) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for (done, name) in FILES.into_iter().enumerate() {
        progress("summing up the files", done, FILES.len());
        files.insert(name.to_owned(), sha256_of_file(&folder.join(name))?);
    }
    progress("summing up the files", FILES.len(), FILES.len());
    Ok(files)
}

/// Writes the description beside its place and renames it.
fn put(folder: &Path, manifest: &Manifest) -> Result<()> {
    let text = toml::to_string_pretty(manifest)
        .map_err(|error| Error::format(MANIFEST, error.to_string()))?;
    let (place, draft) = (folder.join(MANIFEST), folder.join("bundle.toml.draft"));
    std::fs::write(&draft, text)
        .and_then(|()| std::fs::rename(&draft, &place))
        .map_err(|error| Error::file("write", &place, error))
}

/// The style of a file `NAME_style.npy`.
fn style(name: &str) -> Style {
    Style {
        name: name.to_owned(),
        description: format!("The original's style {name}."),
        passages: 0,
        source: format!("{name}_style.npy"),
    }
}
