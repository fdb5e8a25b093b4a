//! NanoDet-g (RangiLyu 2020), a small detector of COCO's 80 classes, used as a second pair of eyes.
//!
//! Its boxes are not looked at: a picture becomes the best score of each class, over all places and three scales, and
//! the means and maxima of its maps. Batch norms are folded into the published weights, so that all that is left are
//! 34 convolutions. The storyteller calls it beside EfficientNet-Lite0; `storyteller train features` makes tables of both.

use crate::error::Result;
use crate::tensors::weights::Weights;
use tch::{Kind, Tensor};

/// How many classes it knows.
pub const CLASSES: i64 = 80;
/// The numbers that the joint space looks at: the scores and the means of the last map of the backbone.
pub const FEATURES: i64 = CLASSES + 512;
/// The side of its input. It was trained at 416; at 320 the classes of small photos were better and it is 1.7 times faster.
pub const SIDE: i64 = 320;

const SLOPE: f64 = 0.1;
/// Channels of each map of the neck and the heads.
const NECK: i64 = 128;
/// 80 classes, and 4 sides × 11 bins of the boxes that are not used here.
const HEAD: i64 = CLASSES + 44;
/// Name, channels, repeats and stride of the stages.
const STAGES: [StageShape; 4] = [
    StageShape::new("s1", [32, 32], 1, 1),
    StageShape::new("s2", [64, 64], 2, 2),
    StageShape::new("s3", [128, 128], 2, 2),
    StageShape::new("s4", [256, 256], 3, 2),
];

/// How a stage is built.
struct StageShape {
    name: &'static str,
    /// Channels that go in, and that come out.
    channels: [i64; 2],
    repeats: usize,
    stride: i64,
}

/// The network; N pictures of 320 × 320 go in, maps of three scales come out.
#[derive(Debug)]
pub struct NanoDet {
    stem: Convolution,
    stages: Vec<Stage>,
    laterals: Vec<Convolution>,
    heads: Vec<(Convolution, Convolution)>,
}

/// What the network sees at strides 8, 16 and 32, finest first; every map is (N, channels, rows, columns).
#[derive(Debug)]
pub struct Maps {
    /// The last three stages of the backbone: 128, 256 and 512 channels.
    pub backbone: [Tensor; 3],
    /// The pyramid: 128 channels each.
    pub pyramid: [Tensor; 3],
    /// The heads before their last layer: 128 channels each.
    pub heads: [Tensor; 3],
    /// The scores of the classes, 0 to 1: 80 channels each.
    pub scores: [Tensor; 3],
}

#[derive(Debug)]
struct Convolution {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
}

/// A cross-stage-partial stage: what was scaled down goes past the repeats to the end.
#[derive(Debug)]
struct Stage {
    down: Convolution,
    repeats: Vec<(Convolution, Convolution)>,
    up: Convolution,
}

impl NanoDet {
    /// Takes `stem`, `s1` … `s4`, `lat3` … `lat5` and `head3` … `head5`, each `.weight` (out, in, k, k) and `.bias`.
    ///
    /// # Errors
    /// When an array is missing or has another shape.
    pub fn load(weights: &Weights) -> Result<Self> {
        let mut stages = Vec::with_capacity(STAGES.len());
        for shape in &STAGES {
            stages.push(Stage::load(weights, shape)?);
        }
        let mut laterals = Vec::with_capacity(3);
        let mut heads = Vec::with_capacity(3);
        for (scale, channels) in [(3, 128), (4, 256), (5, 512)] {
            let get = |name: String, shape| Convolution::load(weights, &name, shape, 1);
            laterals.push(get(format!("lat{scale}"), [NECK, channels, 1])?);
            heads.push((
                get(format!("head{scale}.conv"), [NECK, NECK, 3])?,
                get(format!("head{scale}.out"), [HEAD, NECK, 1])?,
            ));
        }
        Ok(Self {
            stem: Convolution::load(weights, "stem", [32, 3, 3], 2)?,
            stages,
            laterals,
            heads,
        })
    }

    /// Pictures (N, 3, H, W) of blue, green and red as `squash::nanodet_input` makes them, sides multiples of 32, to all maps.
    pub fn maps(&self, pictures: &Tensor) -> Maps {
        let mut x = self
            .stem
            .active(pictures)
            .max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        let mut backbone = Vec::with_capacity(4);
        for stage in &self.stages {
            x = stage.run(&x);
            backbone.push(x.shallow_clone());
        }
        let backbone: [Tensor; 3] = [1, 2, 3].map(|stage| backbone[stage].shallow_clone());
        let [l3, l4, l5] = [0, 1, 2].map(|scale| self.laterals[scale].run(&backbone[scale]));
        // the top-down and the bottom-up way of the pyramid add what they meet: there are no layers between
        let m4 = &l4 + resized(&l5, &l4);
        let p3 = &l3 + resized(&m4, &l3);
        let p4 = &m4 + resized(&p3, &m4);
        let p5 = &l5 + resized(&p4, &l5);
        let pyramid = [p3, p4, p5];
        let heads = [0, 1, 2].map(|scale| self.heads[scale].0.active(&pyramid[scale]));
        let scores = [0, 1, 2].map(|scale| {
            let found = self.heads[scale].1.run(&heads[scale]);
            found.narrow(1, 0, CLASSES).sigmoid()
        });
        Maps {
            backbone,
            pyramid,
            heads,
            scores,
        }
    }

