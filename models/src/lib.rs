#![doc = include_str!("../README.md")]

pub mod bundle;
pub mod decoding;
mod error;
pub mod networks;
pub mod pipeline;
pub mod tensors;
pub mod text;

pub use bundle::Bundle;
pub use bundle::styles::Styles;
pub use decoding::beam::Beam;
pub use error::{Error, Result};
pub use networks::decoder::Decoder;
pub use networks::gru::Gru;
pub use networks::skip_thoughts::SkipThoughts;
pub use networks::vgg::Vgg;
pub use networks::vse::Vse;
pub use pipeline::gallery::Gallery;
pub use pipeline::picture::Picture;
pub use pipeline::storyteller::Storyteller;
pub use tensors::weights::Weights;
pub use text::vocabulary::Vocabulary;
