//! The description of a bundle of random weights, as `bundle.toml` has it.
//! The rehearsal writes it last, when all files that it names are there.

use super::Sizes;
use crate::bundle::{
    DecoderPart, GalleryPart, ImageEncoder, ImageEncoderKind, MANIFEST, Manifest, SkipThoughtsPart,
    Style, VsePart, sha256_of_file,
};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// What can be told in.
pub(super) const STYLES: [&str; 3] = ["romance", "adventure", "sea"];

/// Writes `bundle.toml` with the sums of all files that are there.
pub(super) fn write(folder: &Path, seed: u64, sizes: &Sizes) -> Result<()> {
    let mut manifest = manifest(seed, sizes);
    let entries = std::fs::read_dir(folder).map_err(|e| Error::file("list", folder, e))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name != MANIFEST {
            manifest.files.insert(name, sha256_of_file(&entry.path())?);
        }
    }
    let path = folder.join(MANIFEST);
    let text = toml::to_string(&manifest)
        .map_err(|e| Error::format(path.display().to_string(), e.to_string()))?;
    std::fs::write(&path, text).map_err(|e| Error::file("write", &path, e))
}

fn manifest(seed: u64, sizes: &Sizes) -> Manifest {
    let style = |name: &str| Style {
        name: name.to_owned(),
        description: format!("Random numbers that are called {name}"),
        passages: 1,
        source: "chance".to_owned(),
    };
    Manifest {
        name: "rehearsal".to_owned(),
        version: seed.to_string(),
        language: "en".to_owned(),
        caption_style: "caption".to_owned(),
        style_vectors: "styles.safetensors".to_owned(),
        style_emphasis: 1.0,
        image_encoder: ImageEncoder {
            kind: ImageEncoderKind::Vgg19,
            file: Some("vgg.safetensors".to_owned()),
            fetched: None,
        },
        vse: VsePart {
            file: "vse.safetensors".to_owned(),
            words: "vse.words.txt".to_owned(),
            known_words: None,
            encoder: crate::vse::SentenceEncoder::Gru,
        },
        skip_thoughts: SkipThoughtsPart {
            uni: "uni_skip.safetensors".to_owned(),
            bi: "bi_skip.safetensors".to_owned(),
            tables: "skip_tables.safetensors".to_owned(),
            words: "skip.words.txt".to_owned(),
        },
        decoder: DecoderPart {
            file: "decoder.safetensors".to_owned(),
            words: "decoder.words.txt".to_owned(),
            deep_output: true,
        },
        gallery: GalleryPart {
            captions: "captions.txt".to_owned(),
            vectors: sizes
                .vectors
                .then(|| "caption_vectors.safetensors".to_owned()),
        },
        styles: STYLES.map(style).to_vec(),
        training: toml::Table::new(),
        files: BTreeMap::new(),
    }
}
