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

/// What a program that runs a worker may be told about it.
#[derive(Clone, Debug, clap::Args)]
pub struct WorkOptions {
    /// How many stories are told together at most.
    #[arg(
        long,
        env = "STORYTELLER_MAX_BATCH",
        value_name = "N",
        default_value_t = 8
    )]
    pub max_batch: usize,
    /// How many seconds a stop waits for running stories before it leaves them to other workers, or to the next start.
    #[arg(long, env = "STORYTELLER_DRAIN_SECONDS", value_name = "S", default_value_t = Config::default().drain.as_secs())]
    pub drain_seconds: u64,
    /// After how many seconds without a sign of life from the networks their stories are given to others; seconds in which
    /// the machine had no processor for them do not count. After three times as long the process ends with code 70, to be started again.
    #[arg(long, env = "STORYTELLER_HUNG_SECONDS", value_name = "S", default_value_t = Config::default().hung_after.as_secs(),
        value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub hung_seconds: u64,
}

impl Default for WorkOptions {
    fn default() -> Self {
        let usual = Config::default();
        WorkOptions {
            max_batch: usual.batch.items,
            drain_seconds: usual.drain.as_secs(),
            hung_seconds: usual.hung_after.as_secs(),
        }
    }
}

impl WorkOptions {
    /// The settings that are asked for.
    #[must_use]
    pub fn config(&self) -> Config {
        let hung_after = Duration::from_secs(self.hung_seconds);
        Config {
            drain: Duration::from_secs(self.drain_seconds),
            hung_after,
            give_up_after: hung_after * 3,
            ..Config::with_max_batch(self.max_batch)
        }
    }

    /// How many messages a broker may send ahead: as many as are claimed.
    #[must_use]
    pub fn prefetch(&self) -> u16 {
        u16::try_from(2 * self.max_batch).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn options(arguments: &[&str]) -> Result<WorkOptions, clap::Error> {
        let command = WorkOptions::augment_args(clap::Command::new("test").no_binary_name(true));
        // whatever the environment of this test run says
        let command = command.mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
        WorkOptions::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    #[test]
    fn without_options_a_worker_works_as_usual() {
        let usual = format!("{:?}", Config::default());
        assert_eq!(format!("{:?}", options(&[]).unwrap().config()), usual);
        assert_eq!(format!("{:?}", WorkOptions::default().config()), usual);
    }

    #[test]
    fn a_worker_ends_after_three_times_what_its_engine_may_be_silent() {
        let config = options(&["--hung-seconds=60", "--drain-seconds=5", "--max-batch=2"]);
        let config = config.unwrap().config();
        let seconds = [config.hung_after, config.give_up_after, config.drain];
        assert_eq!(seconds.map(|time| time.as_secs()), [60, 180, 5]);
        assert_eq!(config.batch.items, 2);
        assert!(options(&["--hung-seconds=1"]).is_err());
    }
}
