//! How an attempt ends: with a story, an error, another attempt to come, or given back; and how a job is cancelled.
//! The worker finishes, the API cancels. What must stay true: each write names state and lease, so of two who believe
//! that they hold a job one writes and the other learns that it is stale.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::audit::Deed;
use super::database::{Connection, Transaction};
use super::row::{JobRow, count, failed, job_rows, write};
use super::{Cancelled, Outcome, Store, Written, reading, styles};
use crate::claim::Lease;
use crate::error::Result;
use crate::job::{JobError, State};

const DOING: &str = "write what became of a job";
const CANCELLING: &str = "cancel a job";

/// The last state of a job and what it has to show.
struct End {
    state: State,
    result: Option<Value>,
    error: Option<Value>,
}

/// How the log calls the end of an attempt.
struct Entry<'a> {
    outcome: &'static str,
    error: Option<&'a Value>,
}

impl Store {
    /// Writes what became of an attempt, unless the lease is over.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then it may or may not have been written, and may be written again.
    pub async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<Written> {
        let mut transaction = self
            .database
            .begin()
            .await
            .map_err(|error| failed(DOING, error))?;
        let held = match outcome {
            Outcome::Succeeded(result) => {
                let result = Some(write(DOING, &result)?);
                end(
                    &mut transaction,
                    lease,
                    End {
                        state: State::Succeeded,
                        result,
                        error: None,
                    },
                )
                .await?
            }
            Outcome::Learnt(style) => {
                let held = end(
                    &mut transaction,
                    lease,
                    End {
                        state: State::Succeeded,
                        result: Some(write(DOING, &style)?),
                        error: None,
                    },
                )
                .await?;
                if held {
                    styles::keep(&mut transaction, lease.job, &style).await?;
                }
                held
            }
            Outcome::Failed(error) => {
                let error = Some(write(DOING, &error)?);
                end(
                    &mut transaction,
                    lease,
                    End {
                        state: State::Failed,
                        result: None,
                        error,
                    },
                )
                .await?
            }
            Outcome::Retry(error) => self.try_again(&mut transaction, lease, &error).await?,
            Outcome::Released => release(&mut transaction, lease).await?,
        };
        transaction
            .commit()
            .await
            .map_err(|error| failed(DOING, error))?;
        Ok(if held { Written::Done } else { Written::Stale })
    }

    /// Puts a job back for `wait`, with the attempt it was charged, unless it was submitted longer ago than `within`.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub(super) async fn put_off(
        &self,
        lease: Lease,
        wait: Duration,
        within: Duration,
    ) -> Result<bool> {
        let mut transaction = self
            .database
            .begin()
            .await
            .map_err(|error| failed(DOING, error))?;
        let later = Later {
            wait: Some(wait),
            within: Some(within),
        };
        let put_off = requeue(&mut transaction, lease, later).await?;
        transaction
            .commit()
            .await
            .map_err(|error| failed(DOING, error))?;
        Ok(put_off)
    }

    async fn try_again(
        &self,
        transaction: &mut Transaction,
        lease: Lease,
        error: &JobError,
    ) -> Result<bool> {
        let tried = sqlx::query!(
            "select attempts, max_attempts from jobs where id = $1 and state = 'running' and lease = $2 for update",
            lease.job,
            lease.number,
        )
        .fetch_optional(&mut **transaction)
        .await
        .map_err(|error| failed(DOING, error))?;
        let Some(tried) = tried else {
            return Ok(false);
        };
        let error = write(DOING, error)?;
        if tried.attempts >= tried.max_attempts {
            let last = End {
                state: State::Failed,
                result: None,
                error: Some(error),
            };
            return end(transaction, lease, last).await;
        }
        let wait = self
            .rules
            .backoff
            .wait(count(tried.attempts), rand::random());
        sqlx::query!(
            "update jobs set state = 'queued', due_at = now() + make_interval(secs => $2), error = $3,
                heartbeat_at = null, stage = null
            where id = $1",
            lease.job,
            wait.as_secs_f64(),
            error,
        )
        .execute(&mut **transaction)
        .await
        .map_err(|error| failed(DOING, error))?;
        log(
            transaction,
            lease,
            Entry {
                outcome: "retry",
                error: Some(&error),
            },
        )
        .await?;
        Ok(true)
    }

    /// Ends a job that has not ended.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn cancel(&self, id: Uuid) -> Result<Cancelled> {
        let mut transaction = self
            .database
            .begin()
            .await
            .map_err(|error| failed(CANCELLING, error))?;
        let Some(row) = cancel(&mut transaction, id).await? else {
            // on the same connection: callers who each hold one and wait for another would wait for ever
            let ended = reading::get(&mut *transaction, id).await?;
            return Ok(ended.map_or(Cancelled::NotFound, Cancelled::TooLate));
        };
        self.note(&mut transaction, Deed::StoryCancelled, &id.to_string())
            .await?;
        transaction
            .commit()
            .await
            .map_err(|error| failed(CANCELLING, error))?;
        Ok(Cancelled::Done(row.job()?))
    }
}

