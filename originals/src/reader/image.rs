//! What looks at pictures, in the forms it was passed on in (algorithm.md §1.7, §1.8).
//!
//! [`crate::reader::Original`] and the import call it; whatever the file's layout, the arrays of VGG-19 come out under the names
//! that [`models::Vgg`] expects, for pictures as `picture::original_input` makes them: blue first, the mean taken away.
//! The form is known by the file's first bytes and names, not by its ending.

mod caffe;
mod torchvision;

use std::path::Path;

use crate::formats::{Value, read_pth};
use models::bundle::ImageEncoderKind;
use models::networks::efficientnet::EfficientNet;
use models::pipeline::picture::EFFICIENTNET_SIDE;
use models::{Error, Result, Vgg, Weights};

/// Reads VGG-19 as the arrays that [`Vgg::load`] takes.
///
/// # Errors
/// When the file is missing, broken, or holds another network.
pub fn read_vgg(file: &Path) -> Result<Weights> {
    match read_image_encoder(file)? {
        (ImageEncoderKind::Vgg19, weights) => Ok(weights),
        _ => {
            let reason = "it holds an EfficientNet-Lite0; a VGG-19 is expected";
            Err(Error::format(file.display().to_string(), reason))
        }
    }
}

/// Reads a VGG-19 (Lasagne's pickle, Caffe's network, torchvision's or our names in safetensors) or an EfficientNet-Lite0
/// (PyTorch's old format or safetensors), and says which it is.
///
/// # Errors
/// As [`read_vgg`].
pub fn read_image_encoder(file: &Path) -> Result<(ImageEncoderKind, Weights)> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    let weights = match ending.unwrap_or_default() {
        "caffemodel" => caffe::read(file)?,
        "safetensors" => torchvision::read(file)?,
        "pth" | "pt" => read_pth(file)?,
        _ => lasagne(file)?,
    };
    let kind = if weights.contains("_conv_stem.weight") {
        ImageEncoderKind::EfficientnetLite0
    } else {
        ImageEncoderKind::Vgg19
    };
    match kind {
        ImageEncoderKind::EfficientnetLite0 => {
            EfficientNet::load_for(&weights, EFFICIENTNET_SIDE)?;
        }
        ImageEncoderKind::Vgg19 => drop(Vgg::load(&weights)?),
    }
    Ok((kind, weights))
}

fn lasagne(file: &Path) -> Result<Weights> {
    let wrong = |reason: String| Error::format(file.display().to_string(), reason);
    let (value, _) = super::pickle(file)?;
    let list = value.get("param values").or(value.get("values"));
    let list = list.and_then(Value::as_items).ok_or_else(|| {
        wrong("it has no list `param values`: a Lasagne VGG-19 is expected".to_owned())
    })?;
    let mut arrays = Vec::with_capacity(list.len());
    for (number, value) in list.iter().enumerate() {
        let Value::Array(array) = value else {
            return Err(wrong(format!(
                "item {number} of `param values` is no array"
            )));
        };
        arrays.push(array.to_tensor());
    }
    Vgg::name_parameters(&file.display().to_string(), arrays)
}
