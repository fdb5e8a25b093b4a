//! The styles of a bundle folder, to be added to and taken from while others may read it.
//!
//! Vectors go into a new file with a name of its own; `bundle.toml`, replaced by renaming, is what makes them count. So
//! a reader sees either the old styles or the new, whatever happens in between. One writer at a time: the folder is
//! locked.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use models::bundle::{Manifest, Style, sha256_of_file};
use models::pipeline::style_from_text::Made;
use models::{Bundle, Error, Result, Weights, durable};

/// Where the words stand that are counted, in a bundle that counted none before.
const USAGE: &str = "usage.txt";
/// And how far its stories lean towards them: the ship is heard in a story of the sea, and the picture still seen.
const USAGE_PULL: f64 = 1.0;

/// The styles of one bundle folder, locked against other writers for as long as this lives.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    manifest: Manifest,
    vectors: BTreeMap<String, Tensor>,
    /// So many numbers at the end of each vector are the usage of words.
    words: i64,
    _lock: File,
}

impl Shelf {
    /// Reads the styles of a bundle's folder and keeps other writers out.
    ///
    /// # Errors
    /// When the bundle or its vectors are not as they should be, or the folder cannot be locked.
    pub fn open(folder: &Path) -> Result<Shelf> {
        let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        let lock = lock.map_err(|error| Error::file("lock", folder, error))?;
        let bundle = Bundle::open(folder)?;
        let manifest = bundle.manifest().clone();
        let weights = Weights::from_mapped(&bundle.map(&manifest.style_vectors)?)?;
        let vectors: BTreeMap<String, Tensor> = weights
            .iter()
            .map(|(name, vector)| (name.to_owned(), vector.shallow_clone()))
            .collect();
        let words = bundle
            .usage()?
            .map_or(0, |usage| usage.words().len() as i64);
        let shelf = Shelf {
            folder: folder.to_owned(),
            manifest,
            vectors,
            words,
            _lock: lock,
        };
        let manifest = &shelf.manifest;
        let mut names = manifest.styles.iter().map(|style| &style.name);
        let missing = names.find(|&name| !shelf.vectors.contains_key(name));
        let caption = Some(&manifest.caption_style);
        let missing = missing.or(caption.filter(|&name| !shelf.vectors.contains_key(name)));
        if let Some(name) = missing {
            return Err(shelf.wrong(format!("style `{name}` has no vector")));
        }
        drop(names);
        Ok(shelf)
    }

    /// The styles in the order of the description.
    pub fn styles(&self) -> &[Style] {
        &self.manifest.styles
    }

    /// The vector of a style: its thought (C), and behind it the usage of words, where the bundle counts any.
    pub fn vector(&self, name: &str) -> Option<&Tensor> {
        self.vectors.get(name)
    }

    /// Adds a style and saves.
    ///
    /// # Errors
    /// When there is a style of this name, its vector has another size, or the folder cannot be written.
    pub fn add(&mut self, made: &Made) -> Result<()> {
        let name = &made.style.name;
        if self.vectors.contains_key(name) {
            return Err(self.wrong(format!(
                "it has a style `{name}` already: choose another name or remove that one first"
            )));
        }
        let wanted = self.vectors[&self.manifest.caption_style].size();
        if made.vector.size() != wanted {
            let found = made.vector.size();
            return Err(self.wrong(format!(
                "a vector of {found:?} numbers cannot stand beside styles of {wanted:?}"
            )));
        }
        self.vectors
            .insert(name.clone(), made.vector.shallow_clone());
        self.manifest.styles.push(made.style.clone());
        self.save()
    }

    /// Has the bundle count these words: every style gets its usage of them (W), in place of one it has, and all is saved.
    ///
    /// # Errors
    /// When the usage of a style is missing, the bundle has no language model, or the folder cannot be written.
    pub fn count(&mut self, words: &[String], usage: &BTreeMap<String, Vec<f32>>) -> Result<()> {
        let thought = self.thought();
        for (name, vector) in &mut self.vectors {
            let found = usage.get(name).filter(|found| found.len() == words.len());
            let found = found.ok_or_else(|| Error::Bundle {
                path: self.folder.clone(),
                reason: format!("how often style `{name}` uses each word is not known"),
            })?;
            let thought = vector.narrow(0, 0, thought);
            *vector = Tensor::cat(&[thought, Tensor::from_slice(found)], 0);
        }
        let Some(part) = &mut self.manifest.language_model else {
            return Err(self.wrong("it has no [language_model]".to_owned()));
        };
        let file = part.usage.clone().unwrap_or_else(|| {
            part.usage_pull = USAGE_PULL;
            USAGE.to_owned()
        });
        part.usage = Some(file.clone());
        let path = self.folder.join(&file);
        durable::write(&path, words.join("\n") + "\n")?;
        self.manifest.files.insert(file, sha256_of_file(&path)?);
        self.words = words.len() as i64;
        self.save()
    }

    /// How many numbers of a vector are its thought.
    fn thought(&self) -> i64 {
        self.vectors[&self.manifest.caption_style].numel() as i64 - self.words
    }

    /// Takes a style away and saves.
    ///
    /// # Errors
    /// When there is no such style, it is the last one, or the folder cannot be written.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        if !self.manifest.styles.iter().any(|style| style.name == name) {
            let known: Vec<&str> = self.styles().iter().map(|s| s.name.as_str()).collect();
            let reason = format!("no style `{name}`; there are {}", known.join(", "));
            return Err(self.wrong(reason));
        }
        if self.manifest.styles.len() == 1 {
            return Err(self.wrong(format!(
                "`{name}` is its last style, and a bundle must have one: add another first"
            )));
        }
        self.manifest.styles.retain(|style| style.name != name);
        self.vectors.remove(name);
        self.save()
    }

    /// How alike the styles are, row by row in the order of [`Shelf::styles`]: the cosine between thoughts from which the
    /// mean of all styles was taken. As they are, all are nearly the same: prose.
    pub fn likeness(&self) -> Vec<Vec<f64>> {
        let thought = |style: &Style| self.vectors[&style.name].narrow(0, 0, self.thought());
        let rows: Vec<Tensor> = self.styles().iter().map(thought).collect();
        let rows = Tensor::stack(&rows, 0);
        let apart = models::tensors::unit_rows::unit_rows(
            &(&rows - rows.mean_dim(0i64, true, Kind::Float)),
        );
        let table = apart.matmul(&apart.tr()).to_kind(Kind::Double);
        let table = table.to_device(Device::Cpu);
        Vec::<Vec<f64>>::try_from(table).expect("a product of two matrices is a matrix")
    }

    fn save(&mut self) -> Result<()> {
        let old = self.manifest.style_vectors.clone();
        let draft = self
            .folder
            .join(format!("styles-new{}.safetensors", std::process::id()));
        let arrays = self.vectors.iter();
        let arrays = arrays.map(|(name, vector)| (name.clone(), vector.shallow_clone()));
        Weights::from_tensors("styles", arrays).save(&draft, Kind::Float)?;
        let sum = sha256_of_file(&draft)?;
        let new = format!("styles-{}.safetensors", &sum[..8]);
        durable::put_in_place(&draft, &self.folder.join(&new))?;
        self.manifest.files.remove(&old);
        self.manifest.files.insert(new.clone(), sum);
        self.manifest.style_vectors.clone_from(&new);
        self.manifest.write(&self.folder)?;
        if old != new {
            // a file too many does no harm: nothing names it
            let _ = std::fs::remove_file(self.folder.join(old));
        }
        Ok(())
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Bundle {
            path: self.folder.clone(),
            reason,
        }
    }
}
