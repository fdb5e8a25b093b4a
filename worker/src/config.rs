//! How a worker works: sizes of batches and how long it waits for what.
//! The program that runs the worker fills it in. What must stay true: how jobs live (heartbeats, leases, retries) is
//! not here but in [`jobs::Rules`], which all processes share.

use std::time::Duration;

use crate::batcher::Limits;

/// The settings of one worker.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name in the log of attempts.
    pub name: String,
    /// When a batch is closed. As many jobs again as fit into one are claimed ahead.
    pub batch: Limits,
    /// How long a claim waits for jobs; a stop waits for the claim.
    pub claim_patience: Duration,
    /// How long a stop waits for the running batch; then its jobs are released, and nobody is charged.
    pub drain: Duration,
    /// How long a stop waits after that for the engine, which looks between any two steps whether it is still wanted.
    pub stop_within: Duration,
    /// How long the engine may say nothing before it counts as hung. With the end of its leases that makes the
    /// half minute in which the service promises to have a hung worker's jobs run again.
    pub hung_after: Duration,
    /// How long the engine may say nothing before the worker ends: whatever blocks the device goes with its process only.
    pub give_up_after: Duration,
    /// How long a job waits for a picture which the store, though it answers, cannot read; then its attempt has failed.
    pub picture_patience: Duration,
    /// How many MiB decoded pictures may take that wait for the engine or are with it: a picture is claimed ahead of its
    /// batch, and the largest has 150.
    pub picture_memory: u32,
    /// The first wait when the database or the pictures cannot be reached.
    pub first_pause: Duration,
    /// The longest wait when the database or the pictures cannot be reached.
    pub longest_pause: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            name: format!("worker-{}", std::process::id()),
            batch: Limits::of(8),
            claim_patience: Duration::from_millis(500),
            drain: Duration::from_secs(60),
            stop_within: Duration::from_secs(5),
            hung_after: Duration::from_secs(25),
            give_up_after: Duration::from_secs(75),
            picture_patience: Duration::from_secs(60),
            picture_memory: 2048,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// The default settings with batches of up to `max_batch` stories.
    pub fn with_max_batch(max_batch: usize) -> Self {
        Config {
            batch: Limits::of(max_batch),
            ..Config::default()
        }
    }
}
