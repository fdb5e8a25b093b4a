//! Publishes the messages that the rows of waiting jobs ask for.
//! The session runs it beside the consumers. What must stay true: a row counts as published only while the broker has
//! confirmed the message or somebody is about to publish it; everything else is published again.
//! Four times play together here: [`LOOK_EVERY`] bounds how late a message is when a notification was missed,
//! [`CONFIRMED_WITHIN`] how long a broker with an alarm is trusted, [`LOST_AFTER`] how long a job waits whose message is
//! lost, and [`SURELY_LOST_AFTER`] the same where full lanes make a lost message and a waiting one look alike.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::topology::{lane, lane_queue, waiting};
use super::{SessionResult, Shared};
use crate::faults;
use crate::store::publishing::Unpublished;

/// Notifications of the database may be missed, and retries that become due send none.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Messages that are confirmed together.
const BATCH: u32 = 256;
/// A healthy broker confirms in milliseconds; one with an alarm never does.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(10);
const RECONCILE_EVERY: Duration = Duration::from_secs(5);
/// With empty lanes a job that was published so long ago has lost its message.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// Also behind full lanes it is published again in the end; until then it more likely waits its turn.
const SURELY_LOST_AFTER: Duration = Duration::from_secs(300);
/// Survives a restart of the broker.
const PERSISTENT: u8 = 2;

/// Publishes until the broker fails.
pub(super) async fn run(shared: &Shared, channel: &Channel) -> SessionResult<()> {
    let mut due = shared.store.due();
    let mut reconciled = Instant::now();
    loop {
        let full = match shared.store.take_unpublished(BATCH).await {
            Ok(jobs) => {
                if !jobs.is_empty() {
                    faults::point("publish:taken");
                }
                publish_all(shared, channel, &jobs).await?;
                jobs.len() == BATCH as usize
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look for jobs to publish");
                false
            }
        };
        if reconciled.elapsed() >= RECONCILE_EVERY {
            reconcile(shared, channel).await?;
            reconciled = Instant::now();
        }
        if !full {
            tokio::select! {
                () = shared.to_publish.notified() => {}
                _ = due.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// Publishes all, or writes down which it could not.
async fn publish_all(
    shared: &Shared,
    channel: &Channel,
    jobs: &[Unpublished],
) -> SessionResult<()> {
    let name = &shared.settings.name;
    let published = jobs.iter().map(|job| async move {
        let sent = timeout(CONFIRMED_WITHIN, publish(channel, name, *job)).await;
        let trouble = match sent {
            Ok(Ok(())) => {
                faults::point("publish:confirmed");
                return None;
            }
            Ok(Err(error)) => error,
            Err(_) => "the broker does not confirm messages".into(),
        };
        Some((job.job, trouble))
    });
    let failed: Vec<_> = join_all(published).await.into_iter().flatten().collect();
    let jobs: Vec<Uuid> = failed.iter().map(|(job, _)| *job).collect();
    let Some((_, trouble)) = failed.into_iter().next() else {
        return Ok(());
    };
    if let Err(error) = shared.store.unpublish(&jobs).await {
        tracing::warn!(%error, "messages that the broker did not take are published later");
    }
    // also when it was returned: somebody has removed the queue, and a new session declares it
    Err(trouble)
}

async fn publish(channel: &Channel, name: &str, job: Unpublished) -> SessionResult<()> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let confirmation = channel
        .basic_publish(
            "".into(),
            lane_queue(name, lane(job.lane)).into(),
            options,
            job.job.to_string().as_bytes(),
            BasicProperties::default().with_delivery_mode(PERSISTENT),
        )
        .await?
        .await?;
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err("the broker has no queue for a message".into()),
        _ => Err("the broker refused a message".into()),
    }
}

/// Looks for jobs whose message is lost.
async fn reconcile(shared: &Shared, channel: &Channel) -> SessionResult<()> {
    let empty = waiting(channel, &shared.settings.name).await? == 0;
    let age = if empty { LOST_AFTER } else { SURELY_LOST_AFTER };
    match shared.store.republish_lost(age).await {
        Ok(0) => {}
        Ok(jobs) => tracing::info!(jobs, "publishing again jobs that wait for long"),
        Err(error) => tracing::warn!(%error, "cannot look for lost messages"),
    }
    Ok(())
}
