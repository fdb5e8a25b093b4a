//! VGG-19 up to its second dense layer (fc7, after ReLU): the image encoder of the originals.
//!
//! Sixteen 3 × 3 convolutions in five blocks, each block closed by 2 × 2 max pooling (algorithm.md
//! §1.7, §2). Widths are taken from the arrays, so that thin networks of tests load too. Dense
//! arrays are (in, out), convolutions (out, in, 3, 3) and not flipped.

use crate::error::{Error, Result};
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// How many convolutions each block has.
const BLOCKS: [usize; 5] = [2, 2, 4, 4, 4];
/// Five poolings leave 7 × 7 of 224 × 224.
const PLACES: i64 = 7 * 7;

/// The network; N pictures of 224 × 224 go in, N features of F numbers come out (4096 in the
/// published one).
#[derive(Debug)]
pub struct Vgg {
    blocks: Vec<Vec<(Tensor, Tensor)>>,
    fc6: (Tensor, Tensor),
    fc7: (Tensor, Tensor),
    /// Only to compare it with the original: stories do not need the classes.
    fc8: Option<(Tensor, Tensor)>,
}

impl Vgg {
    /// Takes `conv1_1_W`, `conv1_1_b` … `conv5_4_W`, `conv5_4_b`, `fc6_W`, `fc6_b`, `fc7_W`, `fc7_b`.
    ///
    /// # Errors
    /// When an array is missing or does not fit the one before.
    pub fn load(weights: &Weights) -> Result<Self> {
        let mut channels = 3;
        let mut blocks = Vec::new();
        for (block, count) in BLOCKS.into_iter().enumerate() {
            let mut layers = Vec::new();
            for layer in 0..count {
                let name = format!("conv{}_{}", block + 1, layer + 1);
                let weight = weights.tensor(&format!("{name}_W"), &[-1, channels, 3, 3])?;
                channels = weight.size()[0];
                layers.push((weight, weights.tensor(&format!("{name}_b"), &[channels])?));
            }
            blocks.push(layers);
        }
        let dense = |name: &str, size: i64| -> Result<(Tensor, Tensor)> {
            let weight = weights.tensor(&format!("{name}_W"), &[size, -1])?;
            let bias = weights.tensor(&format!("{name}_b"), &[weight.size()[1]])?;
            Ok((weight, bias))
        };
        let fc6 = dense("fc6", channels * PLACES)?;
        let fc7 = dense("fc7", fc6.1.size()[0])?;
        let fc8 = match weights.contains("fc8_W") {
            true => Some(dense("fc8", fc7.1.size()[0])?),
            false => None,
        };
        Ok(Self {
            blocks,
            fc6,
            fc7,
            fc8,
        })
    }

    /// The names of the arrays in the order of the original's file of parameters (§1.7).
    pub fn parameter_names() -> Vec<String> {
        let convs = (1..).zip(BLOCKS).flat_map(|(block, count)| {
            (1..=count).map(move |layer| format!("conv{block}_{layer}"))
        });
        let dense = ["fc6", "fc7", "fc8"].map(str::to_owned);
        convs
            .chain(dense)
            .flat_map(|name| [format!("{name}_W"), format!("{name}_b")])
            .collect()
    }

    /// Names the parameter list of the original's `vgg19.pkl`.
    ///
    /// # Errors
    /// When the list has another length.
    pub fn name_parameters(label: &str, arrays: Vec<Tensor>) -> Result<Weights> {
        let names = Self::parameter_names();
        if arrays.len() != names.len() {
            let reason = format!("{} arrays instead of {}", arrays.len(), names.len());
            return Err(Error::format(label, reason));
        }
        Ok(Weights::from_tensors(label, names.into_iter().zip(arrays)))
    }

    /// The size F of a feature.
    pub fn feature_size(&self) -> i64 {
        self.fc7.1.size()[0]
    }

    /// Pictures (N, 3, 224, 224), as `picture::original_input` makes them, to features (N, F); they
    /// are not of unit length yet.
    pub fn features(&self, pictures: &Tensor) -> Tensor {
        self.run(pictures, &mut |_, _| {})
    }

    /// The same; shows every layer (`conv1_1` … `pool5`, `fc6`, `fc7`, and `fc8`, `prob` if the weights have classes)
    /// after its ReLU.
    pub fn layers(&self, pictures: &Tensor, show: &mut dyn FnMut(&str, &Tensor)) {
        let feature = self.run(pictures, show);
        if let Some((weight, bias)) = &self.fc8 {
            let scores = bias.addmm(&feature, weight);
            show("fc8", &scores);
            show("prob", &scores.softmax(1, Kind::Float));
        }
    }

    fn run(&self, pictures: &Tensor, show: &mut dyn FnMut(&str, &Tensor)) -> Tensor {
        let mut x = pictures.shallow_clone();
        for (block, layers) in (1..).zip(&self.blocks) {
            for (layer, (weight, bias)) in (1..).zip(layers) {
                x = x
                    .conv2d(weight, Some(bias), [1, 1], [1, 1], [1, 1], 1)
                    .relu();
                show(&format!("conv{block}_{layer}"), &x);
            }
            x = x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
            show(&format!("pool{block}"), &x);
        }
        x = x.flatten(1, 3);
        for (name, (weight, bias)) in [("fc6", &self.fc6), ("fc7", &self.fc7)] {
            x = bias.addmm(&x, weight).relu();
            show(name, &x);
        }
        x
    }
}
