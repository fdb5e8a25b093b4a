#![doc = include_str!("../README.md")]

pub mod health;
pub mod metrics;

pub use health::Health;
