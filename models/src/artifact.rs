//! Files as the original's Python wrote them: npz, npy, pickles, and PyTorch's old format.
//!
//! Read once, when originals are imported or the fetched image encoder is converted. Nothing in a
//! file is ever executed: a pickle is read as data, and what it would call is only recognised.

mod npy;
mod pickle;
mod torch;

pub use npy::{Array, npz_names, read_npy, read_npz};
pub use pickle::{Value, read_pickle};
pub use torch::read_pth;
