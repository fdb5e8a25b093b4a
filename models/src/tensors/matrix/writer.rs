//! Writes a safetensors file row by row, for matrices that never fit into memory at once.
//!
//! Importers and the computing of caption vectors use it. The file grows beside its place as a draft and is renamed when
//! it is whole. What must stay true: after a kill a resumable draft goes on at its last checkpoint, and only if it is the
//! same file (arrays and key) that was begun; a second process that wants the same file waits for the first.

use crate::durable;
use crate::error::{Error, Result};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

/// Name, [rows, width] and kind (f32 or f16) of an array that will be written.
pub type ArraySpec<'a> = (&'a str, [i64; 2], Kind);

/// A safetensors file in the making.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    arrays: Vec<([i64; 2], Kind)>,
    /// rows written, over all arrays
    done: i64,
}

impl Writer {
    /// Begins a file anew.
    ///
    /// # Errors
    /// When the draft cannot be written or a kind is neither f32 nor f16.
    pub fn create(path: &Path, arrays: &[ArraySpec]) -> Result<Self> {
        let _ = std::fs::remove_file(state_path(path));
        Self::resume(path, arrays, "").and_then(|writer| {
            writer.ok_or_else(|| Error::format(path.display().to_string(), "it is there already"))
        })
    }

    /// Goes on with a file that was begun for the same `key` and arrays, or begins it. `None` when it is whole: another
    /// process may just have written it.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub fn resume(path: &Path, arrays: &[ArraySpec], key: &str) -> Result<Option<Self>> {
        let header = header(path, arrays, key)?;
        let draft = draft_path(path);
        let failed = |error| Error::file("write", &draft, error);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&draft)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        if !key.is_empty() && path.exists() {
            let _ = std::fs::remove_file(&draft);
            return Ok(None);
        }
        let mut writer = Self {
            path: path.to_owned(),
            arrays: arrays
                .iter()
                .map(|&(_, shape, kind)| (shape, kind))
                .collect(),
            done: 0,
            file: BufWriter::new(file.try_clone().map_err(failed)?),
        };
        writer.done = writer.rows_kept(&mut file, &header).unwrap_or(0);
        let length = header.len() as u64 + writer.bytes_of(writer.done);
        if writer.done == 0 {
            file.set_len(0).map_err(failed)?;
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            file.write_all(&header).map_err(failed)?;
        }
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::Start(length)).map_err(failed)?;
        Ok(Some(writer))
    }

    /// How many rows are there, over all arrays in their order.
    pub fn rows_done(&self) -> i64 {
        self.done
    }

    /// Adds rows (R, W) in the order of the arrays, cast to the kind of theirs; a block lies in one array.
    ///
    /// # Errors
    /// When they do not fit what is missing, or the file cannot be written.
    pub fn append(&mut self, rows: &Tensor) -> Result<()> {
        let wrong = |reason: &str| Err(Error::format(self.path.display().to_string(), reason));
        let (count, width) = rows.size2()?;
        let mut before = 0;
        let place = self.arrays.iter().find(|(shape, _)| {
            before += shape[0];
            before > self.done
        });
        let Some(&(shape, kind)) = place else {
            return wrong("more rows than were announced");
        };
        if shape[1] != width || self.done + count > before {
            return wrong("rows of another array than comes next");
        }
        let cast = rows.to_device(Device::Cpu).to_kind(kind).contiguous();
        let bytes = bytes_of(&cast);
        let failed = |error| Error::file("write", &draft_path(&self.path), error);
        self.file.write_all(&bytes).map_err(failed)?;
        self.done += count;
        Ok(())
    }

    /// Makes what is written so far survive a kill and a power cut.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn checkpoint(&mut self) -> Result<()> {
        let draft = draft_path(&self.path);
        let failed = |error| Error::file("write", &draft, error);
        self.file.flush().map_err(failed)?;
        self.file.get_ref().sync_data().map_err(failed)?;
        let state = state_path(&self.path);
        durable::write(&state, self.done.to_string())
    }

    /// Puts the file into its place.
    ///
    /// # Errors
    /// When rows are missing or the disk does not take it.
    pub fn finish(mut self) -> Result<()> {
        let wanted: i64 = self.arrays.iter().map(|(shape, _)| shape[0]).sum();
        if self.done != wanted {
            let reason = format!("{} rows of {wanted} were written", self.done);
            return Err(Error::format(self.path.display().to_string(), reason));
        }
        let draft = draft_path(&self.path);
        let failed = |error| Error::file("write", &draft, error);
        self.file.flush().map_err(failed)?;
        durable::put_in_place(&draft, &self.path)?;
        let _ = std::fs::remove_file(state_path(&self.path));
        Ok(())
    }

    /// The rows of an earlier run, if the draft begins with this very header and holds them all.
    fn rows_kept(&self, file: &mut File, header: &[u8]) -> Option<i64> {
        let kept: i64 = std::fs::read_to_string(state_path(&self.path))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let mut found = vec![0; header.len()];
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_exact(&mut found).ok()?;
        let total: i64 = self.arrays.iter().map(|(shape, _)| shape[0]).sum();
        let fits = found == header && (0..=total).contains(&kept);
        let length = file.metadata().ok()?.len();
        (fits && length >= header.len() as u64 + self.bytes_of(kept)).then_some(kept)
    }

    /// The bytes of the first rows.
    fn bytes_of(&self, mut rows: i64) -> u64 {
        let mut bytes = 0;
        for &([count, width], kind) in &self.arrays {
            let here = rows.min(count);
            bytes += here * width * if kind == Kind::Half { 2 } else { 4 };
            rows -= here;
        }
        bytes as u64
    }
}

/// The first bytes of a safetensors file: the length of a description, and the description.
fn header(path: &Path, arrays: &[ArraySpec], key: &str) -> Result<Vec<u8>> {
    let mut description = serde_json::Map::new();
    if !key.is_empty() {
        description.insert("__metadata__".to_owned(), json!({ "key": key }));
    }
    let mut start = 0;
    for &(name, shape, kind) in arrays {
        let (dtype, size) = match kind {
            Kind::Half => ("F16", 2),
            Kind::Float => ("F32", 4),
            _ => {
                let reason = format!("array `{name}` would be {kind:?}; f32 and f16 are written");
                return Err(Error::format(path.display().to_string(), reason));
            }
        };
        let end = start + shape[0] * shape[1] * size;
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]});
        description.insert(name.to_owned(), entry);
        start = end;
    }
    let mut text = serde_json::Value::Object(description)
        .to_string()
        .into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    Ok(header)
}

/// The little-endian bytes of a contiguous f32 or f16 tensor.
fn bytes_of(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = vec![0; tensor.numel() * if tensor.kind() == Kind::Half { 2 } else { 4 }];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    bytes
}

fn draft_path(path: &Path) -> PathBuf {
    path.with_extension("draft")
}

fn state_path(path: &Path) -> PathBuf {
    path.with_extension("draft-rows")
}
