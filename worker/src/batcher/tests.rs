//! The batcher's rules, one by one and then all of them on thousands of made-up arrivals.
//! What must stay true: the clock is made up as well, so nothing here waits or fails on a busy machine.
#![allow(clippy::unwrap_used)]

use super::*;

const MS: Duration = Duration::from_millis(1);

fn limits() -> Limits {
    Limits {
        items: 4,
        rows: 100,
        longest: Duration::from_secs(60),
        linger: 10 * MS,
        longest_wait: 25 * MS,
    }
}

fn cost(rows: u64) -> Terms {
    let load = Load { rows, tokens: 100 };
    Terms { load, alone: false }
}

fn alone() -> Terms {
    Terms {
        alone: true,
        ..cost(1)
    }
}

fn filled(items: &[Terms], now: Instant) -> Batcher<usize> {
    let mut batcher = Batcher::new(limits());
    for (item, &terms) in items.iter().enumerate() {
        batcher.push(item, terms, now);
    }
    batcher
}

#[test]
fn a_full_batch_waits_for_nobody() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(1); 5], now);
    let batch = batcher.take(now).unwrap();
    assert_eq!(
        (batch.items, batch.closed),
        (vec![0, 1, 2, 3], Closed::Full)
    );
    assert_eq!(batcher.len(), 1);
    assert!(batcher.take(now).is_none());
}

#[test]
fn a_batch_is_closed_before_the_item_that_would_break_its_budget() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(60), cost(40), cost(1)], now);
    let batch = batcher.take(now).unwrap();
    assert_eq!((batch.items, batch.closed), (vec![0, 1], Closed::Budget));
}

#[test]
fn an_item_over_the_whole_budget_is_still_told() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(500), cost(1)], now);
    assert_eq!(batcher.take(now).unwrap().items, [0]);
}

#[test]
fn a_free_engine_lingers_and_then_takes_what_there_is() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(1)], now);
    assert_eq!(batcher.wake_at(), Some(now + 10 * MS));
    assert!(batcher.take(now + 9 * MS).is_none());
    let batch = batcher.take(now + 10 * MS).unwrap();
    assert_eq!((batch.items, batch.closed), (vec![0], Closed::Idle));
    assert_eq!(batcher.wake_at(), None);
}

#[test]
fn items_that_trickle_in_do_not_keep_the_first_one_waiting() {
    let now = Instant::now();
    let mut batcher = Batcher::new(limits());
    for n in 0..3u32 {
        batcher.push(n, cost(1), now + 9 * n * MS);
    }
    assert!(batcher.take(now + 24 * MS).is_none());
    assert_eq!(batcher.wake_at(), Some(now + 25 * MS));
    assert_eq!(
        batcher.take(now + 25 * MS).unwrap().closed,
        Closed::Deadline
    );
}

#[test]
fn a_free_engine_waits_longer_for_items_that_are_known_to_come() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(1)], now);
    batcher.expect(1);
    assert_eq!(batcher.wake_at(), Some(now + 25 * MS));
    assert!(batcher.take(now + 24 * MS).is_none());
    batcher.expect(0);
    assert_eq!(batcher.take(now + 24 * MS).unwrap().closed, Closed::Idle);
}

#[test]
fn a_drained_batcher_waits_for_nothing() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(1), cost(1)], now);
    batcher.drain();
    let batch = batcher.take(now).unwrap();
    assert_eq!((batch.items, batch.closed), (vec![0, 1], Closed::Drain));
}

#[test]
fn an_item_that_must_be_alone_is_alone() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(1), alone(), cost(1)], now);
    batcher.drain();
    assert_eq!(batcher.take(now).unwrap().items, [0, 2]);
    let batch = batcher.take(now).unwrap();
    assert_eq!((batch.items, batch.closed), (vec![1], Closed::Alone));
}

