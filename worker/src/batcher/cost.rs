//! What a batch costs: seconds foretold from its rows and tokens, and the most rows that the device has had memory for.
//!
//! Every batch that was told is measured, and the newest count most, so the model follows the device, its neighbours and the
//! kind of stories that people ask for. What must stay true: it foretells nothing before it has seen anything, never
//! less than no time, and a device that ran out of memory is not asked for as much again.

use std::ops::AddAssign;

use jobs::StoryRequest;

/// How much a measurement counts when the next one is made.
const MEMORY: f64 = 0.95;
/// Measurements before anything is foretold.
const LEAST: u32 = 3;

/// How much work something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Rows of the products: the beam width of a story, or how many sentences it chooses from.
    pub rows: u64,
    /// The most words that are written: tokens, but for a factor that is the same for all.
    pub tokens: u64,
}

impl Load {
    /// Of a story that is asked for.
    pub(crate) fn of(request: &StoryRequest) -> Self {
        Self {
            rows: u64::from(request.beam_width),
            tokens: u64::from(request.max_words),
        }
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.tokens = self.tokens.saturating_add(other.tokens);
    }
}

impl std::ops::Add for Load {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl std::iter::Sum for Load {
    fn sum<I: Iterator<Item = Self>>(loads: I) -> Self {
        loads.fold(Self::default(), |sum, load| sum + load)
    }
}

/// Seconds as a·rows + b·tokens, by least squares over what was measured; neither a nor b is ever below zero.
#[derive(Clone, Debug, Default)]
pub(super) struct CostModel {
    seen: u32,
    /// Sums of rows², rows·tokens, tokens², rows·seconds, tokens·seconds.
    sums: [f64; 5],
}

impl CostModel {
    /// Learns from a batch that took so long.
    pub(super) fn learn(&mut self, load: Load, seconds: f64) {
        let (rows, tokens) = (load.rows as f64, load.tokens as f64);
        if !(seconds.is_finite() && seconds >= 0.0) || rows + tokens == 0.0 {
            return;
        }
        let new = [
            rows * rows,
            rows * tokens,
            tokens * tokens,
            rows * seconds,
            tokens * seconds,
        ];
        for (sum, new) in self.sums.iter_mut().zip(new) {
            *sum = *sum * MEMORY + new;
        }
        self.seen = self.seen.saturating_add(1);
    }

    /// Seconds a row and seconds a token.
    pub(super) fn factors(&self) -> Option<(f64, f64)> {
        if self.seen < LEAST {
            return None;
        }
        let [rr, rt, tt, rs, ts] = self.sums;
        let alone = |square: f64, product: f64| {
            if square > 0.0 { product / square } else { 0.0 }
        };
        let whole = rr * tt - rt * rt;
        // stories that are all alike tell rows and tokens apart by nothing: tokens then stand for both
        if whole <= 1e-6 * rr * tt {
            return Some(if tt > 0.0 {
                (0.0, alone(tt, ts))
            } else {
                (alone(rr, rs), 0.0)
            });
        }
        let (a, b) = ((rs * tt - ts * rt) / whole, (ts * rr - rs * rt) / whole);
        Some(match (a >= 0.0, b >= 0.0) {
            (true, true) => (a, b),
            (false, _) => (0.0, alone(tt, ts)),
            (true, false) => (alone(rr, rs), 0.0),
        })
    }

    /// How long a batch will take; none before enough was measured.
    pub(super) fn seconds(&self, load: Load) -> Option<f64> {
        let (a, b) = self.factors()?;
        Some(a * load.rows as f64 + b * load.tokens as f64)
    }
}

/// The most rows at once: as many as are wanted, until the device had no memory for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    rows: u64,
}

impl Budget {
    /// So many at first.
    pub(super) fn of(rows: u64) -> Self {
        Self { rows }
    }

    /// How many there may be.
    pub(super) fn rows(self) -> u64 {
        self.rows
    }

    /// The device had no memory for so many: never more than half of them from now on. Whether that changed anything.
    pub(super) fn was_too_much(&mut self, rows: u64) -> bool {
        let half = (rows / 2).max(1);
        let less = half < self.rows;
        self.rows = self.rows.min(half);
        less
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn load(rows: u64, tokens: u64) -> Load {
        Load { rows, tokens }
    }

    #[test]
    fn what_is_a_sum_of_rows_and_tokens_is_foretold_exactly() {
        let mut model = CostModel::default();
        let cost = |load: Load| 0.01 * load.rows as f64 + 0.002 * load.tokens as f64;
        for some in [load(50, 120), load(400, 960), load(8, 400), load(100, 60)] {
            model.learn(some, cost(some));
        }
        let (a, b) = model.factors().unwrap();
        assert!(
            (a - 0.01).abs() < 1e-9 && (b - 0.002).abs() < 1e-9,
            "{a} {b}"
        );
        let other = load(70, 70);
        assert!((model.seconds(other).unwrap() - cost(other)).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_foretold_of_what_nobody_saw_and_never_less_than_nothing() {
        let mut model = CostModel::default();
        assert_eq!(model.seconds(load(1, 1)), None);
        model.learn(load(50, 120), f64::NAN);
        model.learn(load(0, 0), 1.0);
        assert_eq!(model.seen, 0, "what is no measurement is not learnt from");
        // more rows took less time: rows cost nothing, as far as can be seen
        for (rows, seconds) in [(10, 4.0), (100, 3.0), (200, 2.0), (400, 1.0)] {
            model.learn(load(rows, 100), seconds);
        }
        let (a, b) = model.factors().unwrap();
        assert!(a == 0.0 && b > 0.0, "{a} {b}");
    }

    #[test]
    fn stories_that_are_all_alike_are_foretold_by_how_many_there_are() {
        let mut model = CostModel::default();
        for count in 1..6 {
            model.learn(load(50 * count, 120 * count), 2.5 * count as f64);
        }
        let eight = model.seconds(load(400, 960)).unwrap();
        assert!((eight - 20.0).abs() < 1e-6, "{eight}");
    }

    #[test]
    fn a_device_that_becomes_slower_is_believed_after_some_batches() {
        let mut model = CostModel::default();
        let some = load(50, 120);
        for _ in 0..100 {
            model.learn(some, 1.0);
        }
        for _ in 0..60 {
            model.learn(some, 5.0);
        }
        assert!(model.seconds(some).unwrap() > 4.5);
    }

    #[test]
    fn what_was_too_much_is_remembered_and_a_smaller_failure_lowers_it_further() {
        let mut budget = Budget::of(400);
        assert!(budget.was_too_much(300));
        assert_eq!(budget.rows(), 150);
        assert!(!budget.was_too_much(400), "half of that is more than now");
        assert!(budget.was_too_much(100));
        assert!(budget.was_too_much(1) && !budget.was_too_much(1));
        assert_eq!(budget.rows(), 1, "one row is always allowed");
    }
}
