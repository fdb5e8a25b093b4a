//! The networks, one file each: what it computes, its layers from small to large, its forward pass.
//!
//! They take arrays by name from `tensors::weights` and give tensors back; none knows of bundles, pictures' files or
//! stories. Trainers and the parity check run the very same code.

pub mod batches;
pub mod decoder;
pub mod efficientnet;
pub mod gru;
pub mod skip_thoughts;
pub mod vgg;
pub mod vse;
