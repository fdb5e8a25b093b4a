//! `make load`: what the service takes and answers, with the real `api` program, a Postgres of its own with fsync on, and
//! 32 callers on this machine; without a worker, so that nothing but the control plane is measured, then with one whose engine is
//! scripted while a crowd waits for its stories.
//!
//! Callers share the processors with what they measure: beside the rates stand the processor microseconds that one request costs
//! the API and Postgres, which hardly depend on who else is busy, and the statements that it costs the database.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on has failed"
)]

mod busy;
mod caller;
mod crowd;
mod meter;
mod place;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use jobs::{Outcome, StoryRequest, Submitted};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde::Deserialize;
use testkit::service::{new_job, story};
use uuid::Uuid;

use busy::{Busy, Waiting};
use caller::{Asking, ask_all, form, get, poll_one_of};
use meter::Meter;
use place::Place;
use report::{Report, Row};

/// Measures how much the service takes and answers.
#[derive(Parser)]
struct Options {
    /// The `api` program.
    #[arg(long)]
    api: PathBuf,
    /// Keep pictures in an S3 server of the run instead of a folder.
    #[arg(long)]
    s3: bool,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Callers at once.
    #[arg(long, default_value_t = 32)]
    callers: usize,
    /// Jobs that wait at least when polls and lists are measured.
    #[arg(long, default_value_t = 5000)]
    queue: usize,
    /// Pollers that wait at once.
    #[arg(long, default_value_t = 1000)]
    waiting: usize,
    /// The program `teller`, which tells stories while pollers and streams wait; without it that is not measured.
    #[arg(long)]
    teller: Option<PathBuf>,
    /// Event streams that are open at once while stories are told.
    #[arg(long, default_value_t = 200)]
    streams: usize,
    /// Also write the figures here, as JSON.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Print the figures as JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Who fill the queue at once: as many as the store has connections, so that commits share a sync of the disk.
const FILLERS: usize = 10;
/// Jobs that are told: enough for a mean.
const TOLD: usize = 1000;

/// What is read of a submit's answer.
#[derive(Deserialize)]
struct Accepted {
    id: Uuid,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let options = Options::parse();
    allow_many_sockets();
    let mut place = Place::open(&options.api, options.s3).await;
    let mut report = Report::default();
    let asking = Asking {
        address: place.address,
        callers: options.callers,
        time: Duration::from_secs(options.seconds),
    };

    let photo = testkit::photos::of_bytes(100_000);
    // of the same wishes one story would be told for all, and each submit would wait for the one before
    let submit = move |turn: usize| form("/v1/stories", &photo, &[("seed", &turn.to_string())]);
    let (submits, bodies) = measured(&mut place, "submit a photo of 100 KB", &asking, submit).await;
    report.rows.push(submits);
    let accepted = bodies
        .iter()
        .map(|body| serde_json::from_slice::<Accepted>(body));
    let mut ids: Vec<Uuid> = accepted.map(|one| one.unwrap().id).collect();
    fill(&place, &mut ids, options.queue.max(options.waiting + 1)).await;

    let queued = poll_one_of(&ids);
    let (row, _) = measured(&mut place, "poll one that waits", &asking, queued).await;
    report.rows.push(row);

    let (told, waiting) = ids.split_at(ids.len() - options.waiting);
    let told = &told[..told.len().min(TOLD)];
    report.rows.push(tell(&mut place, told).await);
    let ended = poll_one_of(told);
    let (row, _) = measured(&mut place, "poll one that is told", &asking, ended).await;
    report.rows.push(row);
    let page = |_| get("/v1/stories?limit=20");
    let (row, _) = measured(&mut place, "list 20", &asking, page).await;
    report.rows.push(row);

    report.crowd = Some(crowd::measured(&mut place, waiting, asking.time).await);
    place.close().await;
    if let Some(teller) = &options.teller {
        report.busy = Some(while_told(&options, teller).await);
    }
    report.finish(&options.keep, options.json);
}

/// What those who wait notice of stories that are told, in a place of their own.
async fn while_told(options: &Options, teller: &Path) -> Busy {
    let mut place = Place::open(&options.api, options.s3).await;
    let waiting = Waiting {
        pollers: options.waiting,
        streams: options.streams,
    };
    let asking = Asking {
        address: place.address,
        callers: options.callers,
        time: Duration::from_secs(options.seconds),
    };
    let busy = busy::measured(&mut place, teller, waiting, &asking).await;
    place.close().await;
    busy
}

/// Each who waits is a socket here, and one of the API's, which has the same limit.
fn allow_many_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// What some seconds of asking cost, and the answers' bodies.
async fn measured(
    place: &mut Place,
    name: &str,
    asking: &Asking,
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> (Row, Vec<Vec<u8>>) {
    let meter = Meter::start(place).await;
    let answers = ask_all(asking, request).await;
    let cost = meter.read(place, answers.times.len()).await;
    (Row::new(name, &answers, asking.time, cost), answers.bodies)
}

/// Puts jobs into the queue, past the API, until there are so many.
async fn fill(place: &Place, ids: &mut Vec<Uuid>, queue: usize) {
    let missing: Vec<usize> = (ids.len()..queue).collect();
    let fillers = missing.chunks(missing.len().div_ceil(FILLERS).max(1));
    let fillers = fillers.map(|share| {
        let (store, share) = (place.store.clone(), share.len());
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..share {
                let job = new_job(StoryRequest::default());
                ids.push(job.id);
                let taken = store.submit(job).await.unwrap();
                assert!(matches!(taken, Submitted::New(_)), "the queue has no room");
            }
            ids
        })
    });
    for filler in fillers.collect::<Vec<_>>() {
        ids.extend(filler.await.unwrap());
    }
}

/// Claims and finishes these, eight at a time, as a worker would.
async fn tell(place: &mut Place, ids: &[Uuid]) -> Row {
    let meter = Meter::start(place).await;
    let begun = std::time::Instant::now();
    for batch in ids.chunks(8) {
        let claimed = place.store.claim_these("load", batch).await.unwrap();
        for job in claimed {
            let outcome = Outcome::Succeeded(story("They never met again."));
            place.store.finish(job.lease, outcome).await.unwrap();
        }
    }
    let cost = meter.read(place, ids.len()).await;
    Row::of_jobs(
        "claim and finish a job, 8 at a time",
        ids.len(),
        begun.elapsed(),
        cost,
    )
}
