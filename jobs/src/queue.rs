//! How workers come by jobs, behind one seam: the jobs table itself, or RabbitMQ.
//! The API rings after a submit, the worker claims and settles. What must stay true: a claimed job is running
//! under a lease that nobody else holds, and a queue that loses a message loses no job.

mod postgres;
mod rabbitmq;

use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use postgres::PostgresQueue;
pub use rabbitmq::{QueueOptions, RabbitQueue, RabbitSettings};

use crate::error::Result;
use crate::job::Job;
use crate::store::Lease;

/// A job that this worker now holds.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The job, already running.
    pub job: Job,
    /// Goes with every later word about it.
    pub lease: Lease,
    /// It must not share a batch: the last worker that held it died.
    pub alone: bool,
}

/// A doorbell for workers.
pub trait Queue: Send + Sync {
    /// Says that these jobs are waiting. Jobs that nobody rings for are found by the sweeper, later.
    fn ring<'a>(&'a self, jobs: &'a [Uuid]) -> BoxFuture<'a, Result<()>>;

    /// Takes up to `max` jobs that are due, the highest priority and the longest waiting first. Waits up to
    /// `patience` for the first one, and answers with none if there is none. Let it end: jobs taken by a claim that
    /// is dropped half-way come back only when their lease has timed out.
    fn claim<'a>(
        &'a self,
        worker: &'a str,
        max: usize,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>>>;

    /// Says that the outcome of a claimed job is written, whatever it was; after `Store::finish`, never before.
    fn settle(&self, lease: Lease) -> BoxFuture<'_, Result<()>>;

    /// Whether jobs can be taken now.
    fn ping(&self) -> BoxFuture<'_, Result<()>>;
}
