//! When a delivery is tried again: at once, after seconds for a hiccup, after minutes for a restart, then for three
//! days, so that a receiver that was down over a weekend still hears everything.
//! What must stay true: nobody is asked earlier than he asked to be, nor kept waiting longer than a day for it.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The waits before each attempt but the first, in seconds: the example schedule of Standard Webhooks.
const WAITS: [u64; 9] = [
    5,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];
/// How often a delivery is tried.
pub const ATTEMPTS: u32 = WAITS.len() as u32 + 1;
/// The share of a wait by which it varies to both sides: receivers that failed together are not asked together.
const JITTER: f64 = 0.1;
/// Whoever asks for more has to be content with this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * HOUR);

/// The wait after so many failed attempts, at least as long as the receiver asked for; none if that was the last one.
/// `chance` in 0–1 picks the place within the jitter.
#[must_use]
pub fn wait_after(attempts: u32, retry_after: Option<Duration>, chance: f64) -> Option<Duration> {
    let next = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let wait = Duration::from_secs(*WAITS.get(next)?);
    let wait = wait.mul_f64(1.0 + JITTER * (2.0 * chance - 1.0));
    Some(
        retry_after
            .unwrap_or_default()
            .min(LONGEST_RETRY_AFTER)
            .max(wait),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_are_spread_over_three_days() {
        let waits: Vec<_> = (1..=ATTEMPTS)
            .map(|tried| wait_after(tried, None, 0.5))
            .collect();
        let seconds: Vec<_> = waits.iter().flatten().map(Duration::as_secs).collect();
        assert_eq!(
            seconds,
            [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
        );
        assert_eq!(waits.last(), Some(&None));
    }

    #[test]
    fn jitter_moves_a_wait_by_a_tenth() {
        assert_eq!(wait_after(2, None, 0.0), Some(Duration::from_secs(270)));
        assert_eq!(wait_after(2, None, 1.0), Some(Duration::from_secs(330)));
    }

    #[test]
    fn a_receiver_that_asks_for_time_is_given_a_day_at_most() {
        let asked = |seconds| {
            wait_after(1, Some(Duration::from_secs(seconds)), 0.5).map(|wait| wait.as_secs())
        };
        assert_eq!(
            [asked(0), asked(60), asked(u64::MAX)],
            [Some(5), Some(60), Some(86_400)]
        );
    }
}
