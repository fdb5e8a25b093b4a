//! The sweeper: jobs of workers that died wait again, deadlines are kept, old idempotency keys are forgotten.
//! [`crate::run`] runs it beside everything else, in every worker. What must stay true: a step that is slow or fails holds
//! up nothing but the next step; that only one process takes a step at a time is the store's business.

use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;

/// Sweeps until `done`.
pub(crate) async fn run(shared: &Shared, done: CancellationToken) {
    let rules = shared.backends.store.rules();
    let mut sweeps = patient(rules.sweep_every);
    let mut forgets = patient(rules.forget_every);
    let steps = async {
        loop {
            tokio::select! {
                _ = sweeps.tick() => sweep(shared).await,
                _ = forgets.tick() => forget(shared).await,
            }
        }
    };
    tokio::select! {
        () = done.cancelled() => {}
        () = steps => {}
    }
}

/// After a slow step the next one is a whole period away: the database has enough to do.
fn patient(period: std::time::Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn sweep(shared: &Shared) {
    let swept = match shared.backends.store.sweep().await {
        Ok(swept) => swept,
        Err(error) => {
            return tracing::warn!(%error, "could not look for jobs that were left behind");
        }
    };
    if swept.requeued.is_empty() {
        return;
    }
    if let Err(error) = shared.backends.queue.publish(&swept.requeued).await {
        tracing::warn!(%error, "could not publish jobs that were left behind");
    }
}

async fn forget(shared: &Shared) {
    if let Err(error) = shared.backends.store.forget_keys().await {
        tracing::warn!(%error, "could not forget old idempotency keys");
    }
}
