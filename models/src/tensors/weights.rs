//! Named arrays of 32-bit floats: what every network here is made from.
//!
//! Names and layout are those of the published models: matrices are (in, out), a GRU called `p` has
//! `p_W`, `p_U`, `p_b`, `p_Wx`, `p_Ux`, `p_bx` (algorithm.md §1.2). Files are safetensors
//! (`originals` reads what came before). A network asks for each array with the shape it needs, so that a wrong file
//! is refused when it is loaded and never in the middle of a computation.

use crate::durable;
use crate::error::{Error, Result};
use crate::tensors::device::copied::copied;
use crate::tensors::device::mapped::Mapped;
use crate::tensors::device::shared::ReadOnly;
use crate::tensors::eight_bits;
use crate::tensors::shape;
use std::collections::BTreeMap;
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// A set of named f32 tensors that came from one place.
#[derive(Debug)]
pub struct Weights {
    label: String,
    arrays: BTreeMap<String, Tensor>,
}

/// How an array lies in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// As numbers of this kind.
    Numbers(Kind),
    /// A matrix with 8 bits a number (see `eight_bits`), anything else in 32.
    EightBits,
}

/// Nothing writes into arrays that are held here; what is to learn is copied first.
impl ReadOnly for Weights {}

impl Weights {
    /// Collects tensors under a label that error messages will show. Integer and half-precision
    /// tensors become f32; tensors that require gradients keep their graph.
    pub fn from_tensors(
        label: impl Into<String>,
        arrays: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Self {
        let arrays = arrays
            .into_iter()
            .map(|(name, t)| (name, as_float(t)))
            .collect();
        Self {
            label: label.into(),
            arrays,
        }
    }

    /// Reads a safetensors file with f16, bf16, f32 or f64 arrays, or matrices in 8 bits (see `eight_bits`).
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or holds another type.
    pub fn from_safetensors(path: &Path) -> Result<Self> {
        Self::from_mapped(&Mapped::open(path)?)
    }

    /// As [`Weights::from_safetensors`], from a file that is mapped: each array is copied once, and the pages it was
    /// copied from leave the process.
    ///
    /// # Errors
    /// When the bytes are damaged or hold a type that is no float.
    pub fn from_mapped(file: &Mapped) -> Result<Self> {
        let label = file.path().display().to_string();
        let held = safetensors::SafeTensors::deserialize(file.bytes())
            .map_err(|error| Error::format(&label, format!("not a safetensors file: {error}")))?;
        let mut arrays = Vec::new();
        for (name, view) in held.iter() {
            let kind = number_kind(view.dtype()).ok_or_else(|| {
                let reason = format!("array `{name}` is {:?}, numbers are needed", view.dtype());
                Error::format(&label, reason)
            })?;
            if !shape::is_possible(view.shape().iter().copied()) {
                let reason = format!("array `{name}` has the shape {:?}", view.shape());
                return Err(Error::format(&label, reason));
            }
            let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
            let array = copied(view.data(), &shape, kind);
            arrays.push((name.to_owned(), as_float(array)));
            file.release();
        }
        let arrays = eight_bits::widened(&label, arrays.into_iter().collect())?;
        Ok(Self { label, arrays })
    }

    /// The array called `name`; -1 in `shape` accepts any length. The tensor shares its storage with
    /// this set.
    ///
    /// # Errors
    /// When there is no such array, or its shape differs: the message names the file, the array and
    /// both shapes.
    pub fn tensor(&self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let array = self.arrays.get(name).ok_or_else(|| self.missing(name))?;
        let found = array.size();
        let fits =
            found.len() == shape.len() && found.iter().zip(shape).all(|(&f, &w)| w == -1 || w == f);
        if !fits {
            return Err(Error::Shape {
                file: self.label.clone(),
                name: name.to_owned(),
                found,
                wanted: shape.to_vec(),
            });
        }
        Ok(array.shallow_clone())
    }

    /// Whether there is an array of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// All arrays with their names, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.arrays
            .iter()
            .map(|(name, array)| (name.as_str(), array))
    }

    /// Where the arrays came from.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The same arrays on another device.
    pub fn to_device(&self, device: Device) -> Self {
        let arrays = self
            .arrays
            .iter()
            .map(|(n, t)| (n.clone(), t.to_device(device)))
            .collect();
        Self {
            label: self.label.clone(),
            arrays,
        }
    }

