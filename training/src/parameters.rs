//! The parameters of a model in training: named tensors with gradients, made as the original makes them
//! (algorithm.md §7.2).
//!
//! Every trainer builds one set, runs its graph over it and hands it to [`crate::Adam`].

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor, no_grad};

use models::networks::gru::GruArrays;
use models::{Gru, Result, Weights};

/// Named tensors that are trained, in a fixed order.
#[derive(Debug, Default)]
pub struct Parameters {
    arrays: Vec<(String, Tensor)>,
}

impl Parameters {
    /// No parameters yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of all arrays of `weights`, in the order of their names, to be trained on.
    pub fn from_weights(weights: &Weights) -> Self {
        let mut parameters = Self::new();
        for (name, tensor) in weights.iter() {
            parameters.add(name, tensor.detach().copy());
        }
        parameters
    }

    /// Adds a matrix (rows, columns) drawn from U(−bound, bound).
    pub fn uniform(&mut self, name: &str, shape: [i64; 2], bound: f64) {
        let tensor = Tensor::empty(shape, (Kind::Float, Device::Cpu)).uniform_(-bound, bound);
        self.add(name, tensor);
    }

    /// Adds a matrix (in, out) by Xavier's uniform rule, ±√(6 / (in + out)).
    pub fn xavier(&mut self, name: &str, shape: [i64; 2]) {
        self.uniform(name, shape, (6.0 / (shape[0] + shape[1]) as f64).sqrt());
    }

    /// Adds a vector of zeros.
    pub fn zeros(&mut self, name: &str, size: i64) {
        self.add(name, Tensor::zeros([size], (Kind::Float, Device::Cpu)));
    }

    /// Adds the affine `prefix_W` (in, out) in U(−0.1, 0.1) and `prefix_b` of zeros.
    pub fn affine(&mut self, prefix: &str, shape: [i64; 2]) {
        self.uniform(&format!("{prefix}_W"), shape, 0.1);
        self.zeros(&format!("{prefix}_b"), shape[1]);
    }

    /// Adds the six arrays of a GRU: inputs in U(−0.1, 0.1), recurrences orthogonal, biases zero.
    pub fn gru(&mut self, prefix: &str, input: i64, state: i64) {
        self.uniform(&format!("{prefix}_W"), [input, 2 * state], 0.1);
        self.add(
            &format!("{prefix}_U"),
            Tensor::cat(&[orthogonal(state), orthogonal(state)], 1),
        );
        self.zeros(&format!("{prefix}_b"), 2 * state);
        self.uniform(&format!("{prefix}_Wx"), [input, state], 0.1);
        self.add(&format!("{prefix}_Ux"), orthogonal(state));
        self.zeros(&format!("{prefix}_bx"), state);
    }

    /// The same parameters on another device.
    #[must_use]
    pub fn to_device(self, device: Device) -> Self {
        let arrays = self.arrays.into_iter().map(|(name, tensor)| {
            let moved = tensor.detach().to_device(device);
            (name, moved.set_requires_grad(true))
        });
        Parameters {
            arrays: arrays.collect(),
        }
    }

    /// Where the parameters are.
    pub fn device(&self) -> Device {
        let first = self.arrays.first();
        first.map_or(Device::Cpu, |(_, tensor)| tensor.device())
    }

    /// Adds a tensor as it is.
    pub fn add(&mut self, name: &str, tensor: Tensor) {
        self.arrays
            .push((name.to_owned(), tensor.set_requires_grad(true)));
    }

    /// The parameter called `name`.
    pub fn get(&self, name: &str) -> &Tensor {
        let found = self.arrays.iter().find(|(known, _)| known == name);
        &found
            .unwrap_or_else(|| panic!("the trainer that asks for {name} has added it"))
            .1
    }

    /// The GRU whose arrays are called `prefix_…`, joined for libtorch; gradients flow back to the arrays.
    /// It computes in `kind`: bf16 is five times faster than f32 on processors with AVX-512 BF16.
    pub fn cell(&self, prefix: &str, kind: Kind) -> Gru {
        let get = |part: &str| self.get(&format!("{prefix}_{part}")).to_kind(kind);
        Gru::from_arrays(&GruArrays {
            w: &get("W"),
            u: &get("U"),
            b: &get("b"),
            wx: &get("Wx"),
            ux: &get("Ux"),
            bx: &get("bx"),
        })
    }

    /// `x · prefix_W + prefix_b`.
    pub fn apply(&self, prefix: &str, x: &Tensor) -> Tensor {
        x.matmul(self.get(&format!("{prefix}_W"))) + self.get(&format!("{prefix}_b"))
    }

    /// All tensors, in order.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.arrays.iter().map(|(_, tensor)| tensor)
    }

    /// All names, in the order of [`Parameters::tensors`].
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().map(|(name, _)| name.as_str())
    }

    /// A copy of the arrays whose names `keep` accepts.
    pub fn weights(&self, label: &str, keep: impl Fn(&str) -> bool) -> Weights {
        let kept = self.arrays.iter().filter(|(name, _)| keep(name));
        no_grad(|| {
            Weights::from_tensors(
                label,
                kept.map(|(name, tensor)| (name.clone(), tensor.detach().copy())),
            )
        })
    }

    /// Overwrites every parameter that `weights` holds with the same name and shape.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(&mut self, weights: &Weights) -> Result<()> {
        for (name, tensor) in &self.arrays {
            let saved = weights.tensor(name, &tensor.size())?;
            no_grad(|| tensor.shallow_clone().copy_(&saved));
        }
        Ok(())
    }
}

/// Puts `items` into an order drawn from `random`.
pub(crate) fn shuffle<T>(items: &mut [T], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.random_range(0..=last));
    }
}

/// The left singular vectors of a Gaussian matrix.
fn orthogonal(size: i64) -> Tensor {
    let gaussian = Tensor::randn([size, size], (Kind::Float, Device::Cpu));
    let (left, _, _) = gaussian.svd(false, true);
    left.contiguous()
}
