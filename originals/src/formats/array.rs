//! A numeric array, and how numpy's numbers lie in bytes: whole numbers and floats, in either byte and memory order.
//! Files and pickles that hold arrays all end here.

use models::tensors::shape::is_possible;
use tch::Tensor;

/// An extent beside an empty one may not be larger.
pub(super) const MOST_EMPTY: usize = 1 << 32;
/// A numeric array in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The extents.
    pub shape: Vec<usize>,
    /// The numbers, the last index running fastest.
    pub data: Vec<f32>,
}

impl Array {
    /// The same array as a tensor.
    pub fn to_tensor(&self) -> Tensor {
        let shape: Vec<i64> = self.shape.iter().map(|&n| n as i64).collect();
        Tensor::from_slice(&self.data).view(shape.as_slice())
    }
}

/// How many bytes a number of a numpy type such as `<f4` has.
pub(super) fn item_size(kind: &str) -> Result<usize, String> {
    let (_, name) = kind.split_at_checked(1).ok_or_else(|| unknown(kind))?;
    number(name, [0; 8]).ok_or_else(|| unknown(kind))?;
    name[1..].parse().map_err(|_| unknown(kind))
}

/// Adds raw numbers of a numpy type to others.
pub(super) fn append_numbers(kind: &str, bytes: &[u8], to: &mut Vec<f32>) -> Result<(), String> {
    let size = item_size(kind)?;
    if kind == "<f4" {
        let four = |item: &[u8]| f32::from_le_bytes([item[0], item[1], item[2], item[3]]);
        to.extend(bytes.chunks_exact(4).map(four));
        return Ok(());
    }
    let (order, name) = kind.split_at(1);
    for item in bytes.chunks_exact(size) {
        let mut low_first = [0u8; 8];
        low_first[..size].copy_from_slice(item);
        if order == ">" {
            low_first[..size].reverse();
        }
        to.push(number(name, low_first).ok_or_else(|| unknown(kind))?);
    }
    Ok(())
}

/// Raw bytes of a numpy type such as `<f4`, as floats in C order.
pub(super) fn from_bytes(
    kind: &str,
    shape: Vec<usize>,
    fortran: bool,
    bytes: &[u8],
) -> Result<Array, String> {
    let size = item_size(kind)?;
    let count = shape
        .iter()
        .try_fold(1usize, |n, &extent| n.checked_mul(extent));
    let length = count
        .and_then(|n| n.checked_mul(size))
        .filter(|&n| n <= i64::MAX as usize);
    let length = length.filter(|_| is_possible(shape.iter().copied()));
    let length = length.ok_or("the shape is too large")?;
    let bytes = bytes.get(..length).ok_or("the data is cut off")?;
    if bytes.is_empty() && shape.iter().any(|&extent| extent > MOST_EMPTY) {
        return Err("the shape is too large".to_owned());
    }
    let mut data = Vec::with_capacity(length / size);
    append_numbers(kind, bytes, &mut data)?;
    let data = if fortran && shape.len() > 1 {
        to_c_order(&shape, &data)
    } else {
        data
    };
    Ok(Array { shape, data })
}

fn unknown(kind: &str) -> String {
    format!("type {kind} is not supported")
}

fn number(name: &str, b: [u8; 8]) -> Option<f32> {
    let four = [b[0], b[1], b[2], b[3]];
    Some(match name {
        "f2" => half::f16::from_le_bytes([b[0], b[1]]).to_f32(),
        "f4" => f32::from_le_bytes(four),
        "f8" => f64::from_le_bytes(b) as f32,
        "i8" => i64::from_le_bytes(b) as f32,
        "i4" => i32::from_le_bytes(four) as f32,
        "i2" => f32::from(i16::from_le_bytes([b[0], b[1]])),
        "i1" => f32::from(b[0] as i8),
        "u8" => u64::from_le_bytes(b) as f32,
        "u4" => u32::from_le_bytes(four) as f32,
        "u2" => f32::from(u16::from_le_bytes([b[0], b[1]])),
        "u1" | "b1" => f32::from(b[0]),
        _ => return None,
    })
}

/// From first index fastest to last index fastest.
fn to_c_order(shape: &[usize], data: &[f32]) -> Vec<f32> {
    let mut place = vec![0usize; shape.len()];
    let mut strides = vec![1usize; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut out = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        out.push(
            data[place
                .iter()
                .zip(&strides)
                .map(|(p, s)| p * s)
                .sum::<usize>()],
        );
        for axis in (0..shape.len()).rev() {
            place[axis] += 1;
            if place[axis] < shape[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
    out
}
