#![doc = include_str!("../README.md")]

pub mod doctor;
pub mod health;
pub mod keys;
pub mod logging;
pub mod metrics;
pub mod signals;
pub mod status;
pub mod traces;

pub use health::Health;
pub use logging::Logging;
pub use status::Status;
