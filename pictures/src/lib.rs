#![doc = include_str!("../README.md")]

mod error;
pub mod images;
pub mod intake;

pub use error::{Error, Refusal, Result};
pub use images::{Directory, ImageOptions, Images, S3};
pub use intake::{Caps, TakenIn, take_in};
