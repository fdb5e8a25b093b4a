//! A matrix of 32-bit floats packed for products with some dozens of rows, as the steps of a recurrent decoder are.
//!
//! libtorch lays such a matrix anew for every product, which takes as long as multiplying. Here it lies as it is read, in memory
//! of large pages, and the kernel is ours (`floats/`): a row's numbers are the same bit for bit whatever stands beside it and by
//! whichever kernel, so rows need not go in blocks of one shape.

use crate::tensors::device::large_pages::Floats;
use crate::tensors::floats::floats;
use std::thread;
use tch::{Device, Kind, Tensor};

unsafe extern "C" {
    fn storyteller_kernels_of_floats() -> i64;
    fn storyteller_product_of_floats(product: *const Product, kernel: i64);
}

/// As in `floats/kernel.h`.
#[repr(C)]
struct Product {
    rows: *const f32,
    weights: *const f32,
    bias: *const f32,
    found: *mut f32,
    count: i64,
    inner: i64,
    out: i64,
    begin: i64,
    end: i64,
}

/// Outputs that lie together, as in `floats/kernel.h`.
const TOGETHER: usize = 32;
/// The best kernel that the processor has.
const BEST: i64 = 0;
/// Products and sums for which it is worth to begin a thread.
const A_THREADS: usize = 8_000_000;

/// A packed matrix (out, in) with a bias (out).
#[derive(Debug)]
pub struct PackedFloats {
    /// (⌈out / 32⌉, in, 32): zeros where the matrix has ended.
    weights: Floats,
    bias: Option<Vec<f32>>,
    out: usize,
    inner: usize,
}

impl PackedFloats {
    /// Packs 32-bit weights (out, in) on the processor; none where they are elsewhere, otherwise or to be learnt, or where the
    /// processor has no kernel.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>) -> Option<Self> {
        let &[out, inner] = weight.size().as_slice() else {
            return None;
        };
        let plain = weight.kind() == Kind::Float && weight.device() == Device::Cpu;
        if !plain || weight.requires_grad() || kernels() == 0 {
            return None;
        }
        let (out, inner) = (out as usize, inner as usize);
        let mut weights = Floats::zeros(out.next_multiple_of(TOGETHER) * inner);
        let block = (TOGETHER * inner).max(1);
        let blocks = weights.as_mut_slice().chunks_exact_mut(block);
        for (first, block) in (0..).step_by(TOGETHER).zip(blocks) {
            let count = TOGETHER.min(out - first) as i64;
            let rows = floats(&weight.narrow(0, first as i64, count));
            for (place, row) in rows.chunks_exact(inner).enumerate() {
                for (x, to) in row.iter().zip(block[place..].iter_mut().step_by(TOGETHER)) {
                    *to = *x;
                }
            }
        }
        Some(Self {
            weights,
            bias: bias.map(floats),
            out,
            inner,
        })
    }

    /// (out, in).
    pub fn extents(&self) -> [i64; 2] {
        [self.out as i64, self.inner as i64]
    }

    /// 32-bit rows (B, in) → (B, out), the bias added.
    ///
    /// # Panics
    /// When the rows have another width than the matrix; networks check that when they are loaded.
    pub fn product(&self, rows: &Tensor) -> Tensor {
        self.product_of_first(rows, rows.size()[0])
    }

    /// As [`PackedFloats::product`], of the first `count` rows only; the others become zeros.
    ///
    /// # Panics
    /// As [`PackedFloats::product`], and when there are fewer rows.
    pub fn product_of_first(&self, rows: &Tensor, count: i64) -> Tensor {
        self.product_by(rows, count, BEST)
    }

    fn product_by(&self, rows: &Tensor, count: i64, kernel: i64) -> Tensor {
        let &[all, inner] = rows.size().as_slice() else {
            panic!("rows lie in a matrix")
        };
        assert_eq!(inner as usize, self.inner, "a row has the matrix's width");
        assert!((0..kernels()).contains(&kernel));
        let rows = floats(&rows.narrow(0, 0, count));
        let found = Tensor::empty([all, self.out as i64], (Kind::Float, Device::Cpu));
        let _ = found.narrow(0, count, all - count).zero_();
        let product = Product {
            rows: rows.as_ptr(),
            weights: self.weights.as_slice().as_ptr(),
            bias: self.bias.as_ref().map_or(std::ptr::null(), Vec::as_ptr),
            found: found.data_ptr().cast(),
            count,
            inner,
            out: self.out as i64,
            begin: 0,
            end: self.out.div_ceil(TOGETHER) as i64,
        };
        let work = count as usize * self.inner * self.out;
        product.by_threads(
            (work / A_THREADS).min(tch::get_num_threads() as usize),
            kernel,
        );
        found
    }
}

