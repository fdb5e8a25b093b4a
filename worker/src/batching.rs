//! Between intake and engine: forms batches, hands them to the engine, writes down what comes of them.
//! [`crate::run`] runs it until intake has ended and everything is written. What must stay true: the engine has at
//! most one batch, with those that join it while it has a lane free; the next one is formed meanwhile, and at a stop or a
//! hang what was not begun is released.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::{Lease, Outcome};
use operation::metrics::METRICS;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::batcher::{Batch, Batcher, Closed, Load};
use crate::engine::thread::{EngineThread, Event, Item};
use crate::error::Error;
use crate::intake::Prepared;
use crate::leases::{Leased, names};
use crate::outcome;
use crate::shared::Shared;

/// A database that answers does so in milliseconds.
const MARK_WITHIN: Duration = Duration::from_secs(1);

/// What is between intake and engine at a moment.
pub(crate) struct Batching {
    shared: Arc<Shared>,
    engine: EngineThread,
    batcher: Batcher<Item>,
    /// Outcomes on their way into the store; dropped with this.
    writing: JoinSet<()>,
    /// How much work each item is that the engine has.
    running: HashMap<Lease, Load>,
    /// Whether one of them must not share a batch.
    alone: bool,
    /// How many stories the engine tells side by side.
    lanes: usize,
    open: bool,
}

impl Batching {
    /// Before an engine that has loaded.
    pub(crate) fn new(shared: Arc<Shared>, engine: EngineThread, lanes: usize) -> Self {
        Batching {
            batcher: Batcher::new(shared.config.batch.clone()),
            engine,
            writing: JoinSet::new(),
            running: HashMap::new(),
            alone: false,
            lanes: lanes.min(shared.config.batch.items),
            shared,
            open: true,
        }
    }

    /// Works until intake has closed `prepared` and every job that came through it has its outcome written.
    ///
    /// # Errors
    /// When the engine's thread is gone.
    pub(crate) async fn run(
        mut self,
        mut prepared: mpsc::Receiver<Prepared>,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let mut hung = self.shared.hung.subscribe();
        let mut coming = self.shared.coming.subscribe();
        let mut stopping = false;
        loop {
            self.clear(stopping);
            self.batcher.expect(*coming.borrow_and_update());
            self.feed().await?;
            if !self.open
                && self.running.is_empty()
                && self.batcher.is_empty()
                && self.writing.is_empty()
            {
                self.engine.end(self.shared.config.stop_within).await;
                return Ok(());
            }
            let wake = self.batcher.wake_at().filter(|_| self.running.is_empty());
            let until = wake.unwrap_or_else(Instant::now);
            tokio::select! {
                next = prepared.recv(), if self.open => self.receive(next),
                event = self.engine.events.recv() => self.hear(event.ok_or(Error::EngineGone)?)?,
                Some(_) = self.writing.join_next() => {}
                () = tokio::time::sleep_until(until.into()), if wake.is_some() => {}
                () = shutdown.cancelled(), if !stopping => stopping = true,
                _ = hung.changed() => {}
                _ = coming.changed() => {}
            }
        }
    }

    fn receive(&mut self, next: Option<Prepared>) {
        match next {
            Some((item, terms)) => {
                self.batcher.push(item, terms, Instant::now());
                self.shared.has_come();
            }
            None => {
                self.open = false;
                self.batcher.drain();
            }
        }
    }

    /// Takes out what nobody wants any more, and at a stop or a hang everything that was not begun.
    fn clear(&mut self, stopping: bool) {
        for item in self.batcher.remove_unless(|item| !item.leased.is_lost()) {
            self.write(item.leased, None);
        }
        if stopping || self.shared.is_hung() {
            for item in self.batcher.remove_unless(|_| false) {
                self.write(item.leased, Some(Outcome::Released));
            }
        }
    }

    /// What the engine gets next: a batch if it is free, one story if it has a lane for one more.
    fn due(&mut self) -> Option<Batch<Item>> {
        if self.running.is_empty() {
            let batch = self.batcher.take(Instant::now())?;
            self.alone = batch.closed == Closed::Alone;
            return Some(batch);
        }
        let joins = self.running.len() < self.lanes && !self.alone;
        let load = || self.running.values().copied().sum();
        joins.then(|| self.batcher.join(load()))?
    }

    /// Gives the engine what it has room for.
    async fn feed(&mut self) -> Result<(), Error> {
        while let Some(batch) = self.due() {
            let stories = batch.items.len();
            let jobs = names(batch.items.iter().map(|item| item.leased.lease));
            tracing::info!(
                jobs,
                stories,
                closed = batch.closed.name(),
                "the engine gets stories"
            );
            METRICS
                .batches
                .with_label_values(&[batch.closed.name()])
                .inc();
            if batch.closed != Closed::Joins {
                METRICS.batch_stories.observe(stories as f64);
            }
            self.mark_begun(&batch.items).await;
            let loads = batch.items.iter();
            self.running
                .extend(loads.map(|item| (item.leased.lease, item.task.load())));
            self.engine
                .batches
                .send(batch.items)
                .map_err(|_| Error::EngineGone)?;
        }
        Ok(())
    }

    /// Before the engine gets them, so that a job that kills its worker at once is charged all the same. Where the
    /// database is away, the batch is told without the mark.
    async fn mark_begun(&self, items: &[Item]) {
        let leases: Vec<Lease> = items.iter().map(|item| item.leased.lease).collect();
        let marked = tokio::time::timeout(MARK_WITHIN, self.shared.backends.store.begin(&leases));
        match marked.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(jobs = names(leases), %error, "a batch begins unmarked");
            }
            Err(_) => {
                let jobs = names(leases);
                tracing::warn!(
                    jobs,
                    "a batch begins unmarked: the database does not answer"
                );
            }
        }
    }

    fn hear(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Finished { leased, result } => {
                self.running.remove(&leased.lease);
                let outcome = outcome::of(&leased, result);
                self.write(leased, outcome);
            }
            Event::Measured { load, time } => self.batcher.took(load, time),
            Event::TooMuch { load } => {
                if let Some(rows) = self.batcher.was_too_much(load) {
                    tracing::warn!(
                        rows,
                        "the device had no memory for a batch: from now on none has more rows than this"
                    );
                }
            }
            // said once, before there was anything to do
            Event::Loaded { .. } => {}
            Event::Broken(reason) => return Err(Error::Engine(reason)),
        }
        Ok(())
    }

    fn write(&mut self, leased: Arc<Leased>, outcome: Option<Outcome>) {
        let shared = self.shared.clone();
        let span = leased.span.clone();
        let writing = async move { outcome::write(&shared, leased, outcome).await };
        self.writing.spawn(writing.instrument(span));
    }
}
