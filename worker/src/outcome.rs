//! What became of a job, written into the store. With it ends the claim of the job.
//! Intake and batching call [`write`], which takes the claim itself: a guard that is only dropped cannot wait for a database.
//! What must stay true: an outcome is written until the store has answered, only after that is the job let go of, and a
//! result whose lease is over is dropped.

use std::sync::Arc;

use jobs::{Beat, ErrorKind, JobError, Outcome, Written, faults};
use operation::metrics::METRICS;

use crate::engine::EngineError;
use crate::engine::thread::Product;
use crate::leases::Leased;
use crate::shared::Shared;

/// The outcome of a telling; none if nobody wants to know it.
pub(crate) fn of(leased: &Leased, result: Result<Product, EngineError>) -> Option<Outcome> {
    let error = match result {
        Ok(Product::Story(story)) => return Some(Outcome::Succeeded(story)),
        Ok(Product::Style(style)) => return Some(Outcome::Learnt(style)),
        Err(error) => error,
    };
    let message = error.to_string();
    Some(match error {
        EngineError::Cancelled if leased.is_lost() => return None,
        // the engine gave it up without being asked to: nobody's fault
        EngineError::Cancelled => Outcome::Released,
        EngineError::UnknownStyle(_) => {
            Outcome::Failed(JobError::new(ErrorKind::UnknownStyle, message))
        }
        EngineError::Text(_) => Outcome::Failed(JobError::new(ErrorKind::TextUnusable, message)),
        EngineError::Parameter(_) => {
            Outcome::Failed(JobError::new(ErrorKind::InvalidParameter, message))
        }
        EngineError::OutOfMemory(_) => Outcome::Retry(JobError::new(
            ErrorKind::OutOfMemory,
            format!("{message}; a smaller beam_width or fewer words need less"),
        )),
        EngineError::Failed(_) => Outcome::Retry(JobError::new(ErrorKind::ModelError, message)),
    })
}

/// Writes an outcome, if anybody wants to know it, and lets go of the job. While the store cannot be reached it tries again
/// and again: the heartbeat cannot reach it either, and no lease runs out over that.
pub(crate) async fn write(shared: &Shared, leased: Arc<Leased>, outcome: Option<Outcome>) {
    if let Some(outcome) = outcome.filter(|_| !leased.is_lost()) {
        write_down(shared, &leased, outcome).await;
    }
    drop(leased);
    faults::point("ack:done");
}

async fn write_down(shared: &Shared, leased: &Leased, mut outcome: Outcome) {
    let (job, lease) = (leased.lease.job, leased.lease.number);
    let mut pauses = shared.pauses();
    say_the_rest(shared, leased).await;
    faults::point("finish:ready");
    loop {
        match shared
            .backends
            .store
            .finish(leased.lease, outcome.clone())
            .await
        {
            Ok(Written::Done) => {
                faults::point("finish:committed");
                return note(leased, &outcome);
            }
            Ok(Written::Stale) => {
                METRICS.outcomes.with_label_values(&["stale"]).inc();
                tracing::info!(%job, lease, "dropped the result of a lease that is over");
                return;
            }
            Err(error) if error.is_unavailable() => {
                tracing::warn!(%job, lease, %error, "an outcome waits for the database");
                pauses.wait().await;
            }
            Err(error) if matches!(outcome, Outcome::Succeeded(_) | Outcome::Learnt(_)) => {
                tracing::error!(%job, lease, %error, "a result cannot be stored");
                let reason = "the work was done, but its result could not be stored";
                outcome = Outcome::Retry(JobError::new(ErrorKind::StorageUnavailable, reason));
            }
            Err(error) => {
                tracing::error!(%job, lease, %error, "an outcome is lost; the job is taken back when its lease ends");
                return;
            }
        }
    }
}

/// Those who follow the job hear everything before its end. It is no part of the result: if the store does not answer, the
/// end has it all.
async fn say_the_rest(shared: &Shared, leased: &Leased) {
    let beat = Beat {
        lease: leased.lease,
        stage: None,
        said: leased.unsaid(),
    };
    if beat.said.is_empty() {
        return;
    }
    if let Err(error) = shared.backends.store.heartbeat(&[beat]).await {
        tracing::debug!(job = %leased.lease.job, %error, "the last words before the end are not passed on");
    }
}

fn note(leased: &Leased, outcome: &Outcome) {
    let (job, lease) = (leased.lease.job, leased.lease.number);
    METRICS.outcomes.with_label_values(&[name(outcome)]).inc();
    METRICS
        .attempt_seconds
        .observe(leased.since.elapsed().as_secs_f64());
    match outcome {
        Outcome::Succeeded(_) => tracing::info!(%job, lease, "finished"),
        Outcome::Learnt(style) => {
            tracing::info!(%job, lease, passages = style.passages, "finished a style");
        }
        Outcome::Failed(error) => tracing::info!(%job, lease, %error, "failed"),
        Outcome::Retry(error) => tracing::warn!(%job, lease, %error, "this attempt failed"),
        Outcome::Released => tracing::info!(%job, lease, "released"),
    }
}

/// As the metrics call it.
fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded(_) => "succeeded",
        Outcome::Learnt(_) => "learnt",
        Outcome::Failed(_) => "failed",
        Outcome::Retry(_) => "retry",
        // dashboards know it by this name
        Outcome::Released => "returned",
    }
}
