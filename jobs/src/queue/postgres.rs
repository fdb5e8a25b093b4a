//! The jobs table as a queue: rows are taken with `for update skip locked`, and NOTIFY wakes those who wait.
//! What must stay true: a lost notification costs a moment, never a job, because everybody also looks by himself.

use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::time::Instant;
use uuid::Uuid;

use super::Queue;
use crate::claim::Claimed;
use crate::error::Result;
use crate::store::Store;

/// How long a waiting claim trusts notifications. Retries that become due send none, so this is also their delay.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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

    async fn claim_within(
        &self,
        worker: &str,
        max: usize,
        patience: Duration,
    ) -> Result<Vec<Claimed>> {
        let end = Instant::now() + patience;
        // subscribed before the first look: a job that comes in between is not slept over
        let mut due = self.store.due();
        loop {
            let claimed = self.store.claim(worker, max).await?;
            let now = Instant::now();
            if !claimed.is_empty() || now >= end {
                return Ok(claimed);
            }
            // whether there was a notification, or the time is over, or nobody listens any more: look again
            let _ = tokio::time::timeout_at(end.min(now + LOOK_EVERY), due.changed()).await;
        }
    }
}

impl Queue for PostgresQueue {
    /// Nothing to do: the transaction that made the job due has notified.
    fn publish<'a>(&'a self, _jobs: &'a [Uuid]) -> BoxFuture<'a, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn claim<'a>(
        &'a self,
        worker: &'a str,
        max: usize,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>>> {
        self.claim_within(worker, max, patience).boxed()
    }
}
