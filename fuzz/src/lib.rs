#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    reason = "a promise that does not hold has failed"
)]

pub mod address;
pub mod caffe;
mod file;
pub mod form;
pub mod gguf;
pub mod headers;
pub mod npy;
pub mod npz;
pub mod pickle;
pub mod picture;
pub mod request;
pub mod safetensors;
pub mod style;
pub mod table;
pub mod torch;
pub mod webhook;
