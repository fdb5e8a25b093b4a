//! Numbers and where they lie: named arrays of a file, matrices that may stay on disk, the device they are computed on.
//!
//! The lowest floor of this crate, and the only one with `unsafe` (in `device`).

pub(crate) mod abreast;
pub mod device;
mod eight_bits;
pub mod floats;
pub mod gguf;
pub mod matrix;
pub mod precision;
pub mod shape;
pub mod unit_rows;
pub mod weights;