    /// Writes a safetensors file with every array cast to `kind`. The file appears whole or not at
    /// all, and stays after a power cut: whoever deletes a checkpoint because of it loses nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path, kind: Kind) -> Result<()> {
        self.save_as(path, |_| Form::Numbers(kind))
    }

    /// As [`Weights::save`], each array in the form that belongs to its name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_as(&self, path: &Path, form: impl Fn(&str) -> Form) -> Result<()> {
        let arrays: Vec<(String, Tensor)> = self
            .iter()
            .flat_map(|(name, array)| {
                let array = array.detach().to_device(Device::Cpu);
                match form(name) {
                    Form::Numbers(kind) => {
                        vec![(name.to_owned(), array.to_kind(kind).contiguous())]
                    }
                    Form::EightBits => eight_bits::rounded(name, &array),
                }
            })
            .collect();
        durable::replace(path, |draft| {
            Tensor::write_safetensors(&arrays, draft)
                .map_err(|error| Error::format(draft.display().to_string(), error.to_string()))
        })
    }

    fn missing(&self, name: &str) -> Error {
        let mut held: Vec<&str> = self.names().take(8).collect();
        if self.arrays.len() > held.len() {
            held.push("…");
        }
        Error::MissingArray {
            file: self.label.clone(),
            name: name.to_owned(),
            held: if held.is_empty() {
                "nothing".to_owned()
            } else {
                held.join(", ")
            },
        }
    }
}

fn as_float(tensor: Tensor) -> Tensor {
    if tensor.kind() == Kind::Float {
        tensor
    } else {
        tensor.to_kind(Kind::Float)
    }
}

/// The kind of a type of numbers of safetensors files. Whole numbers become floats too: those of networks (positions,
/// token ids) are far below 2²⁴, up to which they stay exact.
fn number_kind(dtype: safetensors::Dtype) -> Option<Kind> {
    match dtype {
        safetensors::Dtype::I32 => Some(Kind::Int),
        safetensors::Dtype::I64 => Some(Kind::Int64),
        safetensors::Dtype::U8 => Some(Kind::Uint8),
        safetensors::Dtype::I8 => Some(Kind::Int8),
        other => float_kind(other),
    }
}

/// The kind of a float type of safetensors files.
pub(crate) fn float_kind(dtype: safetensors::Dtype) -> Option<Kind> {
    match dtype {
        safetensors::Dtype::F16 => Some(Kind::Half),
        safetensors::Dtype::BF16 => Some(Kind::BFloat16),
        safetensors::Dtype::F32 => Some(Kind::Float),
        safetensors::Dtype::F64 => Some(Kind::Double),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn two_arrays() -> Weights {
        let ramp = Tensor::arange(6, (Kind::Float, Device::Cpu));
        let arrays = [
            ("b".to_owned(), ramp.narrow(0, 0, 3)),
            ("W".to_owned(), ramp.view([2, 3])),
        ];
        Weights::from_tensors("two.npz", arrays)
    }

    #[test]
    fn a_saved_half_precision_file_reads_back_as_floats() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("two.safetensors");
        two_arrays().save(&path, Kind::Half).unwrap();
        let back = Weights::from_safetensors(&path).unwrap();
        let matrix = back.tensor("W", &[-1, 3]).unwrap();
        assert_eq!(matrix.kind(), Kind::Float);
        assert_eq!(
            Vec::<Vec<f32>>::try_from(matrix).unwrap(),
            [[0., 1., 2.], [3., 4., 5.]]
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn a_wrong_shape_names_the_file_the_array_and_both_shapes() {
        let text = two_arrays().tensor("W", &[3, -1]).unwrap_err().to_string();
        for part in ["two.npz", "`W`", "[2, 3]", "[3, -1]"] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }

    #[test]
    fn a_missing_array_is_named_with_what_there_is() {
        let text = two_arrays().tensor("U", &[-1]).unwrap_err().to_string();
        assert!(text.contains("`U`") && text.contains("W, b"), "{text}");
    }

    #[test]
    fn a_small_file_reads_back_within_half_a_step_of_each_row() {
        tch::manual_seed(1);
        let wide = Tensor::randn([5, 100], (Kind::Float, Device::Cpu))
            * Tensor::from_slice(&[1f32, 0.0, 1e-3, 1e3, 5.0]).unsqueeze(1);
        let arrays = [
            ("wide", wide.shallow_clone()),
            ("narrow", wide.narrow(1, 0, 8)),
            ("bias", wide.get(0)),
        ];
        let arrays = arrays.map(|(name, array)| (name.to_owned(), array));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small.safetensors");
        Weights::from_tensors("small", arrays)
            .save_as(&path, |_| Form::EightBits)
            .unwrap();
        let back = Weights::from_safetensors(&path).unwrap();
        assert_eq!(back.names().collect::<Vec<_>>(), ["bias", "narrow", "wide"]);
        let found = back.tensor("wide", &[5, 100]).unwrap();
        let half = wide.abs().amax([1i64].as_slice(), true) / 127.0 * 0.501;
        let off = (&found - &wide).abs();
        assert_eq!(i64::try_from(off.le_tensor(&half).all()).unwrap(), 1);
        assert_eq!(back.tensor("bias", &[100]).unwrap(), wide.get(0));
        assert_eq!(
            back.tensor("narrow", &[5, 8]).unwrap(),
            wide.narrow(1, 0, 8)
        );
        assert!(path.metadata().unwrap().len() < 5 * 100 + 4 * (5 * 8 + 100) + 700);
    }
}
