//! The styles of a bundle folder, to be added to and taken from while others may read it.
//!
//! Vectors go into a new file with a name of its own; `bundle.toml`, replaced by renaming, is what makes them count. So
//! a reader sees either the old styles or the new, whatever happens in between. One writer at a time: the folder is
//! locked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use models::bundle::{MANIFEST, Manifest, Style, sha256_of_file};
use models::pipeline::style_from_text::Made;
use models::{Bundle, Error, Result, Weights};

/// The styles of one bundle folder, locked against other writers for as long as this lives.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    manifest: Manifest,
    vectors: BTreeMap<String, Tensor>,
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
        let shelf = Shelf {
            folder: folder.to_owned(),
            manifest,
            vectors,
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

    /// The vector (C) of a style.
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

    /// How alike the styles are, row by row in the order of [`Shelf::styles`]: the cosine between vectors from which the
    /// mean of all styles was taken. As they are, all are nearly the same: prose.
    pub fn likeness(&self) -> Vec<Vec<f64>> {
        let rows: Vec<&Tensor> = self
            .styles()
            .iter()
            .map(|style| &self.vectors[&style.name])
            .collect();
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
        let draft = format!("styles-new{}.safetensors", std::process::id());
        let arrays = self.vectors.iter();
        let arrays = arrays.map(|(name, vector)| (name.clone(), vector.shallow_clone()));
        Weights::from_tensors("styles", arrays).save(&self.folder.join(&draft), Kind::Float)?;
        let sum = sha256_of_file(&self.folder.join(&draft))?;
        let new = format!("styles-{}.safetensors", &sum[..8]);
        let path = self.folder.join(&new);
        std::fs::rename(self.folder.join(&draft), &path)
            .and_then(|()| File::open(&path)?.sync_all())
            .map_err(|error| Error::file("write", &path, error))?;
        self.manifest.files.remove(&old);
        self.manifest.files.insert(new.clone(), sum);
        self.manifest.style_vectors.clone_from(&new);
        self.describe()?;
        if old != new {
            // a file too many does no harm: nothing names it
            let _ = std::fs::remove_file(self.folder.join(old));
        }
        Ok(())
    }

    /// Replaces `bundle.toml` by what is known here.
    fn describe(&self) -> Result<()> {
        let text = toml::to_string_pretty(&self.manifest)
            .map_err(|error| Error::format(MANIFEST, error.to_string()))?;
        let path = self.folder.join(MANIFEST);
        let draft = self
            .folder
            .join(format!("{MANIFEST}.draft{}", std::process::id()));
        let write = || {
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|error| Error::file("write", &path, error))
    }

    fn wrong(&self, reason: String) -> Error {
        Error::Bundle {
            path: self.folder.clone(),
            reason,
        }
    }
}
