//! The numbers of a tensor as Rust has them.
//! Whoever goes on without libtorch begins here: searches, scores, the steps of a language model.

use tch::{Device, Kind, Tensor};

/// All numbers of a tensor, row after row, as 32-bit floats.
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.to_device(Device::Cpu).to_kind(Kind::Float);
    let flat = flat.contiguous();
    let mut numbers = vec![0f32; flat.numel()];
    flat.copy_data(&mut numbers, flat.numel());
    numbers
}
