//! Forms batches: items and a clock in, a batch out. No threads, no sleeping, so every rule is tested as arithmetic.
//! Batching pushes whatever intake has prepared, also while the engine is busy, and takes a batch when it is free.
//! What must stay true: items leave in the order they came but for those that must be alone, no batch is over its
//! limits unless it is a single item, and an item is never kept longer than `longest_wait` from a free engine.

mod cost;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub use cost::Load;
use cost::{Budget, CostModel};

/// Rows that one story at the default beam width adds to the decoder's products.
const DEFAULT_ROWS: u64 = 50;

/// When a batch is closed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Items of a batch.
    pub items: usize,
    /// Rows of a batch: beam widths, that is rows of the decoder's products. Less where the device has no memory for so many.
    pub rows: u64,
    /// No batch is to take longer than this, as far as can be foretold, but for a single item.
    pub longest: Duration,
    /// A free engine waits this long for one more item if none is known to come.
    pub linger: Duration,
    /// A free engine waits no longer than this after the first item.
    pub longest_wait: Duration,
}

impl Limits {
    /// Limits for batches of up to `items` stories. Submits of one burst are some milliseconds apart and large pictures
    /// take some hundred to decode, but a story takes seconds: both are worth waiting for.
    pub fn of(items: usize) -> Self {
        let items = items.max(1);
        Limits {
            items,
            rows: DEFAULT_ROWS * items as u64,
            longest: Duration::from_secs(60),
            linger: Duration::from_millis(10),
            longest_wait: Duration::from_millis(300),
        }
    }
}

/// Why a batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// It has as many items as it may.
    Full,
    /// One more item would be too much work at once: more than fits the memory, or than is told in time.
    Budget,
    /// No further item came.
    Idle,
    /// The first item has waited long enough.
    Deadline,
    /// Nothing will come any more.
    Drain,
    /// Its item must not share a batch.
    Alone,
    /// It is one item that joins another batch.
    Joins,
}

impl Closed {
    /// As logs and metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Closed::Full => "full",
            Closed::Budget => "budget",
            Closed::Idle => "idle",
            Closed::Deadline => "deadline",
            Closed::Drain => "drain",
            Closed::Alone => "alone",
            Closed::Joins => "joins",
        }
    }
}

/// What belongs together.
#[derive(Debug)]
pub struct Batch<T> {
    /// In the order they came.
    pub items: Vec<T>,
    /// Why it has no more items.
    pub closed: Closed,
}

/// What the batcher has to know about an item.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How much work it is.
    pub load: Load,
    /// Whether it must not share a batch.
    pub alone: bool,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    terms: Terms,
    since: Instant,
}

/// Items that wait for the engine.
#[derive(Debug)]
pub struct Batcher<T> {
    limits: Limits,
    budget: Budget,
    costs: CostModel,
    waiting: VecDeque<Waiting<T>>,
    coming: usize,
    draining: bool,
}

impl<T> Batcher<T> {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Batcher {
            budget: Budget::of(limits.rows),
            costs: CostModel::default(),
            limits,
            waiting: VecDeque::new(),
            coming: 0,
            draining: false,
        }
    }

    /// Adds an item that came at `now`.
    pub fn push(&mut self, item: T, terms: Terms, now: Instant) {
        self.waiting.push_back(Waiting {
            item,
            terms,
            since: now,
        });
    }

    /// Says how many items are known to come soon: lingering is over when there are none.
    pub fn expect(&mut self, coming: usize) {
        self.coming = coming;
    }

    /// A batch of so much work took so long.
    pub fn took(&mut self, load: Load, time: Duration) {
        self.costs.learn(load, time.as_secs_f64());
    }

    /// The device had no memory for a batch of so much work: no later one has more than half of its rows. Answers how many
    /// rows there may be, if that is news.
    pub fn was_too_much(&mut self, load: Load) -> Option<u64> {
        self.budget
            .was_too_much(load.rows)
            .then(|| self.budget.rows())
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no item waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Nothing will come any more: whatever waits is given out without waiting for more.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Takes out the items that are not wanted any more.
    pub fn remove_unless(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Vec<T> {
        let (kept, removed) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| wanted(&waiting.item));
        self.waiting = kept;
        let removed: VecDeque<Waiting<T>> = removed;
        removed.into_iter().map(|waiting| waiting.item).collect()
    }

    /// The next batch for an engine that is free at `now`, if one is closed by then.
    pub fn take(&mut self, now: Instant) -> Option<Batch<T>> {
        let (places, closed) = self.closed()?;
        let closed = match closed {
            Some(closed) => closed,
            None if self.draining => Closed::Drain,
            None => self.timed_out(now)?,
        };
        let mut items = Vec::with_capacity(places.len());
        let mut rest = VecDeque::with_capacity(self.waiting.len());
        for (place, waiting) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            if places.contains(&place) {
                items.push(waiting.item);
            } else {
                rest.push_back(waiting);
            }
        }
        self.waiting = rest;
        Some(Batch { items, closed })
    }

    /// The next item for an engine that is at work on `running` and has room for one more, unless it must be alone or is too
    /// much beside it: those behind it wait as well, so that it has its turn.
    pub fn join(&mut self, running: Load) -> Option<Batch<T>> {
        let most = self.budget.rows();
        let joins = |first: &mut Waiting<T>| {
            let both = running + first.terms.load;
            !first.terms.alone && both.rows <= most
        };
        let first = self.waiting.pop_front_if(joins)?;
        Some(Batch {
            items: vec![first.item],
            closed: Closed::Joins,
        })
    }

    /// When to ask a free engine's question again if nothing is pushed before.
    pub fn wake_at(&self) -> Option<Instant> {
        let first = self.waiting.front()?;
        let last = self.waiting.back()?;
        let deadline = first.since + self.limits.longest_wait;
        match self.coming {
            0 => Some(deadline.min(last.since + self.limits.linger)),
            _ => Some(deadline),
        }
    }

    /// The places of the items that go together next, and why no more would, whatever the time. Items that must be
    /// alone are passed over until they are the first.
    fn closed(&self) -> Option<(Vec<usize>, Option<Closed>)> {
        let first = self.waiting.front()?;
        if first.terms.alone {
            return Some((vec![0], Some(Closed::Alone)));
        }
        let mut places = Vec::new();
        let mut load = Load::default();
        for (place, waiting) in self.waiting.iter().enumerate() {
            if waiting.terms.alone {
                continue;
            }
            let more = load + waiting.terms.load;
            if !places.is_empty() && self.is_too_much(more) {
                return Some((places, Some(Closed::Budget)));
            }
            load = more;
            places.push(place);
            if places.len() >= self.limits.items {
                return Some((places, Some(Closed::Full)));
            }
        }
        Some((places, None))
    }

    /// Whether a batch has more rows than the device has memory for, or would take too long.
    fn is_too_much(&self, load: Load) -> bool {
        let seconds = self.costs.seconds(load);
        load.rows > self.budget.rows()
            || seconds.is_some_and(|seconds| seconds > self.limits.longest.as_secs_f64())
    }

    fn timed_out(&self, now: Instant) -> Option<Closed> {
        let first = self.waiting.front()?;
        let last = self.waiting.back()?;
        if self.coming == 0 && now >= last.since + self.limits.linger {
            Some(Closed::Idle)
        } else if now >= first.since + self.limits.longest_wait {
            Some(Closed::Deadline)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
