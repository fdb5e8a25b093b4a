//! How workers come by jobs, behind one seam: the jobs table itself, or RabbitMQ.
//! The API publishes after a submit, the worker claims. What must stay true: a claimed job is running under a lease that
//! nobody else holds, a queue that loses a message loses no job, and a claim that has ended, however it ended, takes up
//! no place at the queue: its [`Ticket`] sees to that.

mod postgres;
mod rabbitmq;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use postgres::PostgresQueue;
pub use rabbitmq::{BrokerLook, QueueOptions, RabbitQueue, RabbitSettings};

use crate::error::Result;
use crate::job::Job;
use crate::store::Lease;

/// A job that this worker now holds.
#[derive(Debug)]
pub struct Claimed {
    /// The job, already running.
    pub job: Job,
    /// Goes with every later word about it.
    pub lease: Lease,
    /// It must not share a batch: the last worker that held it died.
    pub alone: bool,
    /// Drop it when the outcome is written, or when there will be none.
    pub ticket: Ticket,
}

/// What a queue keeps for a claim until it ends. Dropping it tells the queue; nobody has to remember to, and it makes no
/// difference whether the job was finished, cancelled, taken away or given up with its worker. A message that is given up
/// too early costs nothing: a job that is still to be done gets another.
#[derive(Default)]
#[must_use = "dropping it tells the queue that the claim has ended"]
pub struct Ticket(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Ticket {
    /// Calls `end` once the claim has ended, on whatever thread that is.
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Ticket(Some(Box::new(end)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ticket")
    }
}

/// Where workers hear of jobs.
pub trait Queue: Send + Sync {
    /// Says that these jobs are waiting. Jobs that nobody publishes are found by the sweeper, later.
    fn publish<'a>(&'a self, jobs: &'a [Uuid]) -> BoxFuture<'a, Result<()>>;

    /// Takes up to `max` jobs that are due, the highest priority and the longest waiting first. Waits up to
    /// `patience` for the first one, and answers with none if there is none; fails if none could come. Let it end: jobs
    /// taken by a claim that is dropped half-way come back only when their lease has timed out.
    fn claim<'a>(
        &'a self,
        worker: &'a str,
        max: usize,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>>>;
}
