//! Matrices that may stay on disk: word tables, caption embeddings, caption thoughts.
//!
//! Each is either a tensor or a stretch of a mapped file (f32, f16, bf16 or f64), of which only the rows that are asked
//! for are read and converted. What must stay true: the numbers are the same from either place, and always f32.

mod writer;

use crate::error::{Error, Result};
use crate::tensors::device::copied::copied;
use crate::tensors::device::mapped::Mapped;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

pub use writer::{ArraySpec, Writer};

/// A matrix of N rows with W numbers each.
#[derive(Debug)]
pub struct Matrix {
    place: Place,
    count: i64,
    width: i64,
}

#[derive(Debug)]
enum Place {
    Held(Tensor),
    Mapped {
        file: Arc<Mapped>,
        start: usize,
        kind: Kind,
    },
}

impl Matrix {
    /// Takes a tensor (N, W) of any float kind.
    ///
    /// # Errors
    /// When it has not two extents.
    pub fn from_tensor(tensor: Tensor) -> Result<Self> {
        let (count, width) = tensor.size2()?;
        Ok(Self {
            place: Place::Held(tensor),
            count,
            width,
        })
    }

    /// Takes the array `name` (N, W) of a mapped safetensors file; nothing but its header is read.
    ///
    /// # Errors
    /// When the file is none, has no such array, or the array is no matrix of floats.
    pub fn map_safetensors(file: &Arc<Mapped>, name: &str) -> Result<Self> {
        let label = || file.path().display().to_string();
        let held = safetensors::SafeTensors::deserialize(file.bytes())
            .map_err(|error| Error::format(label(), format!("not a safetensors file: {error}")))?;
        let view = held.tensor(name).map_err(|_| Error::MissingArray {
            file: label(),
            name: name.to_owned(),
            held: held.names().join(", "),
        })?;
        let kind = crate::tensors::weights::float_kind(view.dtype());
        match (kind, view.shape()) {
            (Some(kind), &[count, width]) => {
                let start = view.data().as_ptr() as usize - file.bytes().as_ptr() as usize;
                Self::map_raw(file, start, [count as i64, width as i64], kind)
            }
            _ => {
                let (kind, shape) = (view.dtype(), view.shape());
                let reason = format!(
                    "array `{name}` is {kind:?} of shape {shape:?}, a matrix of floats is needed"
                );
                Err(Error::format(label(), reason))
            }
        }
    }

    /// Takes `shape` = [N, W] numbers of `kind` that begin at byte `start` of a mapped file, row after row, little-endian.
    ///
    /// # Errors
    /// When the file ends before them, or the kind is no float.
    pub fn map_raw(file: &Arc<Mapped>, start: usize, shape: [i64; 2], kind: Kind) -> Result<Self> {
        let [count, width] = shape;
        let size = usize::try_from(count)
            .ok()
            .zip(usize::try_from(width).ok())
            .and_then(|(count, width)| count.checked_mul(width)?.checked_mul(float_bytes(kind)?));
        let end = size.and_then(|size| size.checked_add(start));
        if end.is_none_or(|end| end > file.bytes().len()) {
            let reason = format!("it has no room for {count} rows of {width} numbers ({kind:?})");
            return Err(Error::format(file.path().display().to_string(), reason));
        }
        Ok(Self {
            place: Place::Mapped {
                file: file.clone(),
                start,
                kind,
            },
            count,
            width,
        })
    }

    /// The number N of rows.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// The number W of numbers in a row.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// The rows of these numbers, in this order: (len, W), f32. Rows of a file come on the processor, rows of a tensor
    /// on its device.
    ///
    /// # Panics
    /// When there is no such row: callers number rows by [`Matrix::count`].
    pub fn gather(&self, rows: &[i64]) -> Tensor {
        match &self.place {
            Place::Held(tensor) => {
                let rows = Tensor::from_slice(rows).to_device(tensor.device());
                tensor.index_select(0, &rows).to_kind(Kind::Float)
            }
            Place::Mapped { file, start, kind } => {
                let length = self.row_bytes(*kind);
                let mut bytes = Vec::with_capacity(rows.len() * length);
                for &row in rows {
                    assert!(
                        (0..self.count).contains(&row),
                        "row {row} of {}",
                        self.count
                    );
                    let first = start + row as usize * length;
                    bytes.extend_from_slice(&file.bytes()[first..first + length]);
                }
                let shape = [rows.len() as i64, self.width];
                copied(&bytes, &shape, *kind).to_kind(Kind::Float)
            }
        }
    }

    /// `count` rows from `first` on, fewer at the end: (count, W), f32.
    pub fn block(&self, first: i64, count: i64) -> Tensor {
        let first = first.clamp(0, self.count);
        let count = count.clamp(0, self.count - first);
        match &self.place {
            Place::Held(tensor) => tensor.narrow(0, first, count).to_kind(Kind::Float),
            Place::Mapped { file, start, kind } => {
                let length = self.row_bytes(*kind);
                let start = start + first as usize * length;
                let bytes = &file.bytes()[start..start + count as usize * length];
                copied(bytes, &[count, self.width], *kind).to_kind(Kind::Float)
            }
        }
    }

    /// Takes the pages that were read out of this process; called after a pass over many rows.
    pub fn release(&self) {
        if let Place::Mapped { file, .. } = &self.place {
            file.release();
        }
    }

    /// The same rows where they are quick to reach from `device`: a processor reads the file, a GPU holds them.
    pub fn near(self, device: Device) -> Self {
        let whole = match &self.place {
            _ if !device.is_cuda() => return self,
            Place::Held(tensor) => tensor.to_device(device),
            Place::Mapped { file, start, kind } => {
                let end = start + self.count as usize * self.row_bytes(*kind);
                let shape = [self.count, self.width];
                copied(&file.bytes()[*start..end], &shape, *kind).to_device(device)
            }
        };
        self.release();
        Self {
            place: Place::Held(whole),
            ..self
        }
    }

    fn row_bytes(&self, kind: Kind) -> usize {
        self.width as usize * float_bytes(kind).unwrap_or(0)
    }
}

/// How many bytes a float of this kind has.
fn float_bytes(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Half | Kind::BFloat16 => Some(2),
        Kind::Float => Some(4),
        Kind::Double => Some(8),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
