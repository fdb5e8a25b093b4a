#![doc = include_str!("../README.md")]

pub mod batcher;
mod batching;
mod config;
pub mod dispatcher;
pub mod engine;
mod error;
mod heartbeat;
mod intake;
mod leases;
mod outcome;
mod picture;
pub mod scripted;
mod shared;
mod sweeper;
mod work;

pub use config::Config;
pub use dispatcher::{Dispatcher, Sending};
pub use engine::{Engine, EngineError, EngineFactory, StyleWork, Watch, Work};
pub use error::{Error, HUNG};
pub use shared::Places;
pub use work::run;
