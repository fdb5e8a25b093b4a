//! The rules by which jobs live, with the defaults that the whole project uses.
//! Whoever opens a [`crate::Store`] passes them in. What must stay true: all services on one database use the
//! same rules, and heartbeats come several times as often as leases end.

use std::time::Duration;

use crate::retry::Backoff;

/// How often jobs are tried, when a worker counts as dead, and how many jobs may wait.
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
            connections: 10,
        }
    }
}

impl Rules {
    /// For how long the database may be away from the sweeper before the leases of all workers begin anew. A beat is at
    /// worst one heartbeat old when the database goes, and the next one comes up to one after it is back, or a little
    /// later; what is left of a lease may be spent in between.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.lease_timeout
            .saturating_sub(self.heartbeat.mul_f64(2.5))
    }
}
