//! A frozen matrix with room for an adapter: y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ.
//!
//! Low-rank adaptation (Hu et al. 2021): a large model learns a new task through two thin matrices a layer, and its own
//! weights stay as they were published. While training, the adapter is kept apart; for telling it is merged into W once.

use crate::error::Result;
use crate::tensors::device::packed::Packed;
use crate::tensors::floats::floats;
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// A linear layer without bias whose weights (out, in) do not learn.
#[derive(Debug)]
pub struct Projection {
    weight: Weight,
    adapter: Option<Adapter>,
}

/// The weights, as they came or packed for telling.
#[derive(Debug)]
enum Weight {
    Plain(Tensor),
    Packed(Packed),
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
        self.b
            .to_kind(Kind::Float)
            .matmul(&self.a.to_kind(Kind::Float))
            * self.scale
    }
}

impl Projection {
    /// From weights (out, in).
    pub fn new(weight: Tensor) -> Self {
        Self {
            weight: Weight::Plain(weight),
            adapter: None,
        }
    }

    /// From weights that are packed.
    pub(crate) fn from_packed(packed: Packed) -> Self {
        Self {
            weight: Weight::Packed(packed),
            adapter: None,
        }
    }

    /// The weights, if they are packed and nothing stands beside them.
    pub(crate) fn packed(&self) -> Option<&Packed> {
        match (&self.weight, &self.adapter) {
            (Weight::Packed(packed), None) => Some(packed),
            _ => None,
        }
    }

    /// (out, in).
    pub fn extents(&self) -> [i64; 2] {
        match &self.weight {
            Weight::Plain(weight) => [weight.size()[0], weight.size()[1]],
            Weight::Packed(packed) => packed.extents(),
        }
    }

    /// Puts an adapter beside the weights; it may learn.
    pub fn adapt(&mut self, adapter: Adapter) {
        self.adapter = Some(adapter);
    }

    /// Adds an adapter to the weights for good; packed ones keep it beside them.
    pub fn merge(&mut self, adapter: Adapter) {
        match &mut self.weight {
            Weight::Plain(weight) => {
                let sum = weight.to_kind(Kind::Float) + adapter.delta();
                *weight = sum.to_kind(weight.kind());
            }
            Weight::Packed(_) => self.adapter = Some(adapter),
        }
    }

    /// Packs the weights where the device can.
    pub(crate) fn pack_alone(&mut self) {
        if let Weight::Plain(weight) = &self.weight
            && let Some(packed) = Packed::new(weight)
        {
            self.weight = Weight::Packed(packed);
        }
    }

    /// Packs the weights of all where the device can, and lays them together: products become faster, and gradients do not
    /// come back through them.
    pub fn pack<'a>(all: impl IntoIterator<Item = &'a mut Projection>) {
        let packed = all.into_iter().filter_map(|projection| {
            projection.pack_alone();
            match &mut projection.weight {
                Weight::Packed(packed) => Some(packed),
                Weight::Plain(_) => None,
            }
        });
        Packed::together(packed);
    }

    /// (…, in) → (…, out), in the kind of the weights.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let plain = match &self.weight {
            Weight::Plain(weight) => x.linear::<&Tensor>(weight, None),
            Weight::Packed(packed) => packed.product(x),
        };
        match &self.adapter {
            None => plain,
            Some(Adapter { a, b, scale }) => {
                let read = x.linear::<&Tensor>(&a.to_kind(x.kind()), None);
                let writes = (b * *scale).to_kind(x.kind()).tr();
                let sum = plain.flatten(0, -2).addmm(&read.flatten(0, -2), &writes);
                sum.view_as(&plain)
            }
        }
    }
    /// As [`Projection::forward`], for rows one after the other (B · in) → (B · out); without an adapter, on the processor.
    pub(crate) fn times(&self, rows: &[f32]) -> Vec<f32> {
        match (&self.weight, &self.adapter) {
            (Weight::Packed(packed), None) => packed.times(rows),
            _ => {
                let rows = Tensor::from_slice(rows).view([-1, self.extents()[1]]);
                floats(&self.forward(&rows))
            }
        }
    }
}
