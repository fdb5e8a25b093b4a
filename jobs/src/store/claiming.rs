//! How a worker takes jobs and keeps them: claims and heartbeats.
//! Queues claim, the worker beats. What must stay true: a job is taken by one worker only, its attempt is charged and
//! logged in the same statement, and a row that cannot be read is failed instead of blocking those behind it.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::row::{JobRow, failed, job_rows, write};
use super::{Beat, Outcome, Store};
use crate::claim::{Claimed, Lease, Ticket};
use crate::error::Result;
use crate::faults;
use crate::job::{ErrorKind, JobError};

const DOING: &str = "take jobs";
/// When a job that cannot be read is due again.
const UNREADABLE_AGAIN: Duration = Duration::from_secs(30);
/// How long workers of several versions may be at work side by side.
const UPGRADE: Duration = Duration::from_secs(3600);

/// Takes what a statement finds: $1 is the worker, $2 what the statement asks by, $3 how long the lease is.
macro_rules! taken {
    ($due:tt, $worker:expr, $by:expr, $time:expr) => {
        job_rows!(
            $due
                + "), taken as (
                update jobs
                set state = 'running', lease = lease + 1, attempts = attempts + 1, started_at = now(),
                    heartbeat_at = now(), lease_time = $3, stage = null, begun = false
                from due where jobs.id = due.id
                returning jobs.*
            ), logged as (
                insert into attempts (job, lease, worker) select id, lease, $1 from taken
            )
            select",
            "from taken order by lane, due_at, id",
            $worker,
            $by,
            $time,
        )
    };
}

impl Store {
    /// Takes up to `max` due jobs for `worker`, the highest priority and the longest waiting first: each gets a new
    /// lease and is charged an attempt. Queues call it; everybody else calls a queue.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn claim(&self, worker: &str, max: usize) -> Result<Vec<Claimed>> {
        let rows = taken!(
            "with due as (
                select id from jobs
                where state = 'queued' and due_at <= now() and (deadline is null or deadline > now())
                order by lane, due_at, id
                limit $2
                for update skip locked
            ",
            worker,
            i64::try_from(max).unwrap_or(i64::MAX),
            self.rules.lease_timeout.as_secs_f64()
        );
        let rows = rows.fetch_all(&self.database).await;
        self.claimed(rows.map_err(|error| failed(DOING, error))?)
            .await
    }

    /// Takes those of `jobs` that are due, as [`Store::claim`] does. Each had a message; the others have
    /// ended, run elsewhere, or get another message when they are due.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn claim_these(&self, worker: &str, jobs: &[Uuid]) -> Result<Vec<Claimed>> {
        // one that is locked is waited for, since there is no other in its place
        let rows = taken!(
            "with due as (
                select id from jobs
                where id = any($2) and state = 'queued' and due_at <= now()
                    and (deadline is null or deadline > now())
                order by id
                for update
            ",
            worker,
            jobs,
            self.rules.lease_timeout.as_secs_f64()
        );
        let rows = rows.fetch_all(&self.database).await;
        self.claimed(rows.map_err(|error| failed(DOING, error))?)
            .await
    }

    async fn claimed(&self, rows: Vec<JobRow>) -> Result<Vec<Claimed>> {
        if !rows.is_empty() {
            faults::point("claim:committed");
        }
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            claimed.extend(self.readable(row).await?);
        }
        Ok(claimed)
    }

    /// Writes down that the engine now gets these jobs: if their worker dies from here on, they may be why.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; the jobs then count as merely held.
    pub async fn begin(&self, leases: &[Lease]) -> Result<()> {
        let jobs: Vec<_> = leases.iter().map(|lease| lease.job).collect();
        let numbers: Vec<_> = leases.iter().map(|lease| lease.number).collect();
        sqlx::query!(
            "update jobs set begun = true
            from unnest($1::uuid[], $2::bigint[]) as held (job, lease)
            where jobs.id = held.job and jobs.state = 'running' and jobs.lease = held.lease",
            &jobs,
            &numbers,
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed("begin with jobs", error))?;
        Ok(())
    }

    async fn readable(&self, row: JobRow) -> Result<Option<Claimed>> {
        let lease = Lease {
            job: row.id,
            number: row.lease,
        };
        let alone = row.alone;
        match row.job() {
            Ok(job) => Ok(Some(Claimed {
                job,
                lease,
                alone,
                ticket: Ticket::default(),
            })),
            Err(cause) => {
                tracing::error!(job = %lease.job, %cause, "a job in the table cannot be read");
                self.leave_to_another_version(lease).await?;
                Ok(None)
            }
        }
    }

    /// While a service is upgraded its workers may be older than what has taken a job in, or newer. So such a job waits for a
    /// worker that can read it, for as long as an upgrade may take, and fails after that.
    async fn leave_to_another_version(&self, lease: Lease) -> Result<()> {
        if self.put_off(lease, UNREADABLE_AGAIN, UPGRADE).await? {
            return Ok(());
        }
        let error = JobError::new(
            ErrorKind::InvalidParameter,
            "the request was accepted by another version of this service, and no worker could read it since: submit it again",
        );
        self.finish(lease, Outcome::Failed(error)).await?;
        Ok(())
    }

    /// Says that these jobs are still being worked on. Answers with the leases that still hold; drop the others.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; the leases then hold until they time out.
    pub async fn heartbeat(&self, beats: &[Beat]) -> Result<HashSet<Lease>> {
        let jobs: Vec<_> = beats.iter().map(|beat| beat.lease.job).collect();
        let leases: Vec<_> = beats.iter().map(|beat| beat.lease.number).collect();
        let stages = beats
            .iter()
            .map(|beat| {
                beat.stage
                    .as_ref()
                    .map(|stage| write("say how far a job is", stage))
                    .transpose()
            })
            .collect::<Result<Vec<Option<Value>>>>()?;
        let said = beats
            .iter()
            .map(|beat| {
                let said = Some(&beat.said).filter(|said| !said.is_empty());
                said.map(|said| write("say what a job has come to", said))
                    .transpose()
            })
            .collect::<Result<Vec<Option<Value>>>>()?;
        let held = sqlx::query!(
            "update jobs set heartbeat_at = now(), stage = coalesce(beat.stage, jobs.stage), said = beat.said
            from unnest($1::uuid[], $2::bigint[], $3::jsonb[], $4::jsonb[]) as beat (job, lease, stage, said)
            where jobs.id = beat.job and jobs.state = 'running' and jobs.lease = beat.lease
            returning jobs.id, jobs.lease",
            &jobs,
            &leases,
            &stages as &[Option<Value>],
            &said as &[Option<Value>],
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("say that jobs are being worked on", error))?;
        Ok(held
            .into_iter()
            .map(|row| Lease {
                job: row.id,
                number: row.lease,
            })
            .collect())
    }
}
