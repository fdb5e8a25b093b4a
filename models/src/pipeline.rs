//! From a picture to a story: the stages over the networks of a bundle, and a style from a text.
//!
//! The top floor of this crate: the worker and the command line tool call it.

pub mod caption_thoughts;
pub mod caption_vectors;
pub mod ending;
pub mod explanation;
pub mod gallery;
pub mod image_encoder;
mod kept;
mod language;
mod looks;
pub mod options;
pub mod picture;
mod recurrent;
pub mod seeing;
pub mod story;
pub mod storyteller;
pub mod style_from_text;
mod verse;
pub mod writer;
