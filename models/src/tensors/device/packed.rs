//! A matrix packed as bytes for products with few rows, as a language model's steps are.
//!
//! Such a product is bound by the weights that it reads: a quarter of the bytes take less time by as much. The kernel is ours
//! (`bytes/`): weights are rounded to 8 bits with a scale for each output, rows to 16 with a scale for each of their sections,
//! since what a language model multiplies has a few numbers that are a thousand times as large as the others.

use crate::tensors::device::large_pages::{Bytes, lay_together, unsigned};
use crate::tensors::device::mapped::Mapped;
use crate::tensors::floats::floats;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

unsafe extern "C" {
    fn storyteller_kernels_of_bytes() -> i64;
    fn storyteller_product_of_bytes(product: *const Product, kernel: i64);
}

/// As in `bytes/kernel.h`.
#[repr(C)]
struct Product {
    rows: *const i16,
    row_scales: *const f32,
    weights: *const i8,
    scales: *const f32,
    found: *mut f32,
    count: i64,
    inner: i64,
    section: i64,
    out: i64,
}

/// Outputs that lie together, as in `bytes/kernel.h`.
const TOGETHER: usize = 16;
const QUAD: usize = 4;
/// Bytes that a kernel may read behind the last weights: of a tile of 16 rows that begins with the last one.
const BEHIND: usize = 15 * TOGETHER * QUAD;
/// The most numbers of a section: so many products of the largest numbers fit a sum of 32 bits.
const SECTION: usize = 516;
/// The best kernel that the processor has.
const BEST: i64 = 0;

/// A packed matrix (out, in).
#[derive(Debug)]
pub struct Packed {
    /// (⌈out / 16⌉, quads, 16, 4): zeros where the matrix has ended, and some behind it.
    weights: Bytes,
    /// What a one is worth (out).
    scales: Vec<f32>,
    out: usize,
    inner: usize,
}

impl Packed {
    /// Packs 32-bit weights (out, in) on the processor; none where they are elsewhere or otherwise.
    pub fn new(weight: &Tensor) -> Option<Self> {
        let &[out, inner] = weight.size().as_slice() else {
            return None;
        };
        if weight.kind() != Kind::Float || weight.device() != Device::Cpu {
            return None;
        }
        let (out, inner) = (out as usize, inner as usize);
        let padded = Sections::of(inner).padded();
        let mut weights = vec![0i8; bytes_of(out, inner)];
        let mut scales = Vec::with_capacity(out);
        let rows = floats(weight);
        let blocks = weights.chunks_exact_mut((TOGETHER * padded).max(1));
        for (rows, block) in rows.chunks((TOGETHER * inner).max(1)).zip(blocks) {
            for (place, row) in rows.chunks_exact(inner).enumerate() {
                // each output has a scale of its own, so that a large one does not coarsen the others
                let worth = worth(row, f32::from(i8::MAX), 1e-12);
                for (quad, to) in row
                    .chunks(QUAD)
                    .zip(block.chunks_exact_mut(QUAD * TOGETHER))
                {
                    for (x, to) in quad.iter().zip(&mut to[QUAD * place..]) {
                        *to = whole(x / worth) as i8;
                    }
                }
                scales.push(worth);
            }
        }
        Some(Self {
            weights: Bytes::Own(weights),
            scales,
            out,
            inner,
        })
    }

    /// Its weights as they lie and what a one of them is worth, to be kept in a file.
    pub(crate) fn parts(&self) -> (&[u8], &[f32]) {
        (unsigned(self.weights.as_slice()), &self.scales)
    }

    /// A matrix of so many inputs whose weights lie at a place of a file; none where that holds more or fewer.
    pub(crate) fn kept(
        file: &Arc<Mapped>,
        place: Range<usize>,
        scales: Vec<f32>,
        inner: usize,
    ) -> Option<Self> {
        let out = scales.len();
        let length = bytes_of(out, inner);
        let fits = place.len() == length && place.end <= file.bytes().len();
        fits.then(|| Self {
            weights: Bytes::Kept(file.clone(), place.start, length),
            scales,
            out,
            inner,
        })
    }

