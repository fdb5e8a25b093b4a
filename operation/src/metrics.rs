//! What Prometheus is told: counters and histograms of this process, and how the queue stands at the moment of asking.
//! The worker, the dispatcher and the API count into [`METRICS`]; their `/metrics` answers with [`exposition`].
//! What must stay true: a name here is a promise (the dashboard and the alerts in `ops/` use it, a test compares),
//! no label grows with the number of jobs or callers, and a scrape waits for the database no longer than it must.

use std::sync::LazyLock;
use std::time::Duration;

use jobs::Store;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    Registry, TextEncoder,
};

use crate::health::Health;

/// The media type of the exposition.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Prometheus gives up after ten seconds; a process whose database hangs still tells the rest.
const PATIENCE: Duration = Duration::from_secs(2);
/// From a page's answer to a story on a slow machine.
const SECONDS: [f64; 12] = [
    0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// The instruments of this process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// All instruments. Whatever is measured per process is counted where it happens.
pub struct Metrics {
    registry: Registry,
    names: Vec<String>,
    /// Attempts that this worker began, one for each claim.
    pub attempts: IntCounter,
    /// How attempts ended, by `outcome`: succeeded, failed, retry, returned, stale.
    pub outcomes: IntCounterVec,
    /// Batches by why they were `closed`.
    pub batches: IntCounterVec,
    /// Stories in a batch.
    pub batch_stories: Histogram,
    /// Pictures of stories by how they were `seen`: looked at by the networks, or known from before.
    pub pictures: IntCounterVec,
    /// Time that a batch spent in each `stage`.
    pub stage_seconds: HistogramVec,
    /// From the claim of a job to its written outcome.
    pub attempt_seconds: Histogram,
    /// Attempts to deliver a webhook by `verdict`: delivered, again, failed, gone.
    pub webhook_attempts: IntCounterVec,
    /// Requests by `method`, `route` and `status`. A route is the pattern of an address, never what somebody asked for.
    pub requests: IntCounterVec,
    /// How long answers took by `route`; long polls are among them.
    pub request_seconds: HistogramVec,
    /// Jobs that were accepted.
    pub accepted: IntCounter,
    /// The same by `cache`: miss, hit, coalesced.
    pub answered: IntCounterVec,
    /// Jobs left out of lists because this version cannot read them.
    pub unreadable: IntCounter,
    /// Pictures without a job at the last look.
    pub orphans: Gauge,
    /// Stories forgotten because their time was over, by the `state` in which they had ended.
    pub forgotten: IntCounterVec,
    queue_jobs: GaugeVec,
    queue_work_seconds: Gauge,
    ready: Gauge,
    not_ready: GaugeVec,
}

/// Makes instruments and remembers their names.
struct Maker {
    registry: Registry,
    names: Vec<String>,
}

impl Maker {
    fn keep<C: Collector + Clone + 'static>(&mut self, made: prometheus::Result<C>) -> C {
        let made = made.expect("the names and labels below are well formed");
        let names = made.desc().into_iter().map(|desc| desc.fq_name.clone());
        self.names.extend(names);
        self.registry
            .register(Box::new(made.clone()))
            .expect("every name below is there once");
        made
    }

    fn counter(&mut self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(name, help))
    }

    /// With every value its label can have, so that rates begin at zero.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        known: &[&str],
    ) -> IntCounterVec {
        let counters = self.keep(IntCounterVec::new(Opts::new(name, help), labels));
        for value in known {
            counters.with_label_values(&[value]).inc_by(0);
        }
        counters
    }

    fn histogram(&mut self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.keep(Histogram::with_opts(options))
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str) -> GaugeVec {
        self.keep(GaugeVec::new(Opts::new(name, help), &[label]))
    }
}

/// What HTTP requests are counted and timed by.
fn of_requests(make: &mut Maker) -> (IntCounterVec, HistogramVec) {
    let requests = make.counters(
        "storyteller_requests_total",
        "HTTP requests answered",
        &["method", "route", "status"],
        &[],
    );
    let seconds = HistogramOpts::new(
        "storyteller_request_seconds",
        "How long answers took, long polls among them",
    );
    let seconds = make.keep(HistogramVec::new(
        seconds.buckets(SECONDS.to_vec()),
        &["route"],
    ));
    (requests, seconds)
}

/// What attempts are timed by.
fn of_attempts(make: &mut Maker) -> (HistogramVec, Histogram) {
    let stages = HistogramOpts::new("storyteller_stage_seconds", "Time of a batch in a stage")
        .buckets(SECONDS.to_vec());
    let stages = make.keep(HistogramVec::new(stages, &["stage"]));
    let attempts = make.histogram(
        "storyteller_attempt_seconds",
        "From a claim to its written outcome",
        &SECONDS,
    );
    (stages, attempts)
}

