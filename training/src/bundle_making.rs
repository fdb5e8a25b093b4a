//! Puts trained weights, words, captions and style vectors together into a bundle folder.
//!
//! `storyteller train bundle` calls [`write()`]. Weights are stored as 16-bit floats; every file's checksum goes into
//! `bundle.toml`, which is written last, so that an interrupted run leaves no folder that looks whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::thoughts::Folder;
use models::bundle::{ImageEncoder, ImageEncoderKind, Manifest, Style, files, sha256_of_file};
use models::networks::skip_thoughts::{Encoding, SkipThoughtParts};
use models::{Error, Result, SkipThoughts, Weights, durable};

/// What a bundle is made of: the file given to `storyteller train bundle`.
#[derive(Debug, Deserialize)]
pub struct Recipe {
    /// The bundle's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The language of its stories.
    pub language: String,
    /// How much further from their mean the styles are set: 1 unless said; a small decoder wants more.
    #[serde(default = "models::bundle::default_emphasis")]
    pub style_emphasis: f64,
    /// The styles, each with the books it is the mean of.
    pub styles: Vec<StyleRecipe>,
    /// Data, terms and measured quality; copied into the manifest.
    #[serde(default)]
    pub training: toml::Table,
}

/// A style and its books.
#[derive(Debug, Deserialize)]
pub struct StyleRecipe {
    /// Name in requests.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// Where the books are from.
    pub source: String,
    /// Names of books, or the beginnings of names.
    pub books: Vec<String>,
}

/// The trained parts.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Weights of the joint space.
    pub vse: PathBuf,
    /// Its words.
    pub vse_words: PathBuf,
    /// Weights of the uni half, with its word vectors.
    pub uni: PathBuf,
    /// Weights of the bi half, with its word vectors.
    pub bi: PathBuf,
    /// The words of both.
    pub skip_words: PathBuf,
    /// Weights of the decoder.
    pub decoder: PathBuf,
    /// Its words.
    pub decoder_words: PathBuf,
    /// The caption gallery.
    pub captions: PathBuf,
    /// The folder of book thoughts.
    pub thoughts: PathBuf,
}

/// Reads the encoders that `train skip-thoughts` wrote, and the words of their table rows.
///
/// # Errors
/// When a file is missing or does not fit the others.
pub fn encoder(
    uni: &Path,
    bi: &Path,
    words: &Path,
) -> Result<(SkipThoughts, [Weights; 3], Vec<String>)> {
    let uni = Weights::from_safetensors(uni)?;
    let bi = Weights::from_safetensors(bi)?;
    let table = |name: &str, from: &Weights| {
        Ok::<_, Error>((name.to_owned(), from.tensor("Wemb", &[-1, -1])?))
    };
    let tables = Weights::from_tensors(
        "word vectors",
        [table("utable", &uni)?, table("btable", &bi)?],
    );
    let mut rows = vec!["<eos>".to_owned(), "UNK".to_owned()];
    rows.extend(read(words)?.lines().map(str::to_owned));
    let encoder = SkipThoughts::new(&SkipThoughtParts {
        uni: &uni,
        bi: &bi,
        tables: &tables,
        words: &rows,
    })?;
    Ok((encoder, [uni, bi, tables], rows))
}