    /// Lays the weights of several matrices into memory of large pages, where reading all of them one after the other takes
    /// half the time.
    pub fn together<'a>(matrices: impl IntoIterator<Item = &'a mut Packed>) {
        let weights = matrices.into_iter().map(|packed| &mut packed.weights);
        lay_together(weights);
    }

    /// (out, in).
    pub fn extents(&self) -> [i64; 2] {
        [self.out as i64, self.inner as i64]
    }

    /// 32-bit rows (…, in) → (…, out).
    ///
    /// # Panics
    /// When the rows have another width than the matrix; networks check that when they are loaded.
    pub fn product(&self, rows: &Tensor) -> Tensor {
        let mut size = rows.size();
        assert_eq!(
            size.last(),
            Some(&(self.inner as i64)),
            "a row has the matrix's width"
        );
        size.pop();
        size.push(self.out as i64);
        let found = Tensor::empty(size, (Kind::Float, Device::Cpu));
        // SAFETY: the tensor is new, so nothing else sees its numbers, which lie row after row and live as long as it does.
        let numbers =
            unsafe { std::slice::from_raw_parts_mut(found.data_ptr().cast(), found.numel()) };
        self.fill(numbers, &floats(rows), BEST);
        found
    }

    /// Rows one after the other (B · in) → (B · out).
    ///
    /// # Panics
    /// When they are no whole rows.
    pub fn times(&self, rows: &[f32]) -> Vec<f32> {
        self.times_by(rows, BEST)
    }

    fn times_by(&self, rows: &[f32], kernel: i64) -> Vec<f32> {
        let count = rows.len() / self.inner * self.out;
        let mut found = Vec::with_capacity(count);
        self.fill(&mut found.spare_capacity_mut()[..count], rows, kernel);
        // SAFETY: so many were just filled.
        unsafe { found.set_len(count) };
        found
    }

    /// Fills `found` (B · out) with the product of `rows` (B · in): all of it.
    fn fill(&self, found: &mut [MaybeUninit<f32>], rows: &[f32], kernel: i64) {
        // SAFETY: it takes nothing and answers a number.
        assert!((0..unsafe { storyteller_kernels_of_bytes() }).contains(&kernel));
        let count = rows.len() / self.inner;
        assert_eq!(
            (count * self.inner, count * self.out),
            (rows.len(), found.len()),
            "a row has the matrix's width"
        );
        let sections = Sections::of(self.inner);
        let (whole, row_scales) = sections.rounded(rows, self.inner);
        let product = Product {
            rows: whole.as_ptr(),
            row_scales: row_scales.as_ptr(),
            weights: self.weights.as_slice().as_ptr(),
            scales: self.scales.as_ptr(),
            found: found.as_mut_ptr().cast(),
            count: count as i64,
            inner: sections.padded() as i64,
            section: sections.length as i64,
            out: self.out as i64,
        };
        // SAFETY: with `inner` as padded the function reads count · inner and count · inner / section numbers of the rows,
        // ⌈out / 16⌉ · 16 · inner weights and [`BEHIND`] more and out scales, and writes count · out numbers: as many as these
        // five have. The kernel is there, as was just asked. It keeps none of the pointers.
        unsafe { storyteller_product_of_bytes(&raw const product, kernel) };
    }
}

/// How many bytes the weights of a matrix (out, in) are packed into.
fn bytes_of(out: usize, inner: usize) -> usize {
    out.next_multiple_of(TOGETHER) * Sections::of(inner).padded() + BEHIND
}

/// How a row is cut.
struct Sections {
    count: usize,
    /// Whole quads.
    length: usize,
}

impl Sections {
    /// As few as can be of `inner` numbers, all of one length.
    fn of(inner: usize) -> Self {
        let count = inner.div_ceil(SECTION).max(1);
        let length = inner.div_ceil(count).next_multiple_of(QUAD);
        Self { count, length }
    }

    /// Numbers of a row with the zeros that fill its last section.
    fn padded(&self) -> usize {
        self.count * self.length
    }

    /// Rows (B · inner) as whole numbers (B · padded), and what a one is worth (B · sections).
    fn rounded(&self, rows: &[f32], inner: usize) -> (Vec<i16>, Vec<f32>) {
        let count = rows.len() / inner;
        let mut whole = vec![0i16; count * self.padded()];
        let mut worth = vec![0f32; count * self.count];
        let filled = whole
            .chunks_exact_mut(self.padded())
            .zip(worth.chunks_exact_mut(self.count));
        for (row, (whole, worth)) in rows.chunks_exact(inner).zip(filled) {
            let filled = whole.chunks_exact_mut(self.length).zip(worth);
            for (section, (whole, worth)) in row.chunks(self.length).zip(filled) {
                *worth = round(section, whole);
            }
        }
        (whole, worth)
    }
}

/// Fills `to` and says what a one of it is worth: not a number where the section has one that is infinite or none.
fn round(section: &[f32], to: &mut [i16]) -> f32 {
    let worth = worth(section, f32::from(i16::MAX), 1e-30);
    let per_one = worth.recip();
    for (to, x) in to.iter_mut().zip(section) {
        *to = whole(x * per_one) as i16;
    }
    worth
}

/// What a one is worth if the largest of these numbers, at least `least`, becomes `most`; not a number where one is infinite
/// or none.
fn worth(numbers: &[f32], most: f32, least: f32) -> f32 {
    // without their sign, floats are in the order of their bits, and what is no number comes last
    let bits = |x: &f32| x.abs().to_bits() as i32;
    let largest = numbers.iter().map(bits).fold(0, i32::max);
    let largest = f32::from_bits(largest as u32);
    if largest.is_finite() {
        largest.max(least) / most
    } else {
        f32::NAN
    }
}

