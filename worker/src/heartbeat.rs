//! Signs of life for the jobs that are held, and a watch over the engine.
//! [`crate::run`] runs it beside intake and batching, apart from the sweeper, whose slow steps must not keep anybody from
//! saying that he lives. What must stay true: a hung engine gives no signs of life, so that others get its jobs; and a
//! worker whose engine stays hung ends, because only a new process gets its device back.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::shared::{HEARTBEAT, Shared, WORKER};
use crate::starvation::Starvation;

/// Beats until `done`.
///
/// # Errors
/// `Hung` once the engine has not moved for as long as it is given at most.
pub(crate) async fn run(shared: &Shared, done: CancellationToken) -> Result<(), Error> {
    let rules = shared.backends.store.rules();
    let mut beats = interval(rules.heartbeat);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut starvation = Starvation::default();
    loop {
        tokio::select! {
            () = done.cancelled() => return Ok(()),
            _ = beats.tick() => {}
        }
        let silence = shared.activity.silent_for();
        let silent = starvation.counted(silence);
        watch(shared, silent, silence.saturating_sub(silent))?;
        if !shared.is_hung() {
            // over a connection that died unseen it is never heard; the next one may find another dead one, which takes a
            // second to be found out, and must still come before the lease ends
            beat(shared, rules.heartbeat.mul_f64(1.5)).await;
        }
    }
}

/// Looks whether the engine still moves, which could have for so long, and besides has waited for a processor.
fn watch(shared: &Shared, silent: Duration, waited: Duration) -> Result<(), Error> {
    let hung = silent >= shared.config.hung_after;
    let changed = shared
        .hung
        .send_if_modified(|before| std::mem::replace(before, hung) != hung);
    if changed && hung {
        let seconds = silent.as_secs_f64();
        let waited = waited.as_secs_f64();
        tracing::error!(
            seconds,
            waited,
            "the engine hangs; its jobs are left to others"
        );
        let reason = format!("the engine has not moved for {seconds:.1} s");
        shared.backends.health.not_ready(WORKER, reason);
    } else if changed {
        shared.backends.health.ready(WORKER);
    }
    if silent >= shared.config.give_up_after {
        let reason = "the engine hangs for good: this process ends to be started again";
        shared.backends.health.not_alive(WORKER, reason);
        return Err(Error::Hung { silent });
    }
    Ok(())
}

/// One sign of life for every job.
async fn beat(shared: &Shared, within: Duration) {
    let beats = shared.leases.beats();
    match timeout(within, shared.backends.store.heartbeat(&beats)).await {
        Ok(Ok(standing)) => {
            for lease in shared.leases.keep(&beats, &standing) {
                tracing::info!(job = %lease.job, lease = lease.number, "cancelled or taken away: it leaves its batch");
            }
            shared.backends.health.ready(HEARTBEAT);
        }
        Ok(Err(error)) => shared
            .backends
            .health
            .not_ready(HEARTBEAT, error.to_string()),
        Err(_) => shared
            .backends
            .health
            .not_ready(HEARTBEAT, "the database does not answer in time"),
    }
}
