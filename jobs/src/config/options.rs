//! The options by which every program of the service is told the rules.
//! `api`, `worker` and `storyteller serve` flatten them into their own. What must stay true: without options they are
//! [`Rules::default`], and all programs on one database are given the same.

use std::time::Duration;

use super::{BEATS_A_LEASE, KeepFor, Rules};
use crate::job::State;

/// As [`Rules::default`] sweeps.
const SWEEP_MILLIS: u64 = 500;

/// How jobs live, the same for all programs on one database.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Jobs")]
pub struct RuleOptions {
    /// How often a job is tried before it fails.
    #[arg(long, env = "STORYTELLER_MAX_ATTEMPTS", value_name = "N", default_value_t = Rules::default().max_attempts)]
    pub max_attempts: u32,
    /// After how many seconds without a sign of life a worker's jobs are given to others.
    #[arg(long, env = "STORYTELLER_LEASE_SECONDS", value_name = "S", default_value_t = Rules::default().lease_timeout.as_secs(),
        value_parser = clap::value_parser!(u64).range(4..=3600))]
    pub lease_seconds: u64,
    /// How often a worker looks for jobs that were left behind and deadlines that have passed, in milliseconds; a dead
    /// worker's jobs wait for that on top of its lease.
    #[arg(long, env = "STORYTELLER_SWEEP_MILLIS", value_name = "MS", default_value_t = SWEEP_MILLIS, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub sweep_millis: u64,
    /// How often it forgets old idempotency keys, in seconds.
    #[arg(long, env = "STORYTELLER_FORGET_KEYS_SECONDS", value_name = "S", default_value_t = Rules::default().forget_every.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub forget_keys_seconds: u64,
    /// How many jobs may wait; more are refused (429).
    #[arg(long, env = "STORYTELLER_MAX_QUEUED", value_name = "N", default_value_t = Rules::default().max_queued)]
    pub max_queued: u32,
    /// How many MiB the pictures of waiting stories may have together; more are refused (429). A batch may have 80.
    #[arg(long, env = "STORYTELLER_MAX_QUEUED_MIB", value_name = "MIB", default_value_t = Rules::default().max_queued_bytes >> 20,
        value_parser = clap::value_parser!(u64).range(80..=1 << 30))]
    pub max_queued_mib: u64,
    /// How many MiB the texts of waiting styles may have together.
    #[arg(long, env = "STORYTELLER_MAX_QUEUED_TEXT_MIB", value_name = "MIB", default_value_t = Rules::default().max_queued_text >> 20)]
    pub max_queued_text_mib: u64,
    /// Connections to the database that this process keeps.
    #[arg(long, env = "STORYTELLER_DATABASE_CONNECTIONS", value_name = "N", default_value_t = Rules::default().connections,
        value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub database_connections: u32,
    /// For how long stories are kept once they have ended, with their pictures, by how they ended: in s, m, h, d, or
    /// `ever`. A request can say otherwise for its own (`keep_for`) [default: succeeded=365d,failed=30d,cancelled=7d,expired=7d].
    #[arg(long, env = "STORYTELLER_KEEP_FOR", value_name = "STATE=TIME", value_delimiter = ',', value_parser = kept)]
    pub keep_for: Vec<Kept>,
}

/// For how long stories that ended so are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    state: State,
    time: Option<Duration>,
}

impl Default for RuleOptions {
    fn default() -> Self {
        let rules = Rules::default();
        RuleOptions {
            max_attempts: rules.max_attempts,
            lease_seconds: rules.lease_timeout.as_secs(),
            sweep_millis: SWEEP_MILLIS,
            forget_keys_seconds: rules.forget_every.as_secs(),
            max_queued: rules.max_queued,
            max_queued_mib: rules.max_queued_bytes >> 20,
            max_queued_text_mib: rules.max_queued_text >> 20,
            database_connections: rules.connections,
            keep_for: Vec::new(),
        }
    }
}

