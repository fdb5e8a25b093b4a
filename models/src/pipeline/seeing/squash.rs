//! From a picture to the squares that the eyes look at: all of it, squashed, because cutting the middle out
//! lost what stands at the sides and gained nothing.
//!
//! All are smoothed reductions over bytes, rounded to bytes again, as the features were made that the joint space
//! was trained on (Pillow's BICUBIC and BILINEAR, to one grey level).

use crate::networks::nanodet;
use crate::pipeline::picture::Picture;
use tch::{Kind, Tensor};

/// Blue, green and red of the average picture of NanoDet's training, and their spread.
const MEANS: [f32; 3] = [103.53, 116.28, 123.675];
const SPREADS: [f32; 3] = [57.375, 57.12, 58.395];

/// The input (3, side, side) of an EfficientNet: red, green, blue as (x − 127) / 128.
pub fn photo_input(picture: &Picture, side: i64) -> Tensor {
    let size = [side; 2];
    photo_scaled(&planes(picture).internal_upsample_bicubic2d_aa(size, false, None, None))
        .squeeze_dim(0)
}

/// The input (3, 320, 320) of NanoDet: blue, green, red, less their means and in units of their spreads.
pub fn nanodet_input(picture: &Picture) -> Tensor {
    let size = [nanodet::SIDE; 2];
    nanodet_scaled(&planes(picture).internal_upsample_bilinear2d_aa(size, false, None, None))
        .squeeze_dim(0)
}

/// Pixels (N, 3, H, W) of red, green and blue, 0 to 255, on the scale of an EfficientNet.
pub fn photo_scaled(pixels: &Tensor) -> Tensor {
    (pixels.to_kind(Kind::Float) - 127.0) / 128.0
}

/// Pixels (N, 3, H, W) of red, green and blue, 0 to 255, as NanoDet wants them.
pub fn nanodet_scaled(pixels: &Tensor) -> Tensor {
    let each = |numbers: &[f32; 3]| Tensor::from_slice(numbers).view([1, 3, 1, 1]);
    let pixels = pixels.to_kind(Kind::Float).flip([1i64].as_slice());
    (pixels - each(&MEANS)) / each(&SPREADS)
}

/// The bytes (1, 3, H, W), in the order in which they lie: libtorch has a fast way for these.
fn planes(picture: &Picture) -> Tensor {
    let shape = [i64::from(picture.height), i64::from(picture.width), 3];
    let pixels = Tensor::from_data_size(&picture.rgb, &shape, Kind::Uint8);
    pixels.permute([2, 0, 1]).unsqueeze(0)
}
