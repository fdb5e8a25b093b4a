//! So many a minute: a bucket that holds a minute's worth and fills steadily.
//! `known.rs` keeps one for each key and kind. What must stay true: over any minute no more than twice the limit pass, over a
//! long time no more than the limit, and who waits as long as he is told has one.

use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// What is left of a minute's worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    level: f64,
    at: Option<Instant>,
}

impl Pace {
    pub(super) fn new(most: u32) -> Self {
        Pace {
            level: f64::from(most),
            at: None,
        }
    }

    /// Takes one; or in how many seconds there is one.
    pub(super) fn take(&mut self, most: u32, now: Instant) -> Result<(), u64> {
        self.level = self.level_at(most, now);
        self.at = Some(now);
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        let a_second = f64::from(most) / MINUTE.as_secs_f64();
        Err(((1.0 - self.level) / a_second).ceil().max(1.0) as u64)
    }

    /// In how many seconds there is one, if there is none now.
    pub(super) fn wait(&self, most: u32, now: Instant) -> Option<u64> {
        let mut next = *self;
        next.take(most, now).err()
    }

    pub(super) fn left(&self, most: u32, now: Instant) -> u32 {
        self.level_at(most, now) as u32
    }

    fn level_at(&self, most: u32, now: Instant) -> f64 {
        let passed = self.at.map_or(Duration::ZERO, |at| now.duration_since(at));
        let filled = passed.as_secs_f64() * f64::from(most) / MINUTE.as_secs_f64();
        // the limit may have been lowered meanwhile
        (self.level + filled).min(f64::from(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_as_many_as_come_in() {
        let (mut pace, start) = (Pace::new(6), Instant::now());
        for left in (0..6).rev() {
            assert_eq!(pace.take(6, start), Ok(()));
            assert_eq!(pace.left(6, start), left);
        }
        assert_eq!(pace.take(6, start), Err(10));
        let later = start + Duration::from_secs(10);
        assert_eq!(pace.take(6, later), Ok(()));
        assert_eq!(pace.take(6, later), Err(10));
        let tomorrow = start + Duration::from_secs(86_400);
        assert_eq!(pace.left(6, tomorrow), 6);
        assert_eq!(pace.left(2, tomorrow), 2, "the limit was lowered");
    }
}
