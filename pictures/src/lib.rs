#![doc = include_str!("../README.md")]

mod caps;
pub mod decode;
#[cfg(feature = "storage")]
mod error;
#[cfg(feature = "storage")]
pub mod images;
pub mod intake;
mod kinds;
mod layout;
mod refusal;

pub use caps::Caps;
pub use decode::{Decoded, decode};
#[cfg(feature = "storage")]
pub use error::{Error, Result};
#[cfg(feature = "storage")]
pub use images::{Directory, ImageOptions, Images, S3};
pub use intake::{TakenIn, Turning, take_in};
pub use refusal::Refusal;