#[test]
fn items_that_are_not_wanted_leave_without_a_batch() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(1); 3], now);
    assert_eq!(batcher.remove_unless(|&item| item != 1), [1]);
    batcher.drain();
    assert_eq!(batcher.take(now).unwrap().items, [0, 2]);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn whatever_arrives_every_item_leaves_once_and_no_batch_is_over_its_limits() {
    for seed in 1..200 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut now = Instant::now();
        let mut batcher = Batcher::new(limits());
        let mut all: Vec<(Terms, Instant)> = Vec::new();
        let mut left: Vec<usize> = Vec::new();
        for _ in 0..100 {
            now += MS * u32::try_from(dice.below(20)).unwrap();
            for _ in 0..dice.below(4) {
                let terms = Terms {
                    alone: dice.below(10) == 0,
                    ..cost(dice.below(130))
                };
                batcher.push(all.len(), terms, now);
                all.push((terms, now));
            }
            while let Some(batch) = batcher.take(now) {
                check(&batch, &all);
                left.extend(batch.items);
            }
            let oldest = (0..all.len()).find(|item| !left.contains(item));
            assert!(oldest.is_none_or(|item| now < all[item].1 + limits().longest_wait));
        }
        batcher.drain();
        while let Some(batch) = batcher.take(now) {
            check(&batch, &all);
            left.extend(batch.items);
        }
        left.sort_unstable();
        assert_eq!(left, (0..all.len()).collect::<Vec<_>>(), "seed {seed}");
    }
}

fn check(batch: &Batch<usize>, all: &[(Terms, Instant)]) {
    let items = &batch.items;
    assert!(!items.is_empty() && items.len() <= limits().items);
    assert!(items.is_sorted(), "{items:?}");
    if items.len() > 1 {
        let total: u64 = items.iter().map(|&item| all[item].0.load.rows).sum();
        assert!(total <= limits().rows, "{total}");
        assert!(items.iter().all(|&item| !all[item].0.alone));
    }
}

#[test]
fn one_at_a_time_joins_an_engine_at_work_and_none_passes_one_that_must_be_alone() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(40), cost(40), alone(), cost(1)], now);
    let mut running = cost(20).load;
    for item in 0..2 {
        let batch = batcher.join(running).unwrap();
        assert_eq!((batch.items, batch.closed), (vec![item], Closed::Joins));
        running += cost(40).load;
    }
    assert!(batcher.join(running).is_none());
    assert_eq!(batcher.len(), 2);
}

#[test]
fn none_joins_that_is_too_much_beside_those_at_work_and_none_passes_it() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(60), cost(1)], now);
    assert!(batcher.join(cost(41).load).is_none());
    assert_eq!(batcher.join(cost(40).load).unwrap().items, [0]);
}

#[test]
fn a_batch_ends_before_the_item_that_would_make_it_take_too_long() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(1); 4], now);
    // 25 seconds an item, and a minute is what there is
    for _ in 0..5 {
        batcher.took(cost(1).load, Duration::from_secs(25));
    }
    let batch = batcher.take(now).unwrap();
    assert_eq!((batch.items, batch.closed), (vec![0, 1], Closed::Budget));
    // one that takes longer alone is told all the same
    batcher.took(cost(1).load, Duration::from_secs(25_000));
    assert_eq!(batcher.take(now).unwrap().items, [2]);
}

#[test]
fn a_device_that_had_no_memory_gets_half_as_many_rows_from_then_on() {
    let now = Instant::now();
    let mut batcher = filled(&[cost(25); 4], now);
    let all = cost(100).load;
    assert_eq!(batcher.was_too_much(all), Some(50));
    assert_eq!(batcher.was_too_much(all), None);
    let batch = batcher.take(now).unwrap();
    assert_eq!((batch.items, batch.closed), (vec![0, 1], Closed::Budget));
    assert!(batcher.join(cost(26).load).is_none());
    assert_eq!(batcher.join(cost(25).load).unwrap().items, [2]);
}
