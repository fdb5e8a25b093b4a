//! The last step of a bundle with a language model: the caption style, and the sums of all its files; and the same bundle
//! with another writer.
//!
//! `storyteller train finish` calls it on a folder whose parts were put there by the other steps and by hand. Styles that
//! the folder has stay as they are; the caption style is computed anew, since it follows from the captions.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use models::bundle::language_model::fetched;
use models::bundle::{MANIFEST, Manifest, sha256_of_file};
use models::networks::bert::SentenceEncoder;
use models::networks::prefix::Spread;
use models::pipeline::caption_thoughts;
use models::text::wording::with_thoughts;
use models::text::words::WordList;
use models::{Bundle, Error, Result, Weights, durable};

/// The file of an adapter where the bundle had none.
const ADAPTER: &str = "adapter.safetensors";

/// Learns what is being done, how much of it is done, and of how much.
type Progress<'a> = &'a mut dyn FnMut(&str, usize, usize);

/// Finishes the bundle in `folder`; fetched networks lie in `cache`.
///
/// # Errors
/// When a part is missing, or the folder cannot be written.
pub fn finish(folder: &Path, cache: &Path, device: Device, progress: Progress) -> Result<()> {
    let path = folder.join(MANIFEST);
    let wrong = |reason: String| Error::Bundle {
        path: folder.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| Error::file("read", &path, error))?;
    let mut manifest: Manifest =
        toml::from_str(&text).map_err(|error| wrong(format!("{MANIFEST}: {error}")))?;
    let part = manifest.language_model.as_ref();
    let part = part.ok_or_else(|| wrong("it has no [language_model]".to_owned()))?;
    let encoder = SentenceEncoder::open(&fetched(cache, &part.sentences)?, device)?;
    manifest.files = sums(folder)?;
    manifest.write(folder)?;
    let bundle = Bundle::open(folder)?;
    let kept = cache.join("gallery").join(bundle.captions_key()?);
    let thoughts = caption_thoughts::recall(&bundle.captions()?, &encoder, &kept, progress)?;
    let mean = thoughts.mean_dim(0i64, false, Kind::Float);
    save_caption_style(
        &folder.join(&manifest.style_vectors),
        &manifest.caption_style,
        &mean,
    )?;
    manifest.files = sums(folder)?;
    manifest.write(folder)
}

/// What writes: a language model and what was trained for it.
#[derive(Debug)]
pub struct Writer<'a> {
    /// The model, as `LanguageModelPart` names it.
    pub base: String,
    /// Matrices and prefix map.
    pub adapter: Weights,
    /// Alpha over rank.
    pub scale: f64,
    /// The words that can be told.
    pub words: &'a WordList,
    /// How thoughts of prose are distributed.
    pub spread: &'a Spread,
    /// All tokens that may be written.
    pub allowed: &'a [i64],
}

/// Writes `folder` as a copy of `source` with another writer, which learnt behind the requests of `source`.
///
/// # Errors
/// When `source` has no language model, or a file cannot be read or written.
pub fn with_writer(source: &Bundle, folder: &Path, writer: &Writer) -> Result<()> {
    let mut manifest = source.manifest().clone();
    let part = manifest.language_model.as_mut();
    let part = part.ok_or_else(|| Error::Bundle {
        path: source.path(""),
        reason: "it has no [language_model]".to_owned(),
    })?;
    part.base = writer.base.clone();
    part.adapter_scale = writer.scale;
    let adapter = part.adapter.get_or_insert_with(|| ADAPTER.to_owned());
    let adapter = folder.join(adapter);
    // it learnt to hear soft tokens there
    for wording in [&mut part.request, &mut part.lyrics_request] {
        *wording = wording.as_deref().map(with_thoughts);
    }
    let (thoughts, words) = (folder.join(&part.thoughts), folder.join(&part.words));
    for entry in manifest.files.keys().map(String::as_str).chain(["NOTICE"]) {
        let (from, to) = (source.path(entry), folder.join(entry));
        if from.exists() {
            std::fs::copy(&from, &to).map_err(|error| Error::file("copy", &from, error))?;
        }
    }
    writer.adapter.save(&adapter, Kind::Half)?;
    let (lines, directions) = writer.words.written();
    durable::write(&words, lines)?;
    save_thoughts(&thoughts, writer, directions)?;
    manifest.files = sums(folder)?;
    manifest.write(folder)
}

/// The arrays that `Language::open` looks for, each in its own numbers: token ids are whole.
fn save_thoughts(path: &Path, writer: &Writer, directions: &Tensor) -> Result<()> {
    let allowed: Vec<i32> = writer.allowed.iter().map(|&id| id as i32).collect();
    let arrays = [
        ("mean", writer.spread.mean.to_kind(Kind::Float)),
        ("std", writer.spread.std.to_kind(Kind::Float)),
        ("directions", directions.to_kind(Kind::Half)),
        ("tokens", Tensor::from_slice(&allowed)),
    ];
    durable::replace(path, |draft| {
        Tensor::write_safetensors(&arrays, draft)
            .map_err(|error| Error::format(draft.display().to_string(), error.to_string()))
    })
}

/// Puts the caption style beside the other styles of a file, which need not exist yet.
fn save_caption_style(path: &Path, name: &str, mean: &Tensor) -> Result<()> {
    let mut arrays: BTreeMap<String, Tensor> = BTreeMap::new();
    if path.exists() {
        let held = Weights::from_safetensors(path)?;
        arrays.extend(
            held.iter()
                .map(|(name, vector)| (name.to_owned(), vector.copy())),
        );
    }
    // the usage of words, behind the thought, stays
    let behind = arrays.get(name).map(|held| {
        let thought = mean.numel() as i64;
        held.narrow(0, thought, (held.numel() as i64 - thought).max(0))
    });
    let whole: Vec<Tensor> = std::iter::once(mean.shallow_clone())
        .chain(behind)
        .collect();
    arrays.insert(name.to_owned(), Tensor::cat(&whole, 0));
    Weights::from_tensors("styles", arrays).save(path, Kind::Float)
}

/// The sums of all files of a folder but the description itself and what people read.
fn sums(folder: &Path) -> Result<BTreeMap<String, String>> {
    let entries = std::fs::read_dir(folder).map_err(|error| Error::file("read", folder, error))?;
    let mut sums = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::file("read", folder, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let read =
            name == MANIFEST || name.ends_with(".md") || name == "NOTICE" || name.starts_with('.');
        if entry.path().is_file() && !read {
            sums.insert(name, sha256_of_file(&entry.path())?);
        }
    }
    Ok(sums)
}
