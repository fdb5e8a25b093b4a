//! The jobs table as a queue: rows are taken with `for update skip locked`, and NOTIFY wakes those who wait.
//! What must stay true: a lost notification costs a moment, never a job, because everybody also looks by himself.

use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Claimed, Queue};
use crate::error::Result;
use crate::store::{Lease, Store};

/// The queue for which Postgres is enough.
#[derive(Clone, Debug)]
pub struct PostgresQueue {
    store: Store,
}

impl PostgresQueue {
    /// The queue that the store's own jobs table is.
    pub fn new(store: Store) -> Self {
        PostgresQueue { store }
    }
}

impl Queue for PostgresQueue {
    fn ring<'a>(&'a self, _jobs: &'a [Uuid]) -> BoxFuture<'a, Result<()>> {
        let _ = &self.store;
        unimplemented!()
    }

    fn claim<'a>(
        &'a self,
        _worker: &'a str,
        _max: usize,
        _patience: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>>> {
        unimplemented!()
    }

    fn settle(&self, _lease: Lease) -> BoxFuture<'_, Result<()>> {
        unimplemented!()
    }

    fn ping(&self) -> BoxFuture<'_, Result<()>> {
        unimplemented!()
    }
}
