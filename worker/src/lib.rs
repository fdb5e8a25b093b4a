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
mod shared;
mod starvation;
mod sweeper;
mod work;

pub use config::{Config, WorkOptions};
pub use dispatcher::{Dispatcher, Sending};
pub use engine::{Engine, EngineError, EngineFactory, Observer, StyleWork, Work};
pub use error::{Error, HUNG};
pub use shared::Backends;
pub use work::run;
