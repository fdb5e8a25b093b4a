//! The photo networks that set-up fetches, turned from their authors' PyTorch pickles into arrays that can be mapped.
//!
//! The program calls [`prepare`] before it opens a bundle, and the worker's container is built with `convert-weights`:
//! a worker itself reads safetensors only. The new file appears whole or not at all.

use std::path::Path;

use models::networks::efficientnet::EfficientNet;
use models::{Bundle, Result};
use tch::Kind;

use crate::formats::read_pth;

/// Converts the photo networks that a bundle names as fetched, if they lie in `cache` as they were fetched only.
///
/// # Errors
/// When the bundle cannot be read, a fetched file is not what it should be, or the cache cannot be written.
pub fn prepare(bundle: &Path, cache: &Path) -> Result<()> {
    let bundle = Bundle::open(bundle)?;
    for name in bundle.manifest().image_encoder.all_fetched() {
        let to = cache.join(name);
        let from = to.with_extension("pth");
        // what is missing altogether is said by whoever opens it, with what to do
        if !to.exists() && from.exists() {
            convert(&from, &to)?;
        }
    }
    Ok(())
}

/// Writes the arrays of an EfficientNet-Lite0 or -Lite2 in PyTorch's old format as safetensors.
///
/// # Errors
/// When `from` cannot be read or holds another network, or `to` cannot be written.
pub fn convert(from: &Path, to: &Path) -> Result<()> {
    let weights = read_pth(from)?;
    EfficientNet::load(&weights)?;
    weights.save(to, Kind::Float)
}
