//! `make scale`: what the store takes when there are many rows, with a Postgres of its own (fsync on) and the statements of the
//! service itself: claims, heartbeats of a hundred workers, polls, lists, the sweep. `docs/scaling.md` has what came of it.
//!
//! Rows are written behind the service's back, so that a million takes a minute; everything that is measured is the service's.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed, and its figures are for whoever asked"
)]

mod filling;

use std::time::{Duration, Instant};

use clap::Parser;
use embedded::EmbeddedPostgres;
use futures_util::future::join_all;
use jobs::{Beat, Claimed, Outcome, Rules, State, Store};
use testkit::service::{new_job, story};
use uuid::Uuid;

use filling::{fill, ids, size};

/// Workers that hold jobs at the same time, and how many each holds: one running batch and one prepared.
const WORKERS: usize = 100;
const HELD: usize = 16;

/// Measures the store at several numbers of rows.
#[derive(Parser)]
struct Options {
    /// Rows of ended jobs at which is measured.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    rows: Vec<u64>,
    /// Jobs that wait.
    #[arg(long, default_value_t = 10_000)]
    waiting: u64,
    /// How often each thing is asked for.
    #[arg(long, default_value_t = 200)]
    times: usize,
}

/// How long one thing took, each time.
struct Times(Vec<Duration>);

impl Times {
    async fn of(times: usize, mut once: impl AsyncFnMut(usize)) -> Times {
        let mut all = Vec::new();
        for number in 0..times {
            let begun = Instant::now();
            once(number).await;
            all.push(begun.elapsed());
        }
        all.sort_unstable();
        Times(all)
    }

    fn milliseconds(&self) -> String {
        let at = |share: f64| {
            let place = (self.0.len() as f64 * share) as usize;
            self.0[place.min(self.0.len() - 1)].as_secs_f64() * 1000.0
        };
        format!("{:.1} / {:.1}", at(0.5), at(0.99))
    }
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let data = testkit::postgres::open_folder();
    let settings = testkit::postgres::settings(data.path());
    let postgres = EmbeddedPostgres::start(settings).await.unwrap();
    let rules = Rules {
        max_queued: u32::MAX,
        connections: 20,
        ..Rules::default()
    };
    let store = Store::connect(&postgres.url(), rules).await.unwrap();
    store.migrate().await.unwrap();
    println!(
        "| rows | size | claim of 8 | finish | poll | place in the queue | list | list of failed | sweep | beats of 100 workers |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut there = 0;
    fill(&postgres.url(), options.waiting, "queued").await;
    for rows in &options.rows {
        fill(&postgres.url(), rows.saturating_sub(there), "succeeded").await;
        there = *rows;
        measure(&postgres.url(), &store, &options, *rows).await;
    }
    store.close().await;
    postgres.stop().await.unwrap();
}

/// One line of the table, each cell p50 / p99 in milliseconds.
async fn measure(url: &str, store: &Store, options: &Options, rows: u64) {
    let known = ids(url, options.times).await;
    let queued = store.list(Some(State::Queued), None, 100).await.unwrap();
    let queued: Vec<Uuid> = queued.jobs.iter().map(|job| job.id).collect();
    let (mut held, mut finished): (Vec<Claimed>, usize) = (Vec::new(), 0);
    let claim = Times::of(options.times, async |_| {
        held.extend(store.claim("worker", 8).await.unwrap());
    })
    .await;
    let finish = Times::of(options.times, async |number| {
        let outcome = Outcome::Succeeded(story("They never met again."));
        store.finish(held[number].lease, outcome).await.unwrap();
        finished += 1;
    })
    .await;
    let poll = Times::of(options.times, async |number| {
        store
            .get(known[number % known.len()])
            .await
            .unwrap()
            .unwrap();
    })
    .await;
    let place = Times::of(options.times, async |number| {
        store.position(queued[number % queued.len()]).await.unwrap();
    })
    .await;
    let list = Times::of(options.times, async |number| {
        let before = known[number % known.len()];
        store.list(None, Some(before), 100).await.unwrap();
    })
    .await;
    let failed = Times::of(options.times, async |_| {
        store.list(Some(State::Failed), None, 20).await.unwrap();
    })
    .await;
    let sweep = Times::of(options.times, async |_| drop(store.sweep().await.unwrap())).await;
    let beats = beats(store, options.times.min(50)).await;
    let cells = [claim, finish, poll, place, list, failed, sweep, beats];
    let cells: Vec<String> = cells.iter().map(Times::milliseconds).collect();
    println!("| {rows} | {} | {} |", size(url).await, cells.join(" | "));
    // the queue is as long for the next line
    for _ in 0..finished {
        store
            .submit(new_job(jobs::StoryRequest::default()))
            .await
            .unwrap();
    }
}

/// A second of a hundred workers: how long until the last of their heartbeats is written.
async fn beats(store: &Store, times: usize) -> Times {
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let claimed = store
            .claim(&format!("worker-{number}"), HELD)
            .await
            .unwrap();
        let beats = claimed.iter().map(|claimed| Beat {
            lease: claimed.lease,
            stage: None,
            said: Vec::new(),
        });
        workers.push(beats.collect::<Vec<_>>());
    }
    let all = Times::of(times, async |_| {
        let each = workers.iter().map(|beats| store.heartbeat(beats));
        for written in join_all(each).await {
            assert_eq!(written.unwrap().len(), HELD);
        }
    })
    .await;
    for beat in workers.iter().flatten() {
        store.finish(beat.lease, Outcome::Released).await.unwrap();
    }
    all
}
