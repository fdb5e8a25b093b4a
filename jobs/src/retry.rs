//! How long a job waits before its next attempt.
//! `store` asks when an attempt has failed. What must stay true: the wait grows with every attempt, never beyond
//! its ceiling, and two jobs that failed together do not come back together.

use std::time::Duration;

/// Waits that grow by a factor from attempt to attempt, with jitter.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// The wait after the first failed attempt.
    pub first: Duration,
    /// By how much each wait is longer than the one before.
    pub factor: u32,
    /// The longest wait.
    pub ceiling: Duration,
    /// The share of the wait, 0–1, by which it varies to both sides.
    pub jitter: f64,
}

impl Default for Backoff {
    /// 1 s, 4 s, 16 s …: short enough for a person who waits, long enough for a restart.
    fn default() -> Self {
        Backoff {
            first: Duration::from_secs(1),
            factor: 4,
            ceiling: Duration::from_secs(600),
            jitter: 0.2,
        }
    }
}

impl Backoff {
    /// No wait at all.
    pub const NONE: Backoff = Backoff {
        first: Duration::ZERO,
        factor: 1,
        ceiling: Duration::ZERO,
        jitter: 0.0,
    };

    /// The wait after `attempts` failed attempts; `chance` in 0–1 picks the place within the jitter.
    pub fn wait(&self, attempts: u32, chance: f64) -> Duration {
        let grown = self.factor.saturating_pow(attempts.saturating_sub(1));
        let wait = self.first.saturating_mul(grown).min(self.ceiling);
        wait.mul_f64((1.0 + self.jitter * (2.0 * chance - 1.0)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_fourfold_and_end_at_the_ceiling() {
        let backoff = Backoff::default();
        let waits: Vec<u64> = [1, 2, 3, 4, 40]
            .map(|attempts| backoff.wait(attempts, 0.5).as_secs())
            .to_vec();
        assert_eq!(waits, [1, 4, 16, 64, 600]);
    }

    #[test]
    fn jitter_moves_a_wait_by_a_fifth_to_both_sides() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(1, 0.0), Duration::from_millis(800));
        assert_eq!(backoff.wait(1, 1.0), Duration::from_millis(1200));
    }
}
