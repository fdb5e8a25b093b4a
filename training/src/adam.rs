//! Adam, in the original's variant and in the textbook's (algorithm.md §7.1), with global-norm clipping (§7.3).
//!
//! Every trainer here uses it. The original corrects its moments' bias by b instead of 1 − b, which makes early
//! updates larger than the textbook's; both are offered.

use tch::{Kind, Tensor, no_grad};

use crate::parameters::Parameters;

/// Which bias correction is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AdamKind {
    /// As in Kingma and Ba (2015).
    #[default]
    Textbook,
    /// As in the original's trainers.
    Original,
}

/// The optimiser's state for one set of parameters.
#[derive(Debug)]
pub struct Adam {
    kind: AdamKind,
    clip: f64,
    updates: i32,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
}

/// Decay of the first moment.
const DECAY_1: f64 = 0.9;
/// Decay of the second moment.
const DECAY_2: f64 = 0.999;
/// Added to the root of the second moment.
const EPSILON: f64 = 1e-8;

impl Adam {
    /// Fresh moments for `parameters`; gradients are clipped to the global norm `clip` (0: never).
    pub fn new(parameters: &Parameters, kind: AdamKind, clip: f64) -> Adam {
        let zeros = || {
            parameters
                .tensors()
                .map(|tensor| tensor.detach().zeros_like())
                .collect()
        };
        Adam {
            kind,
            clip,
            updates: 0,
            first: zeros(),
            second: zeros(),
        }
    }

    /// Scales all gradients so that their global L2 norm is at most the limit, if there is one; returns the norm before.
    pub fn clip(&self, parameters: &Parameters) -> f64 {
        no_grad(|| {
            let norm = norm(parameters);
            if self.clip > 0.0 && norm > self.clip {
                for gradient in gradients(parameters) {
                    let _ = gradient.shallow_clone().g_mul_scalar_(self.clip / norm);
                }
            }
            norm
        })
    }

    /// Applies the gradients as they are, then clears them.
    pub fn apply(&mut self, parameters: &Parameters, rate: f64) {
        self.updates += 1;
        let rate = rate * self.correction_of(self.updates);
        no_grad(|| {
            for ((parameter, first), second) in parameters
                .tensors()
                .zip(&mut self.first)
                .zip(&mut self.second)
            {
                let mut gradient = parameter.grad();
                if !gradient.defined() {
                    continue;
                }
                let _ = first.lerp_(&gradient, 1.0 - DECAY_1);
                // tch offers no weight here, so its root goes into the factors
                let weighted = &gradient * (1.0 - DECAY_2).sqrt();
                let _ = second.g_mul_scalar_(DECAY_2).addcmul_(&weighted, &weighted);
                let change = &*first / (second.sqrt() + EPSILON) * rate;
                let _ = parameter.shallow_clone().g_sub_(&change);
                let _ = gradient.zero_();
            }
        });
    }

    /// First and second moment of each parameter, in the parameters' order.
    pub fn moments(&self) -> impl Iterator<Item = (&Tensor, &Tensor)> {
        self.first.iter().zip(&self.second)
    }

    /// The farthest that a parameter can move in the next update, as a multiple of the rate, whatever its gradients were:
    /// the ratio of the moments is largest when they were all alike, by Cauchy and Schwarz
    /// √(Σ (1−β₁)²β₁²ᵏ / (1−β₂)β₂ᵏ) over the updates so far.
    pub fn reach(&self) -> f64 {
        let terms = (0..=self.updates).map(|past| {
            let first = (1.0 - DECAY_1) * DECAY_1.powi(past);
            first * first / ((1.0 - DECAY_2) * DECAY_2.powi(past))
        });
        self.correction_of(self.updates + 1) * terms.sum::<f64>().sqrt()
    }

    /// How many updates were made.
    pub fn updates(&self) -> i32 {
        self.updates
    }

    /// Goes on from moments that were saved after so many updates.
    pub(crate) fn restore(&mut self, updates: i32, moments: Vec<(Tensor, Tensor)>) {
        self.updates = updates;
        (self.first, self.second) = moments.into_iter().unzip();
    }

    fn correction_of(&self, updates: i32) -> f64 {
        let (b1, b2) = match self.kind {
            AdamKind::Textbook => (DECAY_1, DECAY_2),
            AdamKind::Original => (1.0 - DECAY_1, 1.0 - DECAY_2),
        };
        (1.0 - b2.powi(updates)).sqrt() / (1.0 - b1.powi(updates))
    }
}

/// The global L2 norm of all gradients.
fn norm(parameters: &Parameters) -> f64 {
    let squares: Vec<Tensor> = gradients(parameters)
        .map(|gradient| gradient.square().sum(Kind::Float))
        .collect();
    if squares.is_empty() {
        return 0.0;
    }
    let squares = Tensor::stack(&squares, 0).sum(Kind::Double);
    squares.sqrt().double_value(&[])
}

fn gradients(parameters: &Parameters) -> impl Iterator<Item = Tensor> {
    let gradients = parameters.tensors().map(Tensor::grad);
    gradients.filter(Tensor::defined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, with_grad};

    fn parameters() -> Parameters {
        let mut parameters = Parameters::new();
        parameters.add("w", Tensor::zeros([3], (Kind::Float, Device::Cpu)));
        parameters
    }

    /// Leaves these gradients in the parameters.
    fn slope(parameters: &Parameters, gradient: &[f32]) {
        with_grad(|| (parameters.get("w") * Tensor::from_slice(gradient)).sum(Kind::Float))
            .backward();
    }

    #[test]
    fn without_clipping_the_norm_is_told_and_the_gradients_stay() {
        for (limit, kept) in [(0.0, 4.0), (10.0, 4.0), (2.5, 2.0)] {
            let parameters = parameters();
            let adam = Adam::new(&parameters, AdamKind::Textbook, limit);
            slope(&parameters, &[3.0, 0.0, 4.0]);
            assert!((adam.clip(&parameters) - 5.0).abs() < 1e-6, "limit {limit}");
            let gradient = parameters.get("w").grad().double_value(&[2]);
            assert!((gradient - kept).abs() < 1e-6, "limit {limit}: {gradient}");
        }
    }

    #[test]
    fn no_update_goes_farther_than_its_reach() {
        for kind in [AdamKind::Textbook, AdamKind::Original] {
            let parameters = parameters();
            let mut adam = Adam::new(&parameters, kind, 0.0);
            let mut largest = 0.0f64;
            for update in 0..40 {
                let before = parameters.get("w").detach().copy();
                let reach = adam.reach();
                // alike, tiny and growing gradients: the last kind comes closest
                let growing = 1.11f32.powi(update);
                slope(&parameters, &[1.0, 1e-9, growing]);
                adam.apply(&parameters, 0.5);
                let moved = (parameters.get("w") - before).abs().max().double_value(&[]);
                let share = moved / (0.5 * reach);
                assert!(share <= 1.0 + 1e-5, "{kind:?} update {update}: {share}");
                largest = largest.max(share);
            }
            assert!(
                largest > 0.9,
                "{kind:?}: the bound is a close one: {largest}"
            );
        }
    }
}
