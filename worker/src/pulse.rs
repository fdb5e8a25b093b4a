//! Signs of life for the jobs that are held, a watch over the engine, and the sweeper's steps.
//! [`crate::run`] runs it beside intake and line. What must stay true: a hung engine gives no signs of life, so that
//! others get its jobs; and nobody is swept by a worker that could not say itself that it lives.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::shared::{HEARTBEAT, Shared, WORKER};

/// Beats and sweeps until `done`.
pub(crate) async fn run(shared: Arc<Shared>, done: CancellationToken) {
    let rules = shared.places.store.rules().clone();
    let mut beats = interval(rules.heartbeat);
    let mut sweeps = interval(rules.sweep_every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut well = false;
    loop {
        tokio::select! {
            () = done.cancelled() => return,
            _ = beats.tick() => {
                watch(&shared);
                well = shared.is_hung() || beat(&shared).await;
            }
            // leases look late after an outage until everybody has had the time for a beat
            _ = sweeps.tick(), if well => sweep(&shared).await,
        }
    }
}

/// Looks whether the engine still moves.
fn watch(shared: &Shared) {
    let silent = shared.activity.silent_for();
    let hung = silent >= shared.config.hung_after;
    let changed = shared
        .hung
        .send_if_modified(|before| std::mem::replace(before, hung) != hung);
    if !changed {
        return;
    }
    if hung {
        let seconds = silent.as_secs_f64();
        tracing::error!(seconds, "the engine hangs; its jobs are left to others");
        shared.places.health.not_ready(
            WORKER,
            format!(
                "the engine has not moved for {seconds:.1} s: restart the worker if it stays so"
            ),
        );
    } else {
        shared.places.health.ready(WORKER);
    }
}

/// One sign of life for every job; whether it was heard.
async fn beat(shared: &Shared) -> bool {
    let beats = shared.held.beats();
    match shared.places.store.heartbeat(&beats).await {
        Ok(standing) => {
            for lease in shared.held.keep(&beats, &standing) {
                tracing::info!(job = %lease.job, lease = lease.number, "cancelled or taken away: it leaves its batch");
            }
            shared.places.health.ready(HEARTBEAT);
            true
        }
        Err(error) => {
            shared.places.health.not_ready(HEARTBEAT, error.to_string());
            false
        }
    }
}

async fn sweep(shared: &Shared) {
    let swept = match shared.places.store.sweep().await {
        Ok(swept) => swept,
        Err(error) => {
            return tracing::warn!(%error, "could not look for jobs that were left behind");
        }
    };
    if swept.requeued.is_empty() {
        return;
    }
    if let Err(error) = shared.places.queue.ring(&swept.requeued).await {
        tracing::warn!(%error, "could not ring for jobs that were left behind");
    }
}
