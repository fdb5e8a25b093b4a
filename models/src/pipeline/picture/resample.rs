//! From a picture to the square that an image encoder takes.
//!
//! The original's way is reproduced to the last digit because its networks were trained on it: plain
//! bilinear, in double precision, without smoothing (algorithm.md §2). EfficientNet gets a smoothed
//! reduction of the middle of the picture, as its training did.

use super::Picture;
use tch::{Kind, Tensor};

const SIDE: usize = 224;
/// How many pixels high and wide the input of an EfficientNet is that looks alone.
pub const EFFICIENTNET_SIDE: i64 = SIDE as i64;
/// The shorter side after scaling; the square is cut from its middle.
const SHORT: usize = 256;
/// Blue, green and red of the average picture.
const MEANS: [f64; 3] = [103.939, 116.779, 123.68];

/// The input (3, 224, 224) of the original's VGG-19: blue, green, red on the scale to 255, less the
/// mean of each.
pub fn original_input(picture: &Picture) -> Tensor {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let short = width.min(height);
    // the longer side is rounded down
    let (wide, high) = (width * SHORT / short, height * SHORT / short);
    let columns = Axis::new(width, wide);
    let rows = Axis::new(height, high);
    let mut input = vec![0f32; 3 * SIDE * SIDE];
    for y in 0..SIDE {
        let (y0, y1, down) = rows.weigh(high / 2 - SIDE / 2 + y);
        for x in 0..SIDE {
            let (x0, x1, right) = columns.weigh(wide / 2 - SIDE / 2 + x);
            for (plane, mean) in MEANS.into_iter().enumerate() {
                let at = |y: Option<usize>, x: Option<usize>| match (y, x) {
                    (Some(y), Some(x)) => f64::from(picture.rgb[(y * width + x) * 3 + 2 - plane]),
                    _ => 0.0,
                };
                let top = at(y0, x0) * (1.0 - right) + at(y0, x1) * right;
                let bottom = at(y1, x0) * (1.0 - right) + at(y1, x1) * right;
                let value = top * (1.0 - down) + bottom * down;
                input[(plane * SIDE + y) * SIDE + x] = (value - mean) as f32;
            }
        }
    }
    Tensor::from_slice(&input).view([3, SIDE as i64, SIDE as i64])
}

/// How one axis is scaled: half-pixel centres; what lies outside the picture is black.
struct Axis {
    length: usize,
    scale: f64,
}

impl Axis {
    fn new(length: usize, scaled: usize) -> Self {
        Self {
            length,
            scale: length as f64 / scaled as f64,
        }
    }

    /// The two pixels around a place, if they are inside, and the weight of the second.
    fn weigh(&self, place: usize) -> (Option<usize>, Option<usize>, f64) {
        let source = (place as f64 + 0.5) * self.scale - 0.5;
        let first = source.floor();
        let inside = |p: f64| (p >= 0.0 && p < self.length as f64).then_some(p as usize);
        (inside(first), inside(source.ceil()), source - first)
    }
}

/// The input (3, 224, 224) of EfficientNet-Lite: red, green, blue as (x − 127) / 128.
pub fn efficientnet_input(picture: &Picture) -> Tensor {
    let short = i64::from(picture.width.min(picture.height));
    let side = (short * SIDE as i64 / SHORT as i64).max(1);
    let (left, top) = (
        (i64::from(picture.width) - side) / 2,
        (i64::from(picture.height) - side) / 2,
    );
    let square = picture.pixels().narrow(0, top, side).narrow(1, left, side);
    let square = square
        .permute([2, 0, 1])
        .contiguous()
        .to_kind(Kind::Float)
        .unsqueeze(0);
    // large photos shrink by whole pixels first: cheaper, and the same average in the end
    let factor = (side / (2 * SIDE as i64)).max(1);
    let square = if factor > 1 {
        square.avg_pool2d([factor; 2], [factor; 2], [0, 0], false, true, None)
    } else {
        square
    };
    let size = [SIDE as i64; 2];
    let scaled = square
        .internal_upsample_bilinear2d_aa(size, false, None, None)
        .squeeze_dim(0);
    (scaled - 127.0) / 128.0
}