/// What batches are counted and measured by.
fn of_batches(make: &mut Maker) -> (IntCounterVec, Histogram) {
    let batches = make.counters(
        "storyteller_batches_total",
        "Batches by why they closed",
        &["closed"],
        &["full", "budget", "idle", "deadline", "drain", "alone"],
    );
    let stories = make.histogram(
        "storyteller_batch_stories",
        "Stories in a batch",
        &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
    );
    (batches, stories)
}

/// What submits are counted by.
fn of_submits(make: &mut Maker) -> (IntCounter, IntCounterVec) {
    let accepted = make.counter("storyteller_accepted_total", "Jobs accepted");
    let answered = make.counters(
        "storyteller_answered_total",
        "Stories accepted, by whether they had to be told",
        &["cache"],
        &["miss", "hit", "coalesced"],
    );
    (accepted, answered)
}

impl Metrics {
    fn new() -> Self {
        let mut make = Maker {
            registry: Registry::new(),
            names: Vec::new(),
        };
        let (requests, request_seconds) = of_requests(&mut make);
        let (stage_seconds, attempt_seconds) = of_attempts(&mut make);
        let (accepted, answered) = of_submits(&mut make);
        let (batches, batch_stories) = of_batches(&mut make);
        Metrics {
            attempts: make.counter("storyteller_attempts_total", "Attempts begun"),
            outcomes: make.counters(
                "storyteller_outcomes_total",
                "Attempts by how they ended",
                &["outcome"],
                &["succeeded", "failed", "retry", "returned", "stale"],
            ),
            batches,
            batch_stories,
            pictures: make.counters(
                "storyteller_pictures_total",
                "Pictures of stories, by whether networks had to look at them",
                &["seen"],
                &["looked", "known"],
            ),
            stage_seconds,
            attempt_seconds,
            webhook_attempts: make.counters(
                "storyteller_webhook_attempts_total",
                "Webhooks by verdict",
                &["verdict"],
                &["delivered", "again", "failed", "gone"],
            ),
            requests,
            request_seconds,
            accepted,
            answered,
            unreadable: make.counter("storyteller_unreadable_total", "Rows left out of lists"),
            forgotten: make.counters(
                "storyteller_forgotten_total",
                "Stories whose time was over",
                &["state"],
                &["succeeded", "failed", "cancelled", "expired"],
            ),
            orphans: make.keep(Gauge::new(
                "storyteller_orphans",
                "Pictures without a job at the last look",
            )),
            queue_jobs: make.gauges("storyteller_queue_jobs", "Jobs that wait or run", "state"),
            queue_work_seconds: make.keep(Gauge::new(
                "storyteller_queue_work_seconds",
                "How long all workers together need for what waits, at their latest pace",
            )),
            ready: make.keep(Gauge::new("storyteller_ready", "1 if all parts can work")),
            not_ready: make.gauges("storyteller_not_ready", "Parts that cannot work", "part"),
            registry: make.registry,
            names: make.names,
        }
    }

    /// The names of everything that is measured; a histogram's series end in `_bucket`, `_sum` and `_count`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How the queue stands; what the database does not tell in time is not a number.
    async fn look_at_queue(&self, store: &Store) {
        let asked = async { tokio::try_join!(store.depth(), store.pace()) };
        let (queued, running, work) = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok((depth, pace))) => {
                let queued = depth.queued as f64;
                let work = match pace {
                    _ if depth.queued == 0 => 0.0,
                    Some(pace) => queued * pace.as_secs_f64(),
                    None => f64::NAN,
                };
                (queued, depth.running as f64, work)
            }
            Ok(Err(_)) | Err(_) => (f64::NAN, f64::NAN, f64::NAN),
        };
        self.queue_jobs.with_label_values(&["queued"]).set(queued);
        self.queue_jobs.with_label_values(&["running"]).set(running);
        self.queue_work_seconds.set(work);
    }

    fn look_at_health(&self, health: &Health) {
        let reasons = health.reasons();
        self.ready.set(if reasons.is_empty() { 1.0 } else { 0.0 });
        self.not_ready.reset();
        for part in reasons.keys() {
            self.not_ready.with_label_values(&[part]).set(1.0);
        }
    }
}

/// Everything there is to tell, in the text format of Prometheus.
///
/// # Errors
/// If an instrument cannot be written as text, which is a bug.
pub async fn exposition(store: &Store, health: &Health) -> prometheus::Result<String> {
    METRICS.look_at_queue(store).await;
    METRICS.look_at_health(health);
    TextEncoder::new().encode_to_string(&METRICS.registry.gather())
}
