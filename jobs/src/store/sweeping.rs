//! The sweeper's step: jobs of workers that died come back, deadlines are kept, old keys are forgotten.
//! Every worker takes this step twice a second. What must stay true: any number of them may do it at once, and
//! a job is charged for a lost worker once.

use uuid::Uuid;

use super::row::{failed, write};
use super::{Store, Swept};
use crate::error::Result;
use crate::job::{ErrorKind, JobError, State};

const DOING: &str = "look for jobs that were left behind";
/// One step stays short; what is left is found by the next one.
const MOST_AT_ONCE: i64 = 1000;
/// A job that was merely held when its worker died is not charged, but for so many times its attempts at most: one that
/// kills workers before they begin with it must come to an end too.
const FREE_CLAIMS: i32 = 3;

impl Store {
    /// Puts the jobs of lost workers back or fails them if no attempt is left: those that were begun are charged and run
    /// alone next time. Expires those whose deadline has passed, and forgets old idempotency keys. Any number of
    /// processes may sweep.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        for (job, state) in self.take_back().await? {
            if state == State::Queued.name() {
                &mut swept.requeued
            } else {
                &mut swept.failed
            }
            .push(job);
        }
        swept.expired = self.expire().await?;
        self.forget_keys().await?;
        if swept != Swept::default() {
            tracing::warn!(requeued = ?swept.requeued, failed = ?swept.failed, expired = ?swept.expired, "swept");
        }
        Ok(swept)
    }

    /// They keep their place in the queue: they have waited long enough.
    async fn take_back(&self) -> Result<Vec<(Uuid, String)>> {
        let lost = JobError::new(
            ErrorKind::WorkerLost,
            "the worker that held this story was not heard of again; if it happens every time, the picture or the \
             parameters need more memory than a worker has",
        );
        let rows = sqlx::query!(
            "with lost as (
                select id, attempts - case when begun or lease > $4 * max_attempts then 0 else 1 end as charged
                from jobs
                where state = 'running' and heartbeat_at < now() - make_interval(secs => $1)
                limit $3
                for update skip locked
            ), taken as (
                update jobs
                set state = case when charged < max_attempts then 'queued' else 'failed' end,
                    finished_at = case when charged < max_attempts then null else now() end,
                    attempts = charged, alone = alone or begun, error = $2, heartbeat_at = null, stage = null
                from lost where jobs.id = lost.id
                returning jobs.id, jobs.lease, jobs.state
            ), logged as (
                update attempts set ended_at = now(), outcome = 'lost', error = $2
                from taken where attempts.job = taken.id and attempts.lease = taken.lease
            )
            select id, state from taken",
            self.rules.lease_timeout.as_secs_f64(),
            write(DOING, &lost)?,
            MOST_AT_ONCE,
            FREE_CLAIMS,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(rows.into_iter().map(|row| (row.id, row.state)).collect())
    }

    async fn expire(&self) -> Result<Vec<Uuid>> {
        let late = JobError::new(
            ErrorKind::DeadlinePassed,
            "the deadline passed before the story was told: submit it again with a later one or none",
        );
        sqlx::query_scalar!(
            "update jobs set state = 'expired', finished_at = now(), error = $1
            where id in (
                select id from jobs where state = 'queued' and deadline <= now() limit $2 for update skip locked
            )
            returning id",
            write(DOING, &late)?,
            MOST_AT_ONCE,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed(DOING, error))
    }

    async fn forget_keys(&self) -> Result<()> {
        sqlx::query!(
            "delete from idempotency_keys where created_at <= now() - interval '24 hours'"
        )
        .execute(&self.pool)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(())
    }
}
