//! EfficientNet-Lite0 up to its pooled feature: the image encoder of the starter bundle.
//!
//! Sixteen inverted-bottleneck blocks without squeeze-excite, ReLU6, TensorFlow's "same" padding.
//! Batch norms are folded into the convolutions when the weights are loaded: at inference they are
//! only a scale and a shift. Names are those of the published PyTorch file.

use crate::error::Result;
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// (repeats, kernel, stride of the first, expansion, channels in, channels out) of each stage.
const STAGES: [(usize, i64, i64, i64, i64, i64); 7] = [
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
];
const FEATURE: i64 = 1280;
const NORM_EPSILON: f64 = 1e-3;

/// The network; N pictures of 224 × 224 go in, N features of 1280 numbers come out.
#[derive(Debug)]
pub struct EfficientNet {
    stem: Layer,
    blocks: Vec<Block>,
    head: Layer,
}

/// A convolution with its batch norm folded in.
#[derive(Debug)]
struct Layer {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    groups: i64,
}

#[derive(Debug)]
struct Block {
    expand: Option<Layer>,
    depthwise: Layer,
    project: Layer,
    skip: bool,
}

impl EfficientNet {
    /// Takes `_conv_stem`, `_blocks.0` … `_blocks.15`, `_conv_head` and their batch norms; the
    /// classifier is loaded by itself.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(weights: &Weights) -> Result<Self> {
        let get = |conv, norm, kernels, stride| {
            let shape = LayerShape {
                kernels,
                stride,
                groups: 1,
            };
            Layer::load(weights, Names { conv, norm }, shape)
        };
        let mut blocks = Vec::new();
        for (repeats, kernel, first_stride, expansion, first_in, out) in STAGES {
            for repeat in 0..repeats {
                let (stride, channels) = if repeat == 0 {
                    (first_stride, first_in)
                } else {
                    (1, out)
                };
                let shape = BlockShape {
                    kernel,
                    stride,
                    expansion,
                    channels,
                    out,
                };
                blocks.push(Block::load(weights, blocks.len(), shape)?);
            }
        }
        Ok(Self {
            stem: get("_conv_stem", "_bn0", [32, 3, 3, 3], 2)?,
            blocks,
            head: get("_conv_head", "_bn1", [FEATURE, 320, 1, 1], 1)?,
        })
    }

    /// The size of a feature: 1280.
    pub fn feature_size(&self) -> i64 {
        FEATURE
    }

    /// Pictures (N, 3, 224, 224), as `picture::efficientnet_input` makes them, to features (N, 1280):
    /// the mean of the last layer over all places.
    pub fn features(&self, pictures: &Tensor) -> Tensor {
        let mut x = self.stem.run(pictures).clamp(0.0, 6.0);
        for block in &self.blocks {
            x = block.run(&x);
        }
        let x = self.head.run(&x).clamp(0.0, 6.0);
        x.mean_dim([2i64, 3].as_slice(), false, Kind::Float)
    }
}

/// The layer that names what is seen: one of ImageNet's thousand classes.
#[derive(Debug)]
pub struct Classifier {
    weight: Tensor,
    bias: Tensor,
}

impl Classifier {
    /// Takes `_fc.weight` (classes, 1280) and `_fc.bias`.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(weights: &Weights) -> Result<Self> {
        let weight = weights.tensor("_fc.weight", &[-1, FEATURE])?;
        let bias = weights.tensor("_fc.bias", &[weight.size()[0]])?;
        Ok(Self { weight, bias })
    }

    /// Features (N, 1280) to logits (N, classes).
    pub fn logits(&self, features: &Tensor) -> Tensor {
        features.matmul(&self.weight.tr()) + &self.bias
    }
}

/// What a convolution and its batch norm are called.
#[derive(Clone, Copy)]
struct Names<'a> {
    conv: &'a str,
    norm: &'a str,
}

/// The kernels (out, in a group, height, width) of a convolution and how they go over a picture.
#[derive(Clone, Copy)]
struct LayerShape {
    kernels: [i64; 4],
    stride: i64,
    groups: i64,
}

#[derive(Clone, Copy)]
struct BlockShape {
    kernel: i64,
    stride: i64,
    expansion: i64,
    channels: i64,
    out: i64,
}

impl Block {
    fn load(weights: &Weights, index: usize, shape: BlockShape) -> Result<Self> {
        let BlockShape {
            kernel,
            stride,
            expansion,
            channels,
            out,
        } = shape;
        let name = |part: &str| format!("_blocks.{index}.{part}");
        let layer = |conv: &str, norm: &str, shape| {
            let (conv, norm) = (&name(conv), &name(norm));
            Layer::load(weights, Names { conv, norm }, shape)
        };
        let plain = |kernels| LayerShape {
            kernels,
            stride: 1,
            groups: 1,
        };
        let wide = channels * expansion;
        let expand = if expansion == 1 {
            None
        } else {
            Some(layer(
                "_expand_conv",
                "_bn0",
                plain([wide, channels, 1, 1]),
            )?)
        };
        let depthwise = LayerShape {
            kernels: [wide, 1, kernel, kernel],
            stride,
            groups: wide,
        };
        Ok(Self {
            expand,
            depthwise: layer("_depthwise_conv", "_bn1", depthwise)?,
            project: layer("_project_conv", "_bn2", plain([out, wide, 1, 1]))?,
            skip: stride == 1 && channels == out,
        })
    }

    fn run(&self, x: &Tensor) -> Tensor {
        let wide = match &self.expand {
            Some(layer) => layer.run(x).clamp(0.0, 6.0),
            None => x.shallow_clone(),
        };
        let out = self.project.run(&self.depthwise.run(&wide).clamp(0.0, 6.0));
        if self.skip { out + x } else { out }
    }
}

impl Layer {
    /// Folds scale and shift of the norm into the convolution.
    fn load(weights: &Weights, names: Names, shape: LayerShape) -> Result<Self> {
        let Names { conv, norm } = names;
        let LayerShape {
            kernels: shape,
            stride,
            groups,
        } = shape;
        let weight = weights.tensor(&format!("{conv}.weight"), &shape)?;
        let part = |name: &str| weights.tensor(&format!("{norm}.{name}"), &shape[..1]);
        let (mean, variance) = (part("running_mean")?, part("running_var")?);
        let scale = part("weight")? / (variance + NORM_EPSILON).sqrt();
        let bias = part("bias")? - mean * &scale;
        let weight = weight * scale.view([-1, 1, 1, 1]);
        Ok(Self {
            weight,
            bias,
            stride,
            groups,
        })
    }

    /// Pads as TensorFlow does ("same": at stride 2 one side may get more), then convolves.
    fn run(&self, x: &Tensor) -> Tensor {
        let kernel = self.weight.size()[2];
        let pad = |extent: i64| {
            let out = (extent + self.stride - 1) / self.stride;
            ((out - 1) * self.stride + kernel - extent).max(0)
        };
        let size = x.size();
        let (high, wide) = (pad(size[2]), pad(size[3]));
        let symmetric = high % 2 == 0 && high == wide;
        let (x, padding) = if symmetric {
            (x.shallow_clone(), high / 2)
        } else {
            let sides = [wide / 2, wide - wide / 2, high / 2, high - high / 2];
            (x.constant_pad_nd(sides), 0)
        };
        let stride = [self.stride; 2];
        x.conv2d(
            &self.weight,
            Some(&self.bias),
            stride,
            [padding; 2],
            [1, 1],
            self.groups,
        )
    }
}
