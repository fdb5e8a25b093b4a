//! Takes jobs, tells their stories in batches, records the outcome.
//! intake (claim, fetch, decode) → batcher → one thread that owns the engine → outcome, with a heartbeat beside it.
//! `storyteller serve` and the `worker` program call [`run`]. What must stay true: every claimed job ends in exactly
//! one written outcome or loses its lease, and nothing that goes wrong with one job touches its neighbours.

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
pub use engine::{Engine, EngineError, EngineFactory, Lesson, Watch, Work};
pub use error::{Error, HUNG};
pub use shared::Places;
pub use work::run;
