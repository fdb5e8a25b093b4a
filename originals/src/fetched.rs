//! The image encoder that set-up fetches, turned from its authors' PyTorch pickle into arrays that can be mapped.
//!
//! The program calls [`prepare`] before it opens a bundle, and the worker's container is built with `convert-weights`:
//! a worker itself reads safetensors only. The new file appears whole or not at all.

use std::path::Path;

use models::networks::efficientnet::EfficientNet;
use models::{Bundle, Result};
use tch::Kind;

use crate::formats::read_pth;

/// Converts the encoder that a bundle names as fetched, if it lies in `cache` as it was fetched only.
///
/// # Errors
/// When the bundle cannot be read, the fetched file is not what it should be, or the cache cannot be written.
pub fn prepare(bundle: &Path, cache: &Path) -> Result<()> {
    let bundle = Bundle::open(bundle)?;
    let Some(name) = &bundle.manifest().image_encoder.fetched else {
        return Ok(());
    };
    let to = cache.join(name);
    let from = to.with_extension("pth");
    // what is missing altogether is said by whoever opens it, with what to do
    if to.exists() || !from.exists() {
        return Ok(());
    }
    convert(&from, &to)
}

/// Writes the arrays of an EfficientNet-Lite0 in PyTorch's old format as safetensors.
///
/// # Errors
/// When `from` cannot be read or holds another network, or `to` cannot be written.
pub fn convert(from: &Path, to: &Path) -> Result<()> {
    let weights = read_pth(from)?;
    EfficientNet::load(&weights)?;
    weights.save(to, Kind::Float)
}