/// Writes the bundle into `folder`.
///
/// # Errors
/// When a part is missing, parts do not fit each other, a style has no books, or the disk is full.
pub fn write(recipe: &Recipe, parts: &Parts, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::file("make", folder, error))?;
    let (encoder, [uni, bi, tables], rows) = encoder(&parts.uni, &parts.bi, &parts.skip_words)?;
    let save = |name: &str, weights: &Weights| weights.save(&folder.join(name), Kind::Half);
    let put = |name: &str, text: &str| durable::write(&folder.join(name), text);
    save(files::VSE, &Weights::from_safetensors(&parts.vse)?)?;
    save(files::DECODER, &Weights::from_safetensors(&parts.decoder)?)?;
    save(files::UNI, &only(&uni, "encoder"))?;
    save(files::BI, &only(&bi, "encoder"))?;
    save(files::TABLES, &tables)?;
    put(files::VSE_WORDS, &read(&parts.vse_words)?)?;
    put(files::DECODER_WORDS, &read(&parts.decoder_words)?)?;
    put(files::TABLE_WORDS, &(rows.join("\n") + "\n"))?;
    let captions = read(&parts.captions)?;
    put(files::CAPTIONS, &captions)?;
    let (styles, mut vectors) = styles(recipe, &parts.thoughts)?;
    vectors.push(("caption".to_owned(), caption_style(&encoder, &captions)));
    // style vectors are small and added to everything: they stay in 32 bits
    Weights::from_tensors("styles", vectors).save(&folder.join(files::STYLES), Kind::Float)?;
    manifest(recipe, styles, folder)?.write(folder)
}

fn manifest(recipe: &Recipe, styles: Vec<Style>, folder: &Path) -> Result<Manifest> {
    let image_encoder = ImageEncoder {
        kind: ImageEncoderKind::EfficientnetLite0,
        file: None,
        fetched: Some("efficientnet_lite0.safetensors".to_owned()),
        beside: None,
    };
    let mut sums = BTreeMap::new();
    for name in files::ALL {
        sums.insert(name.to_owned(), sha256_of_file(&folder.join(name))?);
    }
    Ok(Manifest {
        language: recipe.language.clone(),
        style_emphasis: recipe.style_emphasis,
        styles,
        training: recipe.training.clone(),
        files: sums,
        ..Manifest::new(&recipe.name, &recipe.version, image_encoder)
    })
}

type Vectors = Vec<(String, Tensor)>;

/// The mean passage vector of each style's books, with how many passages it is the mean of.
fn styles(recipe: &Recipe, thoughts: &Path) -> Result<(Vec<Style>, Vectors)> {
    let books = Folder(thoughts.to_owned()).books()?;
    let mut styles = Vec::new();
    let mut vectors = Vec::new();
    for style in &recipe.styles {
        let own: Vec<_> = books
            .iter()
            .filter(|book| is_of(style, &book.name))
            .collect();
        let count: usize = own.iter().map(|book| book.styled.1).sum();
        if count == 0 {
            let reason = format!("none of its books is in {}", thoughts.display());
            return Err(Error::format(format!("the style {}", style.name), reason));
        }
        let sums: Vec<&Tensor> = own.iter().map(|book| &book.styled.0).collect();
        let mean = Tensor::stack(&sums, 0).sum_dim_intlist(0i64, false, Kind::Float) / count as f64;
        vectors.push((style.name.clone(), mean));
        styles.push(Style {
            name: style.name.clone(),
            description: style.description.clone(),
            manner: None,
            heroes: Vec::new(),
            passages: count as u64,
            source: style.source.clone(),
        });
    }
    Ok((styles, vectors))
}

fn is_of(style: &StyleRecipe, name: &str) -> bool {
    style
        .books
        .iter()
        .any(|book| name.starts_with(book.as_str()))
}

/// The mean vector of the gallery: what is taken away from a story's captions.
fn caption_style(encoder: &SkipThoughts, captions: &str) -> Tensor {
    let _no_grad = tch::no_grad_guard();
    let texts: Vec<Vec<String>> = captions
        .lines()
        .map(models::text::tokenize::preprocess)
        .collect();
    encoder
        .encode(&texts, Encoding::default(), &mut |_| {})
        .mean_dim(0i64, false, Kind::Float)
}

fn only(weights: &Weights, beginning: &str) -> Weights {
    let kept = weights
        .iter()
        .filter(|(name, _)| name.starts_with(beginning));
    Weights::from_tensors(
        weights.label(),
        kept.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())),
    )
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::file("read", path, error))
}
