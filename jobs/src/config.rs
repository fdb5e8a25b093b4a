//! The rules by which jobs live, with the defaults that the whole project uses.
//! Whoever opens a [`crate::Store`] passes them in. What must stay true: all services on one database use the
//! same rules, and heartbeats come several times as often as leases end.

use std::time::Duration;

use crate::job::State;
use crate::retry::Backoff;

mod options;

pub use options::RuleOptions;

/// How often jobs are tried, when a worker counts as dead, and how much may wait.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How often a job is tried before it fails: once for luck, twice for a bad worker.
    pub max_attempts: u32,
    /// How often a worker says that it still holds its jobs.
    pub heartbeat: Duration,
    /// After how long without a heartbeat a job is taken away: four missed beats, so that a dead worker's jobs
    /// run again within 5 s and a busy machine's do not.
    pub lease_timeout: Duration,
    /// How often the sweeper looks for late heartbeats and passed deadlines.
    pub sweep_every: Duration,
    /// How often old idempotency keys are forgotten.
    pub forget_every: Duration,
    /// How long a job waits after a failed attempt.
    pub backoff: Backoff,
    /// How many jobs may wait; more are refused.
    pub max_queued: u32,
    /// How many bytes the pictures of waiting stories may have together; more are refused.
    pub max_queued_bytes: u64,
    /// How many bytes the texts of waiting styles may have together; more are refused.
    pub max_queued_text: u64,
    /// For how long stories are kept once they have ended, by how they did.
    pub keep_for: KeepFor,
    /// How many connections to the database are kept: claims, heartbeats and a few requests at once.
    pub connections: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            max_attempts: 3,
            heartbeat: Duration::from_secs(1),
            lease_timeout: Duration::from_secs(4),
            sweep_every: Duration::from_millis(500),
            forget_every: Duration::from_secs(10),
            backoff: Backoff::default(),
            max_queued: 10_000,
            // some thousand photos as phones take them, and less than small servers have for data
            max_queued_bytes: 16 << 30,
            max_queued_text: 256 * 1024 * 1024,
            keep_for: KeepFor::default(),
            connections: 10,
        }
    }
}

/// So many heartbeats may pass between the last that was heard before a silence and the first after it.
const BEATS_IN_DOUBT: f64 = 2.5;
/// A lease is as many heartbeats long: so many may be missed.
const BEATS_A_LEASE: u32 = 4;
/// What of a lease may be silence, where only the lease is known.
pub(crate) const SILENCE: f64 = 1.0 - BEATS_IN_DOUBT / BEATS_A_LEASE as f64;

impl Rules {
    /// For how long the database may be away from the sweeper before the leases of all workers begin anew. A beat is at
    /// worst one heartbeat old when the database goes, and the next one comes up to one after it is back, or a little
    /// later; what is left of a lease may be spent in between.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.lease_timeout
            .saturating_sub(self.heartbeat.mul_f64(BEATS_IN_DOUBT))
    }
}

/// For how long stories are kept once they have ended; none is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepFor {
    /// Those that were told.
    pub succeeded: Option<Duration>,
    /// Those that failed.
    pub failed: Option<Duration>,
    /// Those that nobody wanted any more.
    pub cancelled: Option<Duration>,
    /// Those whose deadline passed.
    pub expired: Option<Duration>,
}

impl Default for KeepFor {
    /// A year for what somebody wanted; what there is no story in, for as long as somebody may ask why.
    fn default() -> Self {
        let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
        KeepFor {
            succeeded: days(365),
            failed: days(30),
            cancelled: days(7),
            expired: days(7),
        }
    }
}

impl KeepFor {
    /// For how long stories that ended so are kept.
    pub(crate) fn of(&self, state: State) -> Option<Duration> {
        match state {
            State::Succeeded => self.succeeded,
            State::Failed => self.failed,
            State::Cancelled => self.cancelled,
            State::Expired => self.expired,
            State::Queued | State::Running => None,
        }
    }
}
