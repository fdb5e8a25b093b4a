//! How workers come by jobs, behind one seam: the jobs table itself, or RabbitMQ.
//! The API publishes after a submit, the worker claims. What must stay true: a claimed job is running under a lease that
//! nobody else holds, a queue that loses a message loses no job, and a claim that has ended, however it ended, takes up
//! no place at the queue: its [`Ticket`](crate::Ticket) sees to that.

mod postgres;
mod rabbitmq;

use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

pub use postgres::PostgresQueue;
pub use rabbitmq::{BrokerLook, QueueOptions, RabbitQueue, RabbitSettings};

use crate::claim::Claimed;
use crate::error::Result;

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
