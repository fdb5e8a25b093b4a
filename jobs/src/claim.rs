//! What a worker holds while it works on a job: the job, the right to speak about it, and its place at the queue.
//! The store makes claims, the queues hand them out, the worker ends them. What must stay true: a claim that has ended,
//! however it ended, takes up no place at the queue.

use std::fmt;

use uuid::Uuid;

use crate::job::Job;

/// The right to speak about a running job: claims count up, so an old one is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: Uuid,
    /// Which claim of it.
    pub number: i64,
}

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
