//! Files as the original's Python wrote them: npz, npy, pickles, and PyTorch's old format; Caffe's networks.
//!
//! Read once, when originals are imported or the fetched image encoder is converted. Nothing in a
//! file is ever executed: a pickle is read as data, and what it would call is only recognised.

mod array;
mod caffe;
mod npy;
mod pickle;
mod table;
mod torch;

pub use array::Array;
pub use caffe::read_caffemodel;
pub use npy::{npz_names, read_npy, read_npz, read_npz_where};
pub use pickle::{Value, read_pickle};
pub use table::Table;
pub use torch::read_pth;

use models::{Result, Weights};
use std::path::Path;

/// Reads an npz archive of numeric arrays as weights.
///
/// # Errors
/// When the file cannot be read or is no npz.
pub fn read_weights(path: &Path) -> Result<Weights> {
    let arrays = read_npz(path)?;
    let tensors = arrays
        .into_iter()
        .map(|(name, array)| (name, array.to_tensor()));
    Ok(Weights::from_tensors(path.display().to_string(), tensors))
}