/// Ends a job that has not ended; none if there is no such one.
pub(super) async fn cancel(connection: &mut Connection, id: Uuid) -> Result<Option<JobRow>> {
    let row = job_rows!(
        "update jobs
        set state = 'cancelled', finished_at = now(), heartbeat_at = null, stage = null, error = null
        where id = $1 and state in ('queued', 'running')
        returning",
        "",
        id
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(|error| failed(CANCELLING, error))?;
    if let Some(row) = &row {
        let lease = Lease {
            job: id,
            number: row.lease,
        };
        let entry = Entry {
            outcome: "cancelled",
            error: None,
        };
        log(connection, lease, entry).await?;
    }
    Ok(row)
}

/// Brings a job to its last state.
async fn end(connection: &mut Connection, lease: Lease, end: End) -> Result<bool> {
    let written = sqlx::query!(
        "update jobs
        set state = $3, result = $4, error = $5, finished_at = now(), heartbeat_at = null, stage = null
        where id = $1 and state = 'running' and lease = $2",
        lease.job,
        lease.number,
        end.state.name(),
        end.result,
        end.error,
    )
    .execute(&mut *connection)
    .await
    .map_err(|error| failed(DOING, error))?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    log(
        connection,
        lease,
        Entry {
            outcome: end.state.name(),
            error: end.error.as_ref(),
        },
    )
    .await?;
    Ok(true)
}

/// Puts a job back where it stood, with the attempt it was charged.
async fn release(connection: &mut Connection, lease: Lease) -> Result<bool> {
    requeue(connection, lease, Later::default()).await
}

/// When a job that goes back is due again, and whether it goes back at all.
#[derive(Default)]
struct Later {
    /// From now on; none where its place in the queue stays as it was.
    wait: Option<Duration>,
    /// Only if it was submitted no longer ago.
    within: Option<Duration>,
}

async fn requeue(connection: &mut Connection, lease: Lease, later: Later) -> Result<bool> {
    let written = sqlx::query!(
        "update jobs
        set state = 'queued', attempts = attempts - 1, heartbeat_at = null, stage = null,
            due_at = coalesce(now() + make_interval(secs => $3), due_at)
        where id = $1 and state = 'running' and lease = $2
            and ($4::float8 is null or created_at > now() - make_interval(secs => $4))",
        lease.job,
        lease.number,
        later.wait.map(|wait| wait.as_secs_f64()),
        later.within.map(|within| within.as_secs_f64()),
    )
    .execute(&mut *connection)
    .await
    .map_err(|error| failed(DOING, error))?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    log(
        connection,
        lease,
        Entry {
            outcome: "returned",
            error: None,
        },
    )
    .await?;
    Ok(true)
}

/// Writes the end of an attempt into the log, if one was running under this lease.
async fn log(connection: &mut Connection, lease: Lease, entry: Entry<'_>) -> Result<()> {
    sqlx::query!(
        "update attempts set ended_at = now(), outcome = $3, error = $4
        where job = $1 and lease = $2 and ended_at is null",
        lease.job,
        lease.number,
        entry.outcome,
        entry.error,
    )
    .execute(connection)
    .await
    .map_err(|error| failed(DOING, error))?;
    Ok(())
}