impl RuleOptions {
    /// The rules that are asked for.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let lease = Duration::from_secs(self.lease_seconds);
        let mut keep_for = KeepFor::default();
        for kept in &self.keep_for {
            match kept.state {
                State::Succeeded => keep_for.succeeded = kept.time,
                State::Failed => keep_for.failed = kept.time,
                State::Cancelled => keep_for.cancelled = kept.time,
                State::Expired => keep_for.expired = kept.time,
                State::Queued | State::Running => {}
            }
        }
        Rules {
            max_attempts: self.max_attempts.max(1),
            heartbeat: lease / BEATS_A_LEASE,
            lease_timeout: lease,
            sweep_every: Duration::from_millis(self.sweep_millis),
            forget_every: Duration::from_secs(self.forget_keys_seconds),
            max_queued: self.max_queued,
            max_queued_bytes: self.max_queued_mib << 20,
            max_queued_text: self.max_queued_text_mib << 20,
            keep_for,
            connections: self.database_connections,
            ..Rules::default()
        }
    }
}

fn kept(text: &str) -> Result<Kept, String> {
    let example = "write for example succeeded=365d, failed=12h or cancelled=ever";
    let (state, time) = text.split_once('=').ok_or(example)?;
    let ends = [
        State::Succeeded,
        State::Failed,
        State::Cancelled,
        State::Expired,
    ];
    let state = ends.into_iter().find(|end| end.name() == state.trim());
    let state = state.ok_or("stories end as succeeded, failed, cancelled or expired")?;
    let time = time.trim();
    if time == "ever" {
        return Ok(Kept { state, time: None });
    }
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3600), ("d", 24 * 3600)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((time.strip_suffix(unit)?, seconds)))
        .ok_or(example)?;
    let number: u32 = number.parse().map_err(|_| example)?;
    let time = Some(Duration::from_secs(u64::from(number) * seconds));
    Ok(Kept { state, time })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn options(arguments: &[&str]) -> Result<RuleOptions, clap::Error> {
        let command = RuleOptions::augment_args(clap::Command::new("test").no_binary_name(true));
        // whatever the environment of this test run says
        let command = command.mut_args(|argument| argument.env(clap::builder::Resettable::Reset));
        RuleOptions::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    #[test]
    fn without_options_the_rules_are_the_usual_ones() {
        let usual = format!("{:?}", Rules::default());
        assert_eq!(format!("{:?}", options(&[]).unwrap().rules()), usual);
        assert_eq!(format!("{:?}", RuleOptions::default().rules()), usual);
    }

    #[test]
    fn each_rule_can_be_set_and_nonsense_is_refused() {
        let rules = options(&[
            "--max-attempts=5",
            "--lease-seconds=8",
            "--sweep-millis=250",
            "--forget-keys-seconds=60",
            "--max-queued=7",
            "--max-queued-mib=80",
            "--max-queued-text-mib=1",
            "--database-connections=3",
            "--keep-for=succeeded=ever,failed=12h",
        ]);
        let rules = rules.unwrap().rules();
        assert_eq!(
            (rules.max_attempts, rules.max_queued, rules.connections),
            (5, 7, 3)
        );
        assert_eq!(
            (rules.lease_timeout.as_secs(), rules.heartbeat.as_secs()),
            (8, 2)
        );
        assert_eq!(
            (rules.sweep_every.as_millis(), rules.forget_every.as_secs()),
            (250, 60)
        );
        assert_eq!(
            (rules.max_queued_bytes, rules.max_queued_text),
            (80 << 20, 1 << 20)
        );
        let half_a_day = Some(Duration::from_secs(12 * 3600));
        assert_eq!(
            (rules.keep_for.succeeded, rules.keep_for.failed),
            (None, half_a_day)
        );
        assert_eq!(rules.keep_for.cancelled, KeepFor::default().cancelled);
        for nonsense in [
            "--keep-for=queued=1d",
            "--keep-for=failed=soon",
            "--keep-for=failed",
            "--lease-seconds=0",
            "--sweep-millis=1",
            "--max-queued-mib=79",
        ] {
            assert!(options(&[nonsense]).is_err(), "{nonsense}");
        }
    }
}
