//! What is inside a bundle: its parts with files, arrays, shapes and sizes.
//!
//! `storyteller describe` prints it. Only the description, the lists of words and the heads of weight files are read.

use std::path::Path;

use serde::Serialize;

use super::{Bundle, Manifest};
use crate::error::{Error, Result};
use crate::tensors::device::mapped::Mapped;

/// A bundle, described.
#[derive(Clone, Debug, Serialize)]
pub struct Contents {
    /// Name, version and the start of the description's sum.
    pub name: String,
    /// The files in the order of the pipeline.
    pub parts: Vec<PartFile>,
    /// What `[training]` says: data, terms, measured quality, or what it was imported from.
    pub training: toml::Table,
}

/// A file of a bundle.
#[derive(Clone, Debug, Serialize)]
pub struct PartFile {
    /// What it is for.
    pub part: &'static str,
    /// Its name.
    pub file: String,
    /// Its size; none for a file that is fetched.
    pub bytes: Option<u64>,
    /// How many lines a list has: words, captions.
    pub lines: Option<usize>,
    /// The arrays of a weight file.
    pub arrays: Vec<ArrayShape>,
}

/// An array of a weight file.
#[derive(Clone, Debug, Serialize)]
pub struct ArrayShape {
    /// Its name.
    pub name: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// F16, F32 …
    pub kind: String,
}

/// Describes the bundle in `folder`.
///
/// # Errors
/// When it is none, or a file is missing or broken.
pub fn contents(folder: &Path) -> Result<Contents> {
    let bundle = Bundle::open(folder)?;
    let m = bundle.manifest();
    let named = named(m);
    let mut parts = Vec::new();
    let language = m.language_model.as_ref();
    let fetched = [
        ("image encoder", m.image_encoder.fetched.as_ref()),
        ("second photo network", m.image_encoder.beside.as_ref()),
        ("language model", language.map(|part| &part.base)),
        ("sentence encoder", language.map(|part| &part.sentences)),
    ];
    for (part, file) in fetched {
        parts.extend(file.map(|file| PartFile {
            part,
            file: file.clone(),
            bytes: None,
            lines: None,
            arrays: Vec::new(),
        }));
    }
    for (part, file) in named {
        if let Some(file) = file {
            parts.push(look(&bundle, part, file)?);
        }
    }
    Ok(Contents {
        name: bundle.name().to_owned(),
        parts,
        training: m.training.clone(),
    })
}

/// What each file is for, in the order of the pipeline; none where a bundle has no such file.
fn named(m: &Manifest) -> Vec<(&'static str, Option<&String>)> {
    let mut named = vec![("image encoder", m.image_encoder.file.as_ref())];
    if let Some(part) = &m.language_model {
        named.extend([
            ("adapter", part.adapter.as_ref()),
            ("thoughts of prose", Some(&part.thoughts)),
            ("words of thoughts", Some(&part.words)),
        ]);
    } else {
        named.extend([
            ("joint space", Some(&m.vse.file)),
            ("  its words", Some(&m.vse.words)),
            ("encoder, one-way", Some(&m.skip_thoughts.uni)),
            ("encoder, two-way", Some(&m.skip_thoughts.bi)),
            ("  word vectors", Some(&m.skip_thoughts.tables)),
            ("  their words", Some(&m.skip_thoughts.words)),
            ("decoder", Some(&m.decoder.file)),
            ("  its words", Some(&m.decoder.words)),
        ]);
    }
    named.extend([
        ("styles", Some(&m.style_vectors)),
        ("captions", Some(&m.gallery.captions)),
        ("  their vectors", m.gallery.vectors.as_ref()),
    ]);
    named
}

fn look(bundle: &Bundle, part: &'static str, file: &str) -> Result<PartFile> {
    let mapped = Mapped::open(&bundle.path(file))?;
    let bytes = mapped.bytes();
    let is_list = Path::new(file)
        .extension()
        .is_some_and(|ending| ending == "txt");
    let lines = is_list.then(|| String::from_utf8_lossy(bytes).lines().count());
    Ok(PartFile {
        part,
        file: file.to_owned(),
        bytes: Some(bytes.len() as u64),
        lines,
        arrays: if is_list {
            Vec::new()
        } else {
            arrays(&mapped)?
        },
    })
}

fn arrays(file: &Mapped) -> Result<Vec<ArrayShape>> {
    let (_, header) = safetensors::SafeTensors::read_metadata(file.bytes()).map_err(|error| {
        let reason = format!("not a safetensors file: {error}");
        Error::format(file.path().display().to_string(), reason)
    })?;
    let mut arrays: Vec<ArrayShape> = header
        .tensors()
        .into_iter()
        .map(|(name, info)| ArrayShape {
            name,
            shape: info.shape.clone(),
            kind: format!("{:?}", info.dtype),
        })
        .collect();
    arrays.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(arrays)
}
