//! The last step of a bundle with a language model: the caption style, and the sums of all its files.
//!
//! `storyteller train finish` calls it on a folder whose parts were put there by the other steps and by hand. Styles that
//! the folder has stay as they are; the caption style is computed anew, since it follows from the captions.

use std::collections::BTreeMap;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use models::bundle::language_model::fetched;
use models::bundle::{MANIFEST, Manifest, sha256_of_file};
use models::networks::bert::SentenceEncoder;
use models::pipeline::caption_thoughts;
use models::{Bundle, Error, Result, Weights};

/// Learns what is being done, how much of it is done, and of how much.
type Progress<'a> = &'a mut dyn FnMut(&str, usize, usize);

/// Finishes the bundle in `folder`; `(cache, device)`: where fetched networks lie, and where to compute.
///
/// # Errors
/// When a part is missing, or the folder cannot be written.
pub fn finish(folder: &Path, (cache, device): (&Path, Device), progress: Progress) -> Result<()> {
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
    arrays.insert(name.to_owned(), mean.shallow_clone());
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
