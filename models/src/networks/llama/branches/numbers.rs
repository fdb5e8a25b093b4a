//! The few functions between the large products of a step, over plain numbers, compiled for each kind of processor.
//! What must stay true: each row is computed for itself and in the same order, whatever stands beside it and whatever the
//! processor has; nothing is multiplied and added in one.

use multiversion::multiversion;

/// How many sums run side by side, so that the compiler can keep them in one register.
const LANES: usize = 16;

/// a · b.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f32 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// How well a query fits keys that begin `stride` numbers apart.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn dots(query: &[f32], keys: &[f32], stride: usize, scores: &mut [f32]) {
    for (score, key) in scores.iter_mut().zip(keys.chunks(stride)) {
        *score = dot(query, &key[..query.len()]);
    }
}

/// Adds to `found` the share of each of the values, which begin `stride` numbers apart.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn add_shares(found: &mut [f32], shares: &[f32], values: &[f32], stride: usize) {
    for (share, value) in shares.iter().zip(values.chunks(stride)) {
        for (sum, x) in found.iter_mut().zip(value) {
            *sum += share * x;
        }
    }
}

/// y + x, in place.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn add(y: &mut [f32], x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// The sum of all.
#[inline(always)]
fn sum(x: &[f32]) -> f32 {
    let x = x.chunks_exact(LANES);
    let rest: f32 = x.remainder().iter().sum();
    let mut sums = [0.0f32; LANES];
    for x in x {
        for lane in 0..LANES {
            sums[lane] += x[lane];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The largest, without those that are no numbers; −∞ where there are none.
#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let x = x.chunks_exact(LANES);
    let rest = x.remainder().iter().copied();
    let mut most = [f32::NEG_INFINITY; LANES];
    for x in x {
        for lane in 0..LANES {
            most[lane] = larger(most[lane], x[lane]);
        }
    }
    most.into_iter().chain(rest).fold(f32::NEG_INFINITY, larger)
}

/// eˣ from −87 to 88, beyond as there: 2ⁿ · eʳ, |r| ≤ ln 2 / 2, its error below 2 in 10⁷. The library's is called for each
/// number; of this one the compiler makes several at once.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // ln 2 in two parts, the first so short that its product with n is exact
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // beside this number floats have no fractions
    const NO_FRACTIONS: f32 = 12_582_912.0;
    // eʳ = 1 + r + r² · (these, the last one first), by Moshier's Cephes library
    const TERMS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let x = x.clamp(-87.0, 88.0);
    let n = x * std::f32::consts::LOG2_E + NO_FRACTIONS;
    let whole = n - NO_FRACTIONS;
    let r = x - whole * LN_2[0] - whole * LN_2[1];
    let rest = TERMS.iter().fold(0.0, |sum, term| sum * r + term);
    let power = f32::from_bits((n.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    (rest * r * r + r + 1.0) * power
}

/// x / √(mean x² + eps) · gain for each row as wide as `gain`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn rms_norm(x: &[f32], gain: &[f32], eps: f64) -> Vec<f32> {
    let mut normed = Vec::with_capacity(x.len());
    for row in x.chunks_exact(gain.len()) {
        let mean = f64::from(dot(row, row)) / gain.len() as f64;
        let factor = (mean + eps).sqrt().recip() as f32;
        normed.extend(row.iter().zip(gain).map(|(x, gain)| x * factor * gain));
    }
    normed
}

/// Turns the pairs (j, j + head/2) of a head; `cos` and `sin` as in `Place`.
pub(super) fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let half = head.len() / 2;
    let (low, high) = head.split_at_mut(half);
    for j in 0..half {
        let (a, b) = (low[j], high[j]);
        low[j] = a * cos[j] + b * sin[j];
        high[j] = b * cos[half + j] + a * sin[half + j];
    }
}

/// silu(gate) · up for each row (gate, up), `width` numbers each.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn gated(halves: &[f32], width: usize) -> Vec<f32> {
    let mut found = Vec::with_capacity(halves.len() / 2);
    for row in halves.chunks_exact(2 * width) {
        let (gate, up) = row.split_at(width);
        let gated = gate.iter().zip(up);
        found.extend(gated.map(|(&gate, up)| gate / (1.0 + exp(-gate)) * up));
    }
    found
}

/// Scores of both parts, multiplied with `scale`, become shares that sum to one together.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn softmax([shared, own]: [&mut [f32]; 2], scale: f32) {
    let largest = largest(shared).max(largest(own));
    for part in [&mut *shared, &mut *own] {
        for score in part.iter_mut() {
            *score = exp((*score - largest) * scale);
        }
    }
    let share = 1.0 / (sum(shared) + sum(own));
    for part in [shared, own] {
        part.iter_mut().for_each(|score| *score *= share);
    }
}

#[cfg(test)]
mod tests {
    use super::super::some;
    use super::*;
    use tch::{Kind, Tensor};

    fn worst(found: &[f32], wanted: &Tensor) -> f64 {
        let wanted = wanted.to_kind(Kind::Float).reshape([-1]);
        let apart = Tensor::from_slice(found) - wanted;
        apart.abs().max().double_value(&[])
    }

    #[test]
    fn each_is_what_libtorch_makes_of_it() {
        let (x, gain) = (some(3 * 20), some(20));
        let rows = Tensor::from_slice(&x).view([3, 20]);
        let wanted = rows.rms_norm([20i64].as_slice(), Some(Tensor::from_slice(&gain)), 1e-5);
        assert!(worst(&rms_norm(&x, &gain, 1e-5), &wanted) < 1e-5);
        let halves = rows.chunk(2, -1);
        let wanted = halves[0].silu() * &halves[1];
        assert!(worst(&gated(&x, 10), &wanted) < 1e-6);
        let (mut shared, mut own) = (some(13), some(5));
        let wanted = Tensor::from_slice(&[shared.clone(), own.clone()].concat()) * 0.125;
        softmax([&mut shared, &mut own], 0.125);
        let wanted = wanted.softmax(0, Kind::Float);
        assert!(worst(&[shared, own].concat(), &wanted) < 1e-6);
    }

    #[test]
    fn powers_of_e_are_those_of_the_library() {
        for step in -8_700..=8_800 {
            let x = step as f32 / 100.0;
            let wanted = f64::from(x).exp();
            let apart = (f64::from(exp(x)) - wanted).abs() / wanted;
            assert!(apart < 2e-7, "e^{x}: {} for {wanted}", exp(x));
        }
        assert!(exp(-1e9) < 2e-38 && exp(1e9).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_and_largest_ones_count_every_number() {
        for count in [0, 1, 7, 8, 21, 24] {
            let x = some(count);
            assert!((sum(&x) - x.iter().sum::<f32>()).abs() < 1e-5);
            let wanted = x.iter().fold(f32::NEG_INFINITY, |most, x| most.max(*x));
            assert_eq!(largest(&x), wanted);
        }
    }

    #[test]
    fn a_product_of_two_counts_every_number_of_them() {
        let (a, b) = (some(21), some(21));
        let wanted: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!((dot(&a, &b) - wanted).abs() < 1e-4);
    }
}
