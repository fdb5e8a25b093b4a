//! A matrix packed as bytes or as 16-bit floats for products with few rows, as a language model's steps are.
//!
//! Such a product is bound by the weights that it reads: a quarter or half of the bytes in the kernel's own order take less
//! time than a plain one by as much. Sums stay 32-bit. The kernels are FBGEMM's, through `packed.cpp`. Measured for a step of
//! SmolLM2-135M with six rows, ms: plain 69, halves 28, bytes 9; with AVX2 alone 90, 40, 14.

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

/// See [`Numbers::Bytes`].
const LARGEST: f64 = 63.0;

unsafe extern "C" {
    fn storyteller_pack_half(weight: *const C_tensor) -> *mut C_tensor;
    fn storyteller_product_half(
        rows: *const C_tensor,
        packed: *const C_tensor,
        bias: *const C_tensor,
    ) -> *mut C_tensor;
    fn storyteller_pack_bytes(weight: *const C_tensor, largest: f64) -> *mut C_tensor;
    fn storyteller_product_bytes(rows: *const C_tensor, packed: *const C_tensor) -> *mut C_tensor;
}

/// What packed weights are kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// 16-bit floats.
    Halves,
    /// Whole numbers up to 63, with a scale for each output; each row is scaled to bytes before it is multiplied. Larger
    /// ones would overflow the 16-bit sums of two products that processors without VNNI have.
    Bytes,
}

/// A packed matrix (out, in).
#[derive(Debug)]
pub struct Packed {
    handle: Tensor,
    numbers: Numbers,
    extents: [i64; 2],
    no_bias: Tensor,
}

impl Packed {
    /// Packs 32-bit weights (out, in) on the processor; none where the weights are elsewhere or the processor lacks what
    /// the kernel needs.
    pub fn new(weight: &Tensor, numbers: Numbers) -> Option<Self> {
        let size = weight.size();
        let [out, inner] = *size.as_slice() else {
            return None;
        };
        if weight.kind() != Kind::Float || weight.device() != Device::Cpu {
            return None;
        }
        let weight = weight.contiguous();
        // SAFETY: the pointer is that of a live tensor, which the function only reads; what it returns is null or a new
        // tensor that nobody else owns, and `from_ptr` takes it over.
        let handle = unsafe {
            let made = match numbers {
                Numbers::Halves => storyteller_pack_half(weight.as_ptr()),
                Numbers::Bytes => storyteller_pack_bytes(weight.as_ptr(), LARGEST),
            };
            (!made.is_null()).then(|| Tensor::from_ptr(made))
        }?;
        let packed = Self {
            handle,
            numbers,
            extents: [out, inner],
            no_bias: Tensor::zeros([out], (Kind::Float, Device::Cpu)),
        };
        // packed, but not to be multiplied with: then it is as good as not packed
        let probe = Tensor::zeros([1, inner], (Kind::Float, Device::Cpu));
        packed.try_product(&probe).map(|_| packed)
    }

    /// (out, in).
    pub fn extents(&self) -> [i64; 2] {
        self.extents
    }

    /// 32-bit rows (…, in) → (…, out).
    ///
    /// # Panics
    /// When the rows have another width than the matrix; networks check that when they are loaded.
    pub fn product(&self, rows: &Tensor) -> Tensor {
        let mut size = rows.size();
        assert_eq!(
            size.last(),
            Some(&self.extents[1]),
            "a row has the matrix's width"
        );
        let flat = rows.reshape([-1, self.extents[1]]).contiguous();
        let found = self
            .try_product(&flat)
            .expect("a product that worked for one row works for others");
        size.pop();
        size.push(self.extents[0]);
        found.view(size.as_slice())
    }

    fn try_product(&self, rows: &Tensor) -> Option<Tensor> {
        // SAFETY: all three pointers are those of live tensors, which the function only reads; what it returns is null or
        // a new tensor that nobody else owns, and `from_ptr` takes it over.
        unsafe {
            let made = match self.numbers {
                Numbers::Halves => storyteller_product_half(
                    rows.as_ptr(),
                    self.handle.as_ptr(),
                    self.no_bias.as_ptr(),
                ),
                Numbers::Bytes => storyteller_product_bytes(rows.as_ptr(), self.handle.as_ptr()),
            };
            (!made.is_null()).then(|| Tensor::from_ptr(made))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_product_is_the_plain_one_to_half_precision_and_each_row_alone() {
        let weight = Tensor::randn([96, 64], (Kind::Float, Device::Cpu));
        let rows = Tensor::randn([2, 4, 64], (Kind::Float, Device::Cpu));
        let packed = Packed::new(&weight, Numbers::Halves)
            .expect("the processors that this is tested on have AVX2");
        let found = packed.product(&rows);
        let wanted = rows.matmul(&weight.tr());
        assert_eq!(found.size(), [2, 4, 96]);
        let worst = (&found - &wanted).abs().max().double_value(&[]);
        assert!(worst < 2e-2, "{worst}");
        let halved = rows.matmul(&weight.to_kind(Kind::Half).to_kind(Kind::Float).tr());
        let worst = (found - halved).abs().max().double_value(&[]);
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn a_product_of_bytes_is_the_plain_one_to_two_percent_whatever_stands_beside_a_row() {
        let weight = Tensor::randn([96, 64], (Kind::Float, Device::Cpu));
        let rows = Tensor::randn([6, 64], (Kind::Float, Device::Cpu));
        // the first row is as large as the first token of a text
        let sizes = Tensor::from_slice(&[300.0f32, 1.0, 1.0, 0.01, 1.0, 0.0]).view([6, 1]);
        let rows = rows * sizes;
        let wanted = rows.matmul(&weight.tr());
        let packed = Packed::new(&weight, Numbers::Bytes).expect("libtorch has the kernels of x86");
        let found = packed.product(&rows);
        for row in 0..6 {
            let size = wanted.get(row).norm().double_value(&[]);
            let alone = packed.product(&rows.narrow(0, row, 1)).get(0);
            for found in [found.get(row), alone] {
                let apart = (found - wanted.get(row)).norm().double_value(&[]);
                assert!(apart <= 0.03 * size, "row {row}: {apart} of {size}");
            }
        }
    }

    #[test]
    fn what_is_no_plain_matrix_is_not_packed() {
        let options = (Kind::Double, Device::Cpu);
        assert!(Packed::new(&Tensor::zeros([3, 4], options), Numbers::Halves).is_none());
        assert!(
            Packed::new(
                &Tensor::zeros([3], (Kind::Float, Device::Cpu)),
                Numbers::Halves
            )
            .is_none()
        );
    }
}
