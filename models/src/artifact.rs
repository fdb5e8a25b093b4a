//! Files as the original's Python wrote them: npz, npy, pickles, and PyTorch's old format; Caffe's networks.
//!
//! Read once, when originals are imported or the fetched image encoder is converted. Nothing in a
//! file is ever executed: a pickle is read as data, and what it would call is only recognised.

mod caffe;
mod npy;
mod pickle;
mod table;
mod torch;

pub use caffe::read_caffemodel;
pub use npy::{Array, npz_names, read_npy, read_npz, read_npz_where};
pub use pickle::{Value, read_pickle};
pub use table::Table;
pub use torch::read_pth;
