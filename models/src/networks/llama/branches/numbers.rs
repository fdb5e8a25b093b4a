//! The few functions between the products of a step, over plain numbers.
//! What must stay true: each row is computed for itself and in the same order, whatever stands beside it.

/// How many sums run side by side, so that the compiler can keep them in one register.
const LANES: usize = 8;

/// a · b.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
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

/// y + a·x, in place.
pub(super) fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// y + x, in place.
pub(super) fn add(y: &mut [f32], x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// x / √(mean x² + eps) · gain for each row as wide as `gain`.
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
pub(super) fn gated(halves: &[f32], width: usize) -> Vec<f32> {
    let mut found = Vec::with_capacity(halves.len() / 2);
    for row in halves.chunks_exact(2 * width) {
        let (gate, up) = row.split_at(width);
        let gated = gate.iter().zip(up);
        found.extend(gated.map(|(&gate, up)| gate / (1.0 + (-gate).exp()) * up));
    }
    found
}

/// Scores of both parts, multiplied with `scale`, become shares that sum to one together.
pub(super) fn softmax([shared, own]: [&mut [f32]; 2], scale: f32) {
    let largest = shared.iter().chain(own.iter());
    let largest = largest.fold(f32::NEG_INFINITY, |largest, &score| largest.max(score));
    let mut sum = 0.0;
    for part in [&mut *shared, &mut *own] {
        for score in part.iter_mut() {
            *score = ((*score - largest) * scale).exp();
            sum += *score;
        }
    }
    let share = 1.0 / sum;
    for part in [shared, own] {
        part.iter_mut().for_each(|score| *score *= share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

    fn some(count: usize) -> Vec<f32> {
        let numbers = 0..count;
        numbers
            .map(|i| ((i * 37 + 11) % 23) as f32 / 7.0 - 1.5)
            .collect()
    }

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
    fn a_product_of_two_counts_every_number_of_them() {
        let (a, b) = (some(21), some(21));
        let wanted: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert!((dot(&a, &b) - wanted).abs() < 1e-4);
    }
}
