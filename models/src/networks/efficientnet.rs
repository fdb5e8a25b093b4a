//! EfficientNet-Lite0 and -Lite2 up to their pooled feature: the photo networks of the starter bundle.
//!
//! Sixteen (twenty-one) inverted-bottleneck blocks without squeeze-excite, ReLU6, TensorFlow's "same" padding.
//! Batch norms are folded into the convolutions when the weights are loaded: at inference they are
//! only a scale and a shift. Names are those of the published PyTorch file.

use crate::error::{Error, Result};
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// One stage of blocks of the smallest network.
struct Stage {
    repeats: usize,
    kernel: i64,
    /// Of its first block; the others have 1.
    stride: i64,
    expansion: i64,
    out: i64,
}

const fn stage(repeats: usize, [kernel, stride]: [i64; 2], expansion: i64, out: i64) -> Stage {
    Stage {
        repeats,
        kernel,
        stride,
        expansion,
        out,
    }
}

const STAGES: [Stage; 7] = [
    stage(1, [3, 1], 1, 16),
    stage(2, [3, 2], 6, 24),
    stage(2, [5, 2], 6, 40),
    stage(3, [3, 2], 6, 80),
    stage(3, [5, 1], 6, 112),
    stage(4, [5, 2], 6, 192),
    stage(1, [3, 1], 6, 320),
];
const STEM: i64 = 32;
/// The size of a feature, of every member.
pub const FEATURE: i64 = 1280;
const NORM_EPSILON: f64 = 1e-3;

/// A member of the family: how much wider and deeper than the smallest, and how large the pictures are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Member {
    width: f64,
    depth: f64,
    side: i64,
}

const LITE0: Member = Member {
    width: 1.0,
    depth: 1.0,
    side: 224,
};
const LITE2: Member = Member {
    width: 1.1,
    depth: 1.2,
    side: 260,
};

impl Member {
    /// Which one the arrays belong to: the deeper one has more blocks.
    fn of(weights: &Weights) -> Self {
        let deeper = format!("_blocks.{}._project_conv.weight", LITE0.blocks());
        if weights.contains(&deeper) {
            LITE2
        } else {
            LITE0
        }
    }

    fn blocks(self) -> usize {
        (0..STAGES.len()).map(|stage| self.repeats(stage)).sum()
    }

    /// The first and the last stage are as deep in all members (Lite's rule).
    fn repeats(self, stage: usize) -> usize {
        let repeats = STAGES[stage].repeats;
        if stage == 0 || stage == STAGES.len() - 1 {
            repeats
        } else {
            (repeats as f64 * self.depth).ceil() as usize
        }
    }

    /// To the nearest multiple of eight; none of the family's falls by more than a tenth, which would ask for the next one.
    fn channels(self, stage: usize) -> i64 {
        let wide = STAGES[stage].out as f64 * self.width;
        ((wide + 4.0) as i64 / 8 * 8).max(8)
    }

    /// All blocks in order.
    fn shapes(self) -> Vec<BlockShape> {
        let mut channels = STEM;
        let mut shapes = Vec::with_capacity(self.blocks());
        for (stage, plan) in STAGES.iter().enumerate() {
            let out = self.channels(stage);
            for repeat in 0..self.repeats(stage) {
                shapes.push(BlockShape {
                    kernel: plan.kernel,
                    stride: if repeat == 0 { plan.stride } else { 1 },
                    expansion: plan.expansion,
                    channels,
                    out,
                });
                channels = out;
            }
        }
        shapes
    }
}

/// The network; N pictures of [`EfficientNet::side`]² pixels go in, N features of 1280 numbers come out.
#[derive(Debug)]
pub struct EfficientNet {
    side: i64,
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
    /// Takes `_conv_stem`, `_blocks.0` … `_blocks.15` (or `.20`), `_conv_head` and their batch norms; the classifier is
    /// loaded by itself. How many blocks there are tells which of the two it is.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(weights: &Weights) -> Result<Self> {
        let member = Member::of(weights);
        let get = |conv, norm, kernels, stride| {
            let shape = LayerShape {
                kernels,
                stride,
                groups: 1,
            };
            Layer::load(weights, Names { conv, norm }, shape)
        };
        let shapes = member.shapes().into_iter().enumerate();
        let blocks = shapes.map(|(index, shape)| Block::load(weights, index, shape));
        let last = member.channels(STAGES.len() - 1);
        Ok(Self {
            side: member.side,
            stem: get("_conv_stem", "_bn0", [STEM, 3, 3, 3], 2)?,
            blocks: blocks.collect::<Result<_>>()?,
            head: get("_conv_head", "_bn1", [FEATURE, last, 1, 1], 1)?,
        })
    }

    /// As [`EfficientNet::load`], for one who prepares pictures of `side` pixels.
    ///
    /// # Errors
    /// As there, and when the network is made for pictures of another size.
    pub fn load_for(weights: &Weights, side: i64) -> Result<Self> {
        let network = Self::load(weights)?;
        if network.side != side {
            let reason = format!(
                "it is made for pictures of {} pixels, here one for {side} is expected",
                network.side
            );
            return Err(Error::format(weights.label(), reason));
        }
        Ok(network)
    }

    /// How many pixels high and wide pictures are to be.
    pub fn side(&self) -> i64 {
        self.side
    }

    /// The size of a feature: 1280.
    pub fn feature_size(&self) -> i64 {
        FEATURE
    }

    /// Pictures (N, 3, side, side), red, green and blue as (x − 127) / 128, to features (N, 1280): the mean of the last layer
    /// over all places.
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

    /// Features (N, 1280) to how likely each class is (N, classes).
    pub fn likely(&self, features: &Tensor) -> Tensor {
        self.logits(features).softmax(1, Kind::Float)
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
