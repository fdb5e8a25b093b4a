//! What a language model is told before it writes: soft tokens made of the thought, between fixed ones, beside plain words.
//!
//! ```text
//! <|im_start|> [soft]×K [word]×M <|im_end|> \n   passage … <|im_end|>
//! ```
//! The soft tokens are a learnt map of the thought (prefix tuning, Li & Liang 2021); the words are read out of it
//! ([`crate::text::words`]). A map may take the style beside the thought: then it has twice the inputs.

use crate::error::{Error, Result};
use crate::tensors::weights::Weights;
use tch::{Device, Kind, Tensor};

/// The learnt map: z = (thought − mean)/std, K·width numbers = linear(z) + out(gelu(hidden(z))).
#[derive(Debug)]
pub struct PrefixMap {
    mean: Tensor,
    std: Tensor,
    linear: Affine,
    hidden: Affine,
    out: Affine,
    width: i64,
}

#[derive(Debug)]
struct Affine {
    weight: Tensor,
    bias: Tensor,
}

impl Affine {
    fn load(weights: &Weights, name: &str, shape: [i64; 2]) -> Result<Self> {
        let weight = weights.tensor(&format!("prefix.{name}.weight"), &shape)?;
        let bias = weights.tensor(&format!("prefix.{name}.bias"), &[weight.size()[0]])?;
        Ok(Self { weight, bias })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// How thoughts of prose are distributed: what they are standardised by.
#[derive(Debug)]
pub struct Spread {
    /// The mean thought of prose (T).
    pub mean: Tensor,
    /// Its deviation by axis (T).
    pub std: Tensor,
}

impl Spread {
    /// From the arrays `mean` and `std`.
    ///
    /// # Errors
    /// When one is missing or has another length than `size`.
    pub fn load(weights: &Weights, size: i64) -> Result<Self> {
        Ok(Self {
            mean: weights.tensor("mean", &[size])?,
            std: weights.tensor("std", &[size])?,
        })
    }

    /// The same on a device.
    pub fn to_device(&self, device: Device) -> Self {
        Self {
            mean: self.mean.to_device(device),
            std: self.std.to_device(device),
        }
    }
}

impl PrefixMap {
    /// From the arrays `prefix.{linear,hidden,out}.{weight,bias}`, for a language model of this width.
    ///
    /// # Errors
    /// When an array is missing, or sizes do not fit together.
    pub fn load(weights: &Weights, spread: &Spread, width: i64) -> Result<Self> {
        let linear = Affine::load(weights, "linear", [-1, -1])?;
        let (outputs, inputs) = (linear.weight.size()[0], linear.weight.size()[1]);
        let size = spread.mean.size()[0];
        if outputs % width != 0 || ![size, 2 * size].contains(&inputs) {
            let reason = format!(
                "its prefix maps {inputs} numbers to {outputs}; {size} or {} to whole tokens of {width} are needed",
                2 * size
            );
            return Err(Error::format(weights.label(), reason));
        }
        let hidden = Affine::load(weights, "hidden", [-1, inputs])?;
        let out = Affine::load(weights, "out", [outputs, hidden.weight.size()[0]])?;
        let (mean, std) = (spread.mean.shallow_clone(), spread.std.shallow_clone());
        Ok(Self {
            mean,
            std,
            linear,
            hidden,
            out,
            width,
        })
    }

    /// How many soft tokens a thought becomes.
    pub fn soft_tokens(&self) -> i64 {
        self.linear.weight.size()[0] / self.width
    }

    /// Whether the style is told apart from the thought.
    pub fn hears_style(&self) -> bool {
        self.linear.weight.size()[1] == 2 * self.mean.size()[0]
    }

    /// Thoughts (N, T) and styles as differences from the mean (N, T) → soft tokens (N, K, width), 32-bit floats.
    pub fn forward(&self, thoughts: &Tensor, styles: &Tensor) -> Tensor {
        let own = (thoughts - &self.mean) / &self.std;
        let z = if self.hears_style() {
            Tensor::cat(&[own, styles / &self.std], 1)
        } else {
            own
        };
        let soft =
            self.linear.forward(&z) + self.out.forward(&self.hidden.forward(&z).gelu("none"));
        soft.view([-1, self.soft_tokens(), self.width])
            .to_kind(Kind::Float)
    }
}
