//! Caffe's file of a trained network (`.caffemodel`, algorithm.md §1.8): the layers with their arrays.
//!
//! The file is a protobuf message of which a handful of fields matter: it is mapped and walked field by field, and what
//! is not known is skipped. Old layers (field 2) and new ones (field 100) are taken, numbers packed or one by one.

use crate::formats::array::Array;
use models::tensors::device::mapped::Mapped;
use models::tensors::shape::is_possible;
use models::{Error, Result};
use std::path::Path;

/// The arrays of a layer: weights, then biases.
type Layer = (String, Vec<Array>);

/// Reads the layers that have arrays, in the order of the file; shapes are those the file says.
///
/// # Errors
/// When the file cannot be read, is cut off or no such message, or an array has not as many numbers as its shape says.
pub fn read_caffemodel(path: &Path) -> Result<Vec<(String, Vec<Array>)>> {
    let file = Mapped::open(path)?;
    let wrong = |reason: String| Error::format(path.display().to_string(), reason);
    let mut layers = Vec::new();
    for field in Fields(file.bytes()) {
        let (number, value) = field.map_err(wrong)?;
        let (name, blobs) = match (number, value) {
            (2, Field::Bytes(bytes)) => layer(bytes, 4, 6).map_err(wrong)?,
            (100, Field::Bytes(bytes)) => layer(bytes, 1, 7).map_err(wrong)?,
            _ => continue,
        };
        if !blobs.is_empty() {
            layers.push((name, blobs));
        }
        file.release();
    }
    if layers.is_empty() {
        return Err(wrong(
            "no layer in it has arrays: a Caffe network is expected".to_owned(),
        ));
    }
    Ok(layers)
}

/// A layer whose name and arrays are the fields of these numbers.
fn layer(bytes: &[u8], name_field: u64, blob_field: u64) -> Result<Layer, String> {
    let (mut name, mut blobs) = (String::new(), Vec::new());
    for field in Fields(bytes) {
        match field? {
            (number, Field::Bytes(text)) if number == name_field => {
                name = String::from_utf8_lossy(text).into_owned();
            }
            (number, Field::Bytes(bytes)) if number == blob_field => blobs.push(bytes),
            _ => {}
        }
    }
    let blobs = blobs.into_iter().map(blob).collect::<Result<_, _>>();
    let blobs = blobs.map_err(|reason| format!("layer `{name}`: {reason}"))?;
    Ok((name, blobs))
}

fn blob(bytes: &[u8]) -> Result<Array, String> {
    let mut legacy = [None; 4];
    let (mut shape, mut data) = (None, Vec::new());
    for field in Fields(bytes) {
        match field? {
            (number @ 1..=4, Field::Number(extent)) => legacy[number as usize - 1] = Some(extent),
            (5, Field::Bytes(packed)) => data.extend(packed.chunks_exact(4).map(single)),
            (5, Field::Four(number)) => data.push(f32::from_le_bytes(number)),
            (8, Field::Bytes(packed)) => data.extend(packed.chunks_exact(8).map(double)),
            (8, Field::Eight(number)) => data.push(f64::from_le_bytes(number) as f32),
            (7, Field::Bytes(dims)) => shape = Some(extents(dims)?),
            _ => {}
        }
    }
    let shape = shape.unwrap_or_else(|| {
        let said = legacy.iter().flatten().next().is_some();
        let extents = legacy.iter().map(|extent| extent.unwrap_or(1));
        if said {
            extents.collect()
        } else {
            vec![data.len() as u64]
        }
    });
    let count = shape
        .iter()
        .try_fold(1u64, |n, &extent| n.checked_mul(extent));
    if count != Some(data.len() as u64) {
        return Err(format!(
            "an array of shape {shape:?} has {} numbers",
            data.len()
        ));
    }
    let shape: Vec<usize> = shape.into_iter().map(|extent| extent as usize).collect();
    if !is_possible(shape.iter().copied()) {
        return Err(format!("an array has the shape {shape:?}"));
    }
    Ok(Array { shape, data })
}

/// The extents of a `BlobShape`.
fn extents(bytes: &[u8]) -> Result<Vec<u64>, String> {
    let mut shape = Vec::new();
    for field in Fields(bytes) {
        match field? {
            (1, Field::Number(extent)) => shape.push(extent),
            (1, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    shape.push(varint(&mut packed)?);
                }
            }
            _ => {}
        }
    }
    Ok(shape)
}

fn single(b: &[u8]) -> f32 {
    f32::from_le_bytes([b[0], b[1], b[2], b[3]])
}

fn double(b: &[u8]) -> f32 {
    f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
}

/// A field's value.
enum Field<'a> {
    Number(u64),
    Four([u8; 4]),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
}

/// The fields of a message, with their numbers; ends after the first that is broken.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Field<'a>), String> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Field::Number(varint(&mut self.0)?),
            1 => Field::Eight(self.take(8)?.try_into().map_err(|_| CUT.to_owned())?),
            2 => {
                let length = varint(&mut self.0)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Four(self.take(4)?.try_into().map_err(|_| CUT.to_owned())?),
            _ => return Err("it is no Caffe network: a field of an unknown form".to_owned()),
        };
        Ok((key >> 3, value))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let count = usize::try_from(count).map_err(|_| CUT.to_owned())?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }
}

const CUT: &str = "the file ends too early: it is cut off, or no Caffe network";

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first().ok_or(CUT)?;
        *bytes = rest;
        value |= u64::from(byte & 127) << (7 * place);
        if byte < 128 {
            return Ok(value);
        }
    }
    Err("it is no Caffe network: a number does not end".to_owned())
}
