//! Adam, in the original's variant and in the textbook's (algorithm.md §7.1), with global-norm clipping (§7.3).
//!
//! Every trainer here uses it. The original corrects its moments' bias by b instead of 1 − b, which makes early
//! updates larger than the textbook's; both are offered.

use tch::{Kind, Tensor, no_grad};

use crate::Parameters;

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

    /// Clips and applies the gradients that `backward` left in the parameters, then clears them.
    pub fn step(&mut self, parameters: &Parameters, rate: f64) {
        self.clip(parameters);
        self.apply(parameters, rate);
    }

    /// Scales all gradients so that their global L2 norm is at most the limit; returns the norm before.
    pub fn clip(&self, parameters: &Parameters) -> f64 {
        if self.clip <= 0.0 {
            return 0.0;
        }
        no_grad(|| {
            let norm = norm(parameters);
            if norm > self.clip {
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
        let rate = rate * self.correction();
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

    /// How many updates were made.
    pub fn updates(&self) -> i32 {
        self.updates
    }

    /// Goes on from moments that were saved after so many updates.
    pub(crate) fn restore(&mut self, updates: i32, moments: Vec<(Tensor, Tensor)>) {
        self.updates = updates;
        (self.first, self.second) = moments.into_iter().unzip();
    }

    fn correction(&self) -> f64 {
        let (b1, b2) = match self.kind {
            AdamKind::Textbook => (DECAY_1, DECAY_2),
            AdamKind::Original => (1.0 - DECAY_1, 1.0 - DECAY_2),
        };
        (1.0 - b2.powi(self.updates)).sqrt() / (1.0 - b1.powi(self.updates))
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
