//! A matrix packed as 16-bit floats for products with few rows, as a language model's steps are.
//!
//! Such a product is bound by the weights that it reads: half the bytes in the kernel's own order take less than half the
//! time of a plain one on processors with AVX2. Sums stay 32-bit. The kernels are FBGEMM's, through `packed.cpp`.

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

unsafe extern "C" {
    fn storyteller_pack_half(weight: *const C_tensor) -> *mut C_tensor;
    fn storyteller_product_half(
        rows: *const C_tensor,
        packed: *const C_tensor,
        bias: *const C_tensor,
    ) -> *mut C_tensor;
}

/// A packed matrix (out, in).
#[derive(Debug)]
pub struct Packed {
    handle: Tensor,
    extents: [i64; 2],
    no_bias: Tensor,
}

impl Packed {
    /// Packs 32-bit weights (out, in) on the processor; none where the weights are elsewhere or the processor lacks what
    /// the kernel needs.
    pub fn new(weight: &Tensor) -> Option<Self> {
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
            let made = storyteller_pack_half(weight.as_ptr());
            (!made.is_null()).then(|| Tensor::from_ptr(made))
        }?;
        let packed = Self {
            handle,
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
            let made = storyteller_product_half(
                rows.as_ptr(),
                self.handle.as_ptr(),
                self.no_bias.as_ptr(),
            );
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
        let packed = Packed::new(&weight).expect("the processors that this is tested on have AVX2");
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
    fn what_is_no_plain_matrix_is_not_packed() {
        let options = (Kind::Double, Device::Cpu);
        assert!(Packed::new(&Tensor::zeros([3, 4], options)).is_none());
        assert!(Packed::new(&Tensor::zeros([3], (Kind::Float, Device::Cpu))).is_none());
    }
}