/// A part of a product that a thread may compute.
struct Part(Product, i64);

// SAFETY: parts read what nobody writes while they are computed, and each writes other numbers of what is found.
unsafe impl Send for Part {}

impl Part {
    fn compute(self) {
        // SAFETY: the arrays have as many numbers as `product_by` says and live until all parts are computed; the kernel is
        // there, as was asked, and keeps none of the pointers.
        unsafe { storyteller_product_of_floats(&raw const self.0, self.1) }
    }
}

impl Product {
    /// The blocks of outputs, shared out; the numbers do not depend on how.
    fn by_threads(&self, threads: usize, kernel: i64) {
        let threads = (threads as i64).clamp(1, self.end.max(1));
        let part = |number: i64| {
            let edge = |number: i64| self.end * number / threads;
            let (begin, end) = (edge(number), edge(number + 1));
            Part(
                Self {
                    begin,
                    end,
                    ..*self
                },
                kernel,
            )
        };
        thread::scope(|scope| {
            for other in 1..threads {
                let other = part(other);
                scope.spawn(move || other.compute());
            }
            part(0).compute();
        });
    }
}

fn kernels() -> i64 {
    // SAFETY: it takes nothing and answers a number.
    unsafe { storyteller_kernels_of_floats() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn a_product_is_the_plain_one_whatever_its_extents() {
        for (out, inner) in [(97, 75), (32, 1), (1, 40), (4000, 320)] {
            let (weight, bias) = (
                Tensor::randn([out, inner], FLOAT),
                Tensor::randn([out], FLOAT),
            );
            let rows = Tensor::randn([37, inner], FLOAT);
            let plain = rows.matmul(&weight.tr());
            let close = |found: &Tensor, wanted: &Tensor| {
                let off = (found - wanted).abs().max().double_value(&[]);
                assert!(off < 1e-6 * (inner as f64) + 1e-6, "{out} × {inner}: {off}");
            };
            close(
                &PackedFloats::new(&weight, None).unwrap().product(&rows),
                &plain,
            );
            let packed = PackedFloats::new(&weight, Some(&bias)).unwrap();
            assert_eq!(packed.extents(), [out, inner]);
            close(&packed.product(&rows), &(plain + bias));
        }
    }

    #[test]
    fn a_row_is_the_same_bit_for_bit_whatever_stands_beside_it_and_by_every_kernel() {
        let packed = PackedFloats::new(&Tensor::randn([4000, 640], FLOAT), None).unwrap();
        for count in [1, 2, 5, 12, 13, 25, 50] {
            let rows = Tensor::randn([count, 640], FLOAT);
            let found = packed.product(&rows);
            assert_eq!(packed.product(&rows.narrow(0, 0, 0)).size(), [0, 4000]);
            for kernel in 0..kernels() {
                let alone = packed.product_by(&rows.narrow(0, count - 1, 1), 1, kernel);
                assert_eq!(
                    found.narrow(0, count - 1, 1),
                    alone,
                    "{count} rows, {kernel}"
                );
            }
        }
    }

    #[test]
    fn rows_that_do_not_count_come_out_as_zeros() {
        let packed = PackedFloats::new(&Tensor::randn([70, 9], FLOAT), None).unwrap();
        let rows = Tensor::randn([8, 9], FLOAT);
        for count in [0, 5, 8] {
            let found = packed.product_of_first(&rows, count);
            let wanted = packed.product(&rows.narrow(0, 0, count));
            assert_eq!(found.narrow(0, 0, count), wanted);
            assert_eq!(
                found.narrow(0, count, 8 - count),
                Tensor::zeros([8 - count, 70], FLOAT)
            );
        }
    }

    #[test]
    fn what_is_no_number_stays_none_in_its_row() {
        let packed = PackedFloats::new(&Tensor::randn([3, 4], FLOAT), None).unwrap();
        let rows = Tensor::from_slice(&[1f32, f32::NAN, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]).view([2, 4]);
        let found = floats(&packed.product(&rows));
        assert!(found[..3].iter().all(|x| x.is_nan()), "{found:?}");
        assert!(found[3..].iter().all(|x| x.is_finite()), "{found:?}");
    }

    #[test]
    fn what_is_no_plain_matrix_or_still_learns_is_not_packed() {
        let double = Tensor::zeros([3, 4], (Kind::Double, Device::Cpu));
        assert!(PackedFloats::new(&double, None).is_none());
        assert!(PackedFloats::new(&Tensor::zeros([3], FLOAT), None).is_none());
        let learning = Tensor::zeros([3, 4], FLOAT).set_requires_grad(true);
        assert!(PackedFloats::new(&learning, None).is_none());
    }
}
