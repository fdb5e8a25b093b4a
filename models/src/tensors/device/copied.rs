//! Tensors made of numbers that lie somewhere else, in one pass: the bindings' own way fills them with zeros before.
//! Files of weights and the steps of a language model go through it. What must stay true: the tensor owns its numbers.

use tch::{Device, Kind, Tensor};

/// A tensor of this kind and shape with a copy of the bytes, row after row, little-endian.
///
/// # Panics
/// When there are more or fewer bytes than it has; whoever reads a file checks that before.
pub fn copied(bytes: &[u8], shape: &[i64], kind: Kind) -> Tensor {
    let count: i64 = shape.iter().product();
    let size = kind.elt_size_in_bytes();
    assert_eq!(count as usize * size, bytes.len(), "{kind:?} of {shape:?}");
    let from = bytes.as_ptr();
    if count == 0 || from.align_offset(size) != 0 {
        return Tensor::from_data_size(bytes, shape, kind);
    }
    let strides: Vec<i64> = (1..=shape.len())
        .map(|axis| shape[axis..].iter().product())
        .collect();
    // SAFETY: the bytes are as many as the tensor has and lie as its numbers must; they are borrowed until the copy is
    // made, and nothing writes into what only the copy sees.
    let seen = unsafe { Tensor::from_blob(from, shape, &strides, kind, Device::Cpu) };
    // `Tensor::copy` begins with zeros
    let mut own = Tensor::empty(shape, (kind, Device::Cpu));
    own.copy_(&seen);
    own
}

/// A tensor of this shape with a copy of these numbers.
///
/// # Panics
/// When there are more or fewer of them than it has.
pub fn copied_numbers(numbers: &[f32], shape: &[i64]) -> Tensor {
    // SAFETY: a number is four bytes, and any byte is one.
    let bytes =
        unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) };
    copied(bytes, shape, Kind::Float)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_numbers_wherever_they_lay() {
        let mut bytes = vec![0u8];
        for number in [1.5f32, -2.0, 3.0, 4.0, 5.0, 6.0] {
            bytes.extend(number.to_le_bytes());
        }
        let wanted = Tensor::from_slice(&[1.5f32, -2.0, 3.0, 4.0, 5.0, 6.0]).view([3, 2]);
        // of these one lies as numbers must at most
        for begin in 0..2 {
            let moved = [&bytes[1..], &[0; 4]].concat();
            let moved = if begin == 0 {
                &bytes[1..]
            } else {
                &moved[..24]
            };
            assert_eq!(copied(moved, &[3, 2], Kind::Float), wanted);
        }
        let one = copied_numbers(&[7.0], &[]);
        assert_eq!((one.size(), one.double_value(&[])), (vec![], 7.0));
        assert_eq!(copied(&[], &[0, 4], Kind::Half).size(), [0, 4]);
    }

    #[test]
    fn it_is_a_copy() {
        let mut numbers = vec![1.0f32, 2.0];
        let tensor = copied_numbers(&numbers, &[2]);
        numbers[0] = 9.0;
        assert_eq!(tensor.double_value(&[0]), 1.0);
    }
}
