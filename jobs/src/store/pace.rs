//! How often this process comes to sweep, as it turns out: seldom, where each answer of the database takes long.
//! The sweeper's step asks. What must stay true: a pause in which nobody was heard does not count as a pace.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As many steps are looked at: the quickest of them is the pace, since a pause makes one slow and a bad line all.
const STEPS: usize = 8;

/// The last steps.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<VecDeque<Instant>>);

impl Pace {
    /// Another step begins; the time from one to the next, once enough have been taken to know.
    pub(super) fn step(&self) -> Duration {
        self.step_at(Instant::now())
    }

    fn step_at(&self, now: Instant) -> Duration {
        // times are whole between any two calls, whoever panicked
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push_back(now);
        if begun.len() <= STEPS {
            return Duration::ZERO;
        }
        let gaps = begun.iter().zip(begun.iter().skip(1));
        let quickest = gaps.map(|(from, to)| to.duration_since(*from)).min();
        begun.pop_front();
        quickest.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_no_pace_and_a_slow_line_is() {
        let (pace, begun) = (Pace::default(), Instant::now());
        let at = |seconds: u64| pace.step_at(begun + Duration::from_secs(seconds));
        for second in 0..8 {
            assert_eq!(at(second), Duration::ZERO, "not known yet");
        }
        assert_eq!(at(8), Duration::from_secs(1));
        assert_eq!(at(60), Duration::from_secs(1), "after a pause");
        for step in 1..7 {
            at(60 + 3 * step);
        }
        assert_eq!(at(60 + 3 * 7), Duration::from_secs(3), "ever slower");
    }
}
