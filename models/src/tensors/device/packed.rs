//! A matrix packed as bytes for products with few rows, as a language model's steps are.
//!
//! Such a product is bound by the weights that it reads: a quarter of the bytes take less time by as much. Two kernels: one of
//! ours (`bytes/`) rounds weights only, FBGEMM's (through `packed.cpp`) rounds what is multiplied with them, too. Measured
//! for a step of SmolLM2-135M's 30 layers with six rows, ms, `qkv`, `down`, `gate_up`: plain 8, 15, 46; FBGEMM's
//! 16-bit floats 2.6, 8.0, 20; rounded weights 2, 3, 10; both rounded 1.6, 2.2, 7.6.

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

unsafe extern "C" {
    fn storyteller_product_of_bytes(product: *const Product);
    fn storyteller_pack_bytes(weight: *const C_tensor, largest: f64) -> *mut C_tensor;
    fn storyteller_product_bytes(rows: *const C_tensor, packed: *const C_tensor) -> *mut C_tensor;
}

/// As in `bytes/kernel.h`.
#[repr(C)]
struct Product {
    rows: *const f32,
    weights: *const i8,
    scales: *const f32,
    found: *mut f32,
    count: i64,
    inner: i64,
    out: i64,
}

/// What is rounded to whole numbers for a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounded {
    /// Weights, to 8 bits with a scale for each output. Rows stay 32-bit floats: it does not matter if a few numbers of a row
    /// are far larger than all others.
    Weights,
    /// Weights to 7 bits, and each row to 8 with a scale of its own. Twice as fast with six rows, but numbers are too coarse
    /// beside one that is far larger.
    Both,
}

/// A packed matrix (out, in).
#[derive(Debug)]
pub struct Packed {
    bytes: Bytes,
    out: usize,
    inner: usize,
}

#[derive(Debug)]
enum Bytes {
    /// Weights (out, in), row by row, and what a one in each row is worth.
    Ours { weights: Vec<i8>, scales: Vec<f32> },
    /// The tensor that stands for a matrix in FBGEMM's own order.
    Fbgemm(Tensor),
}

impl Packed {
    /// Packs 32-bit weights (out, in) on the processor; none where they are elsewhere or otherwise.
    pub fn new(weight: &Tensor, rounded: Rounded) -> Option<Self> {
        let &[out, inner] = weight.size().as_slice() else {
            return None;
        };
        if weight.kind() != Kind::Float || weight.device() != Device::Cpu {
            return None;
        }
        let bytes = match rounded {
            Rounded::Weights => None,
            Rounded::Both => fbgemm(weight),
        };
        Some(Self {
            // what FBGEMM cannot pack here, ours can
            bytes: bytes.or_else(|| ours(weight))?,
            out: out as usize,
            inner: inner as usize,
        })
    }

    /// (out, in).
    pub fn extents(&self) -> [i64; 2] {
        [self.out as i64, self.inner as i64]
    }

    /// 32-bit rows (…, in) → (…, out).
    ///
    /// # Panics
    /// When the rows have another width than the matrix, or are no 32-bit floats on the processor; networks check that when
    /// they are loaded.
    pub fn product(&self, rows: &Tensor) -> Tensor {
        let mut size = rows.size();
        assert_eq!(
            size.last(),
            Some(&(self.inner as i64)),
            "a row has the matrix's width"
        );
        let flat = Vec::<f32>::try_from(rows.contiguous().view([-1]));
        let flat = flat.expect("rows of a packed matrix are 32-bit floats on the processor");
        let found = Tensor::from_slice(&self.times(&flat));
        size.pop();
        size.push(self.out as i64);
        found.view(size.as_slice())
    }

    /// Rows one after the other (B · in) → (B · out).
    ///
    /// # Panics
    /// When they are no whole rows.
    pub fn times(&self, rows: &[f32]) -> Vec<f32> {
        let count = rows.len() / self.inner;
        assert_eq!(
            count * self.inner,
            rows.len(),
            "a row has the matrix's width"
        );
        let (weights, scales) = match &self.bytes {
            Bytes::Ours { weights, scales } => (weights, scales),
            Bytes::Fbgemm(handle) => {
                let rows = Tensor::from_slice(rows).view([count as i64, self.inner as i64]);
                let found = multiplied(&rows, handle).map(|found| found.view([-1]));
                let found = found.and_then(|found| Vec::try_from(found).ok());
                return found.expect("a product that worked for one row works for others");
            }
        };
        let mut found = vec![0.0; count * self.out];
        let product = Product {
            rows: rows.as_ptr(),
            weights: weights.as_ptr(),
            scales: scales.as_ptr(),
            found: found.as_mut_ptr(),
            count: count as i64,
            inner: self.inner as i64,
            out: self.out as i64,
        };
        // SAFETY: the function reads count · inner, out · inner and out numbers and writes count · out of them, as many as
        // these four have; it keeps none of the pointers.
        unsafe { storyteller_product_of_bytes(&raw const product) };
        found
    }
}