    /// Pictures as [`NanoDet::maps`] takes them to the features (N, 592) that the joint space looks at.
    pub fn features(&self, pictures: &Tensor) -> Tensor {
        let maps = self.maps(pictures);
        let scores = maps.best_scores().amax([1i64].as_slice(), false);
        Tensor::cat(&[scores, mean(&maps.backbone[2])], 1)
    }
}

impl Maps {
    /// The best score of each class at each scale (N, 3, 80).
    pub fn best_scores(&self) -> Tensor {
        Tensor::stack(&[0, 1, 2].map(|scale: usize| best(&self.scores[scale])), 1)
    }

    /// Everything there is to know (N, 2640): the best scores, then mean and maximum of the last map of the backbone,
    /// of the pyramid and of the heads.
    pub fn everything(&self) -> Tensor {
        let mut parts = vec![self.best_scores().amax([1i64].as_slice(), false)];
        let maps = self.backbone[2..]
            .iter()
            .chain(&self.pyramid)
            .chain(&self.heads);
        for map in maps {
            parts.extend([mean(map), best(map)]);
        }
        Tensor::cat(&parts, 1)
    }
}

impl StageShape {
    const fn new(name: &'static str, channels: [i64; 2], repeats: usize, stride: i64) -> Self {
        Self {
            name,
            channels,
            repeats,
            stride,
        }
    }
}

impl Stage {
    fn load(weights: &Weights, shape: &StageShape) -> Result<Self> {
        let get = |part: &str, kernel, stride| {
            Convolution::load(weights, &format!("{}.{part}", shape.name), kernel, stride)
        };
        let [channels, width] = shape.channels;
        let half = width / 2;
        let repeats = (0..shape.repeats).map(|turn| {
            let first = get(&format!("r{turn}.a"), [half, width, 3], 1)?;
            let second = get(&format!("r{turn}.b"), [half, half, 3], 1)?;
            Ok((first, second))
        });
        Ok(Self {
            down: get("down", [width, channels, 3], shape.stride)?,
            repeats: repeats.collect::<Result<_>>()?,
            up: get("up", [width, width, 3], 1)?,
        })
    }

    fn run(&self, x: &Tensor) -> Tensor {
        let down = self.down.active(x);
        let mut y = down.shallow_clone();
        for (first, second) in &self.repeats {
            let a = first.active(&y);
            y = Tensor::cat(&[second.active(&a), a], 1);
        }
        Tensor::cat(&[self.up.active(&y), down], 1)
    }
}

impl Convolution {
    /// A square kernel: `shape` is (out, in, side).
    fn load(
        weights: &Weights,
        name: &str,
        [out, into, side]: [i64; 3],
        stride: i64,
    ) -> Result<Self> {
        Ok(Self {
            weight: weights.tensor(&format!("{name}.weight"), &[out, into, side, side])?,
            bias: weights.tensor(&format!("{name}.bias"), &[out])?,
            stride,
        })
    }

    /// Pads all four sides alike, also at stride 2.
    fn run(&self, x: &Tensor) -> Tensor {
        let padding = self.weight.size()[2] / 2;
        let (stride, padding) = ([self.stride; 2], [padding; 2]);
        x.conv2d(&self.weight, Some(&self.bias), stride, padding, [1, 1], 1)
    }

    /// The same and a leaky ReLU, whose slope is not the library's default of .01.
    fn active(&self, x: &Tensor) -> Tensor {
        let y = self.run(x);
        y.maximum(&(&y * SLOPE))
    }
}

/// Bilinear, half-pixel centres, not smoothed: halving is the mean of 2 × 2.
fn resized(map: &Tensor, like: &Tensor) -> Tensor {
    let size = like.size();
    map.upsample_bilinear2d([size[2], size[3]], false, None, None)
}

fn mean(map: &Tensor) -> Tensor {
    map.mean_dim([2i64, 3].as_slice(), false, Kind::Float)
}

fn best(map: &Tensor) -> Tensor {
    map.amax([2i64, 3].as_slice(), false)
}
