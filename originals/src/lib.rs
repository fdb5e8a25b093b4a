#![doc = include_str!("../README.md")]

pub mod fetched;
pub mod formats;
pub mod import;
pub mod parity;
pub mod reader;

pub use reader::Original;