/// Bytes for our own kernel.
fn ours(weight: &Tensor) -> Option<Bytes> {
    // each output has a scale of its own, so that a large one does not coarsen the others
    let largest = weight.abs().amax([1i64].as_slice(), true);
    let scales = largest.clamp_min(1e-12) / f64::from(i8::MAX);
    let bytes = (weight / &scales).round().to_kind(Kind::Int8);
    Some(Bytes::Ours {
        weights: Vec::try_from(bytes.reshape([-1])).ok()?,
        scales: Vec::try_from(scales.reshape([-1])).ok()?,
    })
}

/// Larger weights would overflow the 16-bit sums of two products that processors without VNNI have.
const LARGEST: f64 = 63.0;

/// Bytes for FBGEMM's; none where it cannot pack them, or not multiply.
fn fbgemm(weight: &Tensor) -> Option<Bytes> {
    let weight = weight.contiguous();
    // SAFETY: the pointer is that of a live tensor, which the function only reads; what it returns is null or a new tensor
    // that nobody else owns, and `from_ptr` takes it over.
    let handle = unsafe {
        let made = storyteller_pack_bytes(weight.as_ptr(), LARGEST);
        (!made.is_null()).then(|| Tensor::from_ptr(made))
    }?;
    // packed, but not to be multiplied with: then it is as good as not packed
    let probe = Tensor::zeros([1, weight.size()[1]], (Kind::Float, Device::Cpu));
    let _ = multiplied(&probe, &handle)?;
    Some(Bytes::Fbgemm(handle))
}

fn multiplied(rows: &Tensor, handle: &Tensor) -> Option<Tensor> {
    // SAFETY: both pointers are those of live tensors, which the function only reads; what it returns is null or a new
    // tensor that nobody else owns, and `from_ptr` takes it over.
    unsafe {
        let made = storyteller_product_bytes(rows.as_ptr(), handle.as_ptr());
        (!made.is_null()).then(|| Tensor::from_ptr(made))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn a_product_is_the_plain_one_to_some_percent_however_large_a_row_is() {
        // extents that no block of the kernel divides
        let weight = Tensor::randn([97, 75], FLOAT);
        let sizes = Tensor::from_slice(&[300.0f32, 1.0, 1.0, 0.01, 1.0, 0.0, 1.0]);
        let rows = Tensor::randn([7, 75], FLOAT) * sizes.unsqueeze(1);
        let wanted = rows.matmul(&weight.tr());
        for (rounded, most) in [(Rounded::Weights, 0.012), (Rounded::Both, 0.03)] {
            let found = Packed::new(&weight, rounded).unwrap().product(&rows);
            for row in 0..7 {
                let size = wanted.get(row).norm().double_value(&[]);
                let apart = (found.get(row) - wanted.get(row)).norm();
                let apart = apart.double_value(&[]);
                assert!(apart <= most * size, "row {row}: {apart} of {size}");
            }
        }
    }

    #[test]
    fn a_row_is_the_same_number_for_number_whatever_stands_beside_it() {
        let weight = Tensor::randn([50, 64], FLOAT);
        let packed = Packed::new(&weight, Rounded::Weights).unwrap();
        for count in [1, 2, 5, 6, 13] {
            let rows = Tensor::randn([2, count, 64], FLOAT);
            let found = packed.product(&rows);
            assert_eq!(found.size(), [2, count, 50]);
            let alone = packed.product(&rows.get(1).get(count - 1));
            assert_eq!(found.get(1).get(count - 1), alone, "{count} rows");
        }
    }

    #[test]
    fn weights_that_are_whole_numbers_already_are_multiplied_exactly() {
        let whole = |i: i64| Tensor::arange(i, FLOAT).remainder(11.0) - 5.0;
        let weight = whole(6 * 32).view([6, 32]);
        // so the scale is one
        let _ = weight.narrow(1, 0, 1).fill_(127.0);
        let rows = whole(3 * 32).view([3, 32]);
        let found = Packed::new(&weight, Rounded::Weights)
            .unwrap()
            .product(&rows);
        assert_eq!(found, rows.matmul(&weight.tr()));
    }

    #[test]
    fn what_is_no_plain_matrix_is_not_packed() {
        let double = Tensor::zeros([3, 4], (Kind::Double, Device::Cpu));
        assert!(Packed::new(&double, Rounded::Both).is_none());
        assert!(Packed::new(&Tensor::zeros([3], FLOAT), Rounded::Weights).is_none());
    }
}
