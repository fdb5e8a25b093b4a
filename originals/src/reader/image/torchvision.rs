//! VGG-19 under torchvision's names in a safetensors file; files with our own names pass as they are.
//!
//! Torchvision's network sees red first, in 0 … 1, less a mean, divided by a spread; ours sees blue first, in 0 … 255,
//! less the original's mean. The first convolution is rewritten so that the same picture yields the same numbers: its
//! input channels are turned round and scaled, and what the two means differ by goes into its bias. Only in the outermost
//! ring of pixels, where a layer is padded with zeros, that difference (under 0.01 of a spread) is not made up for.
//! A file of Caffe's numbers under these names says so in its metadata: `input` = `bgr-mean`; it is taken unchanged.

use std::path::Path;

use tch::Tensor;

use models::tensors::device::mapped::Mapped;
use models::{Result, Vgg, Weights};

/// Where each convolution stands in torchvision's list of layers.
const PLACES: [usize; 16] = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34];
/// Torchvision's mean and spread, red first.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const SPREAD: [f64; 3] = [0.229, 0.224, 0.225];
/// The original's mean, red first.
const ORIGINAL_MEAN: [f64; 3] = [123.68, 116.779, 103.939];

/// Reads the file; with torchvision's names, the arrays get ours.
///
/// # Errors
/// When the file is broken or an array is missing or has another shape.
pub(super) fn read(file: &Path) -> Result<Weights> {
    let mapped = Mapped::open(file)?;
    let weights = Weights::from_mapped(&mapped)?;
    if !weights.contains("features.0.weight") {
        return Ok(weights);
    }
    let names = Vgg::parameter_names();
    let convs = PLACES.map(|place| format!("features.{place}"));
    let dense = ["classifier.0", "classifier.3"].map(str::to_owned);
    let mut arrays = Vec::new();
    for (theirs, ours) in convs.iter().chain(&dense).zip(names.chunks(2)) {
        let is_dense = theirs.starts_with("classifier");
        let shape: &[i64] = if is_dense { &[-1, -1] } else { &[-1, -1, 3, 3] };
        let mut weight = weights.tensor(&format!("{theirs}.weight"), shape)?;
        if is_dense {
            weight = weight.tr().contiguous();
        }
        arrays.push((ours[0].clone(), weight));
        arrays.push((
            ours[1].clone(),
            weights.tensor(&format!("{theirs}.bias"), &[-1])?,
        ));
    }
    if !is_for_original_input(&mapped) {
        let weight = weights.tensor("features.0.weight", &[-1, 3, 3, 3])?;
        let (weight, bias) = for_original_input(&weight, &arrays[1].1);
        arrays[0].1 = weight;
        arrays[1].1 = bias;
    }
    Ok(Weights::from_tensors(weights.label(), arrays))
}

fn is_for_original_input(file: &Mapped) -> bool {
    let header = safetensors::SafeTensors::read_metadata(file.bytes());
    let said = header
        .ok()
        .and_then(|(_, header)| header.metadata().clone());
    said.is_some_and(|said| said.get("input").is_some_and(|input| input == "bgr-mean"))
}

/// The first convolution (O, 3, 3, 3) and its bias (O) for pictures of the original's form.
fn for_original_input(weight: &Tensor, bias: &Tensor) -> (Tensor, Tensor) {
    let per_channel = |numbers: [f64; 3]| {
        let numbers = numbers.map(|number| number as f32);
        Tensor::from_slice(&numbers).view([1, 3, 1, 1])
    };
    let scale = per_channel(SPREAD.map(|spread| 1.0 / (255.0 * spread)));
    let shift = [0, 1, 2].map(|c| (ORIGINAL_MEAN[c] / 255.0 - MEAN[c]) / SPREAD[c]);
    let moved = (weight * per_channel(shift)).sum_dim_intlist([1i64, 2, 3].as_slice(), false, None);
    ((weight * scale).flip(1i64), bias + moved)
}
