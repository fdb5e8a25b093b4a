//! The sweeper's steps: jobs of workers that died come back, deadlines are kept, old keys are forgotten.
//! Every worker takes them, by the periods of [`crate::Rules`]. What must stay true: of all processes one takes a step at
//! a time and the others pass it by, each step is short, a job is charged for a lost worker once, and no lease runs out
//! while the database could not have heard a heartbeat.

use std::time::Duration;

use uuid::Uuid;

use super::row::{failed, write};
use super::{Store, Swept};
use crate::config::SILENCE;
use crate::error::Result;
use crate::job::{ErrorKind, JobError, State};

const DOING: &str = "look for jobs that were left behind";
/// What a job says whose worker is lost.
const LOST: &str = "the worker that held this story was not heard of again; if it happens every time, the picture or the \
                    parameters need more memory than a worker has";
/// One step stays short; what is left is found by the next one.
const MOST_AT_ONCE: i64 = 200;
/// What is locked while a step is taken; any numbers that nobody else on this database uses.
const TAKE_BACK: i64 = 0x7374_6f72_7931;
const EXPIRE: i64 = 0x7374_6f72_7932;
const FORGET: i64 = 0x7374_6f72_7933;
/// A job that was merely held when its worker died is not charged, but for so many times its attempts at most: one that
/// kills workers before they begin with it must come to an end too.
const FREE_CLAIMS: i32 = 3;

impl Store {
    /// Puts the jobs of lost workers back or fails them if no attempt is left: those that were begun are charged and run
    /// alone next time. Expires those whose deadline has passed. Any number of processes may sweep.
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
        if swept != Swept::default() {
            tracing::warn!(requeued = ?swept.requeued, failed = ?swept.failed, expired = ?swept.expired, "swept");
        }
        Ok(swept)
    }

    /// They keep their place in the queue: they have waited long enough. It is one statement, because then `now()` is
    /// before any pause that it meets, and the next sweep sees the pause.
    async fn take_back(&self) -> Result<Vec<(Uuid, String)>> {
        let lost = JobError::new(ErrorKind::WorkerLost, LOST);
        let rows = sqlx::query!(
            "with turn as materialized (
                select pg_try_advisory_xact_lock($6) as mine
            ), held as (
                -- leases are of different length while an option changes: nobody is harmed by what is right for the others
                select least($5, min(lease_time) * $8) as silence, greatest($1, max(lease_time)) as longest
                from jobs where state = 'running'
            ), heard as (
                update sweeps
                set trusted_from = case
                        -- kept away for so long that somebody's beat may have been lost: everybody gets a whole lease
                        when seen_at < now() - make_interval(secs => greatest(silence, $7))
                        then now() + make_interval(secs => longest)
                        else trusted_from
                    end,
                    seen_at = now()
                from turn, held where turn.mine
                returning trusted_from <= now() as trusted
            ), lost as (
                select id,
                    -- a claim charges in advance; one that was merely held ready is given that back, but not for ever
                    attempts - case when begun or lease > $4 * max_attempts then 0 else 1 end as charged
                from jobs, heard, held
                where heard.trusted and state = 'running'
                    -- who sweeps seldom cannot see short silences, so everybody may be silent for as much longer
                    and heartbeat_at < now() - make_interval(secs => coalesce(lease_time, $1) + greatest($7 - silence, 0))
                limit $3
                for update of jobs skip locked
            ), taken as (
                update jobs
                set state = case when charged < max_attempts then 'queued' else 'failed' end,
                    finished_at = case when charged < max_attempts then null else now() end,
                    -- whoever was at work when its worker died may have killed it, and runs alone next time
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
            self.rules.longest_silence().as_secs_f64(),
            TAKE_BACK,
            self.unseen().as_secs_f64(),
            SILENCE,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(rows.into_iter().map(|row| (row.id, row.state)).collect())
    }

    /// How long a silence this process may not see, because each of its steps takes long: two of them.
    fn unseen(&self) -> Duration {
        let (pace, usual) = (self.pace.step(), self.rules.sweep_every);
        if pace < usual * 3 / 2 {
            return Duration::ZERO;
        }
        pace * 2
    }

    async fn expire(&self) -> Result<Vec<Uuid>> {
        let late = JobError::new(
            ErrorKind::DeadlinePassed,
            "the deadline passed before the story was told: submit it again with a later one or none",
        );
        sqlx::query_scalar!(
            "with turn as materialized (
                select pg_try_advisory_xact_lock($3) as mine
            )
            update jobs set state = 'expired', finished_at = now(), error = $1
            where id in (
                select id from jobs, turn
                where turn.mine and state = 'queued' and deadline <= now()
                limit $2
                for update of jobs skip locked
            )
            returning id",
            write(DOING, &late)?,
            MOST_AT_ONCE,
            EXPIRE,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(DOING, error))
    }

    /// Forgets idempotency keys that are a day old, some at a time; how many they were.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn forget_keys(&self) -> Result<u64> {
        let forgotten = sqlx::query!(
            "with turn as materialized (
                select pg_try_advisory_xact_lock($2) as mine
            )
            delete from idempotency_keys
            where key in (
                select key from idempotency_keys, turn
                where turn.mine and created_at <= now() - interval '24 hours'
                limit $1
                for update of idempotency_keys skip locked
            )",
            MOST_AT_ONCE,
            FORGET,
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed("forget old keys", error))?;
        Ok(forgotten.rows_affected())
    }
}
