//! A frozen matrix with room for an adapter: y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ.
//!
//! Low-rank adaptation (Hu et al. 2021): a large model learns a new task through two thin matrices a layer, and its own
//! weights stay as they were published. While training, the adapter is kept apart; for telling it is merged into W once.

use crate::Result;
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// A linear layer without bias whose weights (out, in) do not learn.
#[derive(Debug)]
pub struct Projection {
    weight: Tensor,
    adapter: Option<Adapter>,
}

/// The thin matrices of an adapter: A (rank, in) and B (out, rank).
#[derive(Debug)]
pub struct Adapter {
    /// Reads: (rank, in).
    pub a: Tensor,
    /// Writes: (out, rank).
    pub b: Tensor,
    /// What their product is multiplied with: alpha / rank.
    pub scale: f64,
}

impl Adapter {
    /// The adapter of the layer `name`: arrays `name.lora_a` and `name.lora_b`.
    ///
    /// # Errors
    /// When an array is missing or does not fit (out, in).
    pub fn load(weights: &Weights, name: &str, [out, inner]: [i64; 2], scale: f64) -> Result<Self> {
        let a = weights.tensor(&format!("{name}.lora_a"), &[-1, inner])?;
        let b = weights.tensor(&format!("{name}.lora_b"), &[out, a.size()[0]])?;
        Ok(Self { a, b, scale })
    }

    /// What it adds to the weights: (out, in), 32-bit floats.
    fn delta(&self) -> Tensor {
        self.b.to_kind(Kind::Float).matmul(&self.a.to_kind(Kind::Float)) * self.scale
    }
}

impl Projection {
    /// From weights (out, in).
    pub fn new(weight: Tensor) -> Self {
        Self { weight, adapter: None }
    }

    /// (out, in).
    pub fn extents(&self) -> [i64; 2] {
        let size = self.weight.size();
        [size[0], size[1]]
    }

    /// Puts an adapter beside the weights; it may learn.
    pub fn adapt(&mut self, adapter: Adapter) {
        self.adapter = Some(adapter);
    }

    /// Adds an adapter to the weights for good.
    pub fn merge(&mut self, adapter: &Adapter) {
        let sum = self.weight.to_kind(Kind::Float) + adapter.delta();
        self.weight = sum.to_kind(self.weight.kind());
    }

    /// (…, in) → (…, out), in the kind of the weights.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let plain = x.linear::<&Tensor>(&self.weight, None);
        match &self.adapter {
            None => plain,
            Some(Adapter { a, b, scale }) => {
                let read = x.linear::<&Tensor>(&a.to_kind(x.kind()), None);
                plain + read.linear::<&Tensor>(&(b.to_kind(x.kind()) * *scale), None)
            }
        }
    }
}