/// The nearest whole number, of two the even one, of numbers up to 2²²: its last bits.
fn whole(x: f32) -> u32 {
    // beside this number floats have no fractions: the last bits of the sum are the whole number
    const NO_FRACTIONS: f32 = 12_582_912.0;
    (x + NO_FRACTIONS).to_bits()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// |found − wanted| / |wanted|, the most of all rows.
    fn apart(found: &Tensor, wanted: &Tensor) -> f64 {
        let norm = |t: &Tensor| t.norm_scalaropt_dim(2.0, [-1i64].as_slice(), false);
        let apart = norm(&(found - wanted)) / norm(wanted);
        apart.max().double_value(&[])
    }

    #[test]
    fn a_product_is_the_plain_one_to_a_percent_however_large_a_row_is() {
        // extents that no block of the kernel divides, in one section and in three
        for inner in [75, 1535] {
            let weight = Tensor::randn([97, inner], FLOAT);
            let sizes = Tensor::from_slice(&[300.0f32, 1.0, 1.0, 0.01, 1.0, 1e-20, 1.0]);
            let rows = Tensor::randn([7, inner], FLOAT) * sizes.unsqueeze(1);
            let found = Packed::new(&weight).unwrap().product(&rows);
            assert!(apart(&found, &rows.matmul(&weight.tr())) < 0.012);
        }
    }

    #[test]
    fn a_number_far_larger_than_the_others_coarsens_its_section_only_and_little() {
        // weights that rounding leaves as they are
        let weight = Tensor::randint_low(-127, 128, [64, 1536], FLOAT);
        let _ = weight.narrow(1, 0, 1).fill_(127.0);
        let rows = Tensor::randn([3, 1536], FLOAT);
        let packed = Packed::new(&weight).unwrap();
        let wanted = |rows: &Tensor| rows.matmul(&weight.tr());
        assert!(apart(&packed.product(&rows), &wanted(&rows)) < 1e-4);
        let with_one = rows.copy();
        let _ = with_one.narrow(1, 600, 1).fill_(3000.0);
        let more = packed.product(&with_one) - packed.product(&rows);
        let wanted_more = wanted(&with_one) - wanted(&rows);
        // of what the others sum to
        let mean = |t: &Tensor| t.abs().mean(Kind::Float).double_value(&[]);
        let coarse = mean(&(more - wanted_more)) / mean(&wanted(&rows));
        assert!(coarse < 0.03, "{coarse}");
    }

    #[test]
    fn a_row_is_the_same_number_for_number_whatever_stands_beside_it_and_by_every_kernel() {
        let weight = Tensor::randn([50, 640], FLOAT);
        let packed = Packed::new(&weight).unwrap();
        // SAFETY: it takes nothing and answers a number.
        let kernels = unsafe { storyteller_kernels_of_bytes() };
        for count in [1, 2, 5, 8, 9, 13, 16, 35] {
            let rows = floats(&Tensor::randn([count, 640], FLOAT));
            let found = packed.times(&rows);
            assert_eq!(found.len(), count as usize * 50);
            let last = rows.len() - 640;
            for kernel in 0..kernels {
                let alone = packed.times_by(&rows[last..], kernel);
                assert_eq!(found[found.len() - 50..], alone, "{count} rows, {kernel}");
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let packed = Packed::new(&Tensor::randn([3, 4], FLOAT)).unwrap();
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let found = packed.times(&[1.0, odd, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
            assert!(found[..3].iter().all(|x| x.is_nan()), "{found:?}");
            assert!(found[3..].iter().all(|x| x.is_finite()), "{found:?}");
        }
        assert_eq!(packed.times(&[0.0; 4]), [0.0; 3]);
    }

    #[test]
    fn weights_are_the_nearest_bytes_by_the_largest_of_their_output() {
        let weight = Tensor::randn([35, 6], FLOAT);
        let packed = Packed::new(&weight).unwrap();
        let scales = weight.abs().amax([1i64].as_slice(), true) / 127.0;
        let wanted = floats(&(&weight / &scales).round());
        assert_eq!(packed.scales, floats(&scales));
        let bytes = packed.weights.as_slice();
        assert_eq!(bytes.len(), 48 * 8 + BEHIND, "three blocks of outputs");
        for (at, wanted) in wanted.into_iter().enumerate() {
            let (out, k) = (at / 6, at % 6);
            let place = ((out / 16 * 2 + k / 4) * 16 + out % 16) * 4 + k % 4;
            assert_eq!(f32::from(bytes[place]), wanted, "output {out}, number {k}");
        }
    }

    #[test]
    fn what_is_no_plain_matrix_is_not_packed() {
        let double = Tensor::zeros([3, 4], (Kind::Double, Device::Cpu));
        assert!(Packed::new(&double).is_none());
        assert!(Packed::new(&Tensor::zeros([3], FLOAT)).is_none());
    }
}
