//! The outbox of the broker's queue: for which waiting jobs it is still to be told, or told again.
//! The publisher of [`crate::RabbitQueue`] calls it. What must stay true: a ring that is lost anywhere, also in a
//! crash between these statements, is repeated in the end, and a job that does not wait is never rung for.

use std::time::Duration;

use uuid::Uuid;

use super::Store;
use super::row::failed;
use crate::error::Result;

const DOING: &str = "find the jobs to ring for";

/// A job for which the broker is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// The job.
    pub job: Uuid,
    /// Its lane in the table, 0–9; 0 goes first.
    pub lane: i16,
}

impl Store {
    /// Takes up to `most` due jobs nobody has rung for and writes down that it is done. Ring, or
    /// [`Store::ring_again`]; whoever dies in between leaves it to [`Store::forget_rings`]. Jobs that a dead worker
    /// held ring in the first lane: they have waited already, and the broker would put them last.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn take_rings(&self, most: u32) -> Result<Vec<Ring>> {
        sqlx::query_as!(
            Ring,
            r#"update jobs set rung_at = now()
            where id in (
                select id from jobs where state = 'queued' and rung_at is null and due_at <= now()
                order by due_at, id limit $1 for update skip locked
            )
            returning id as job, case when error ->> 'kind' = 'worker_lost' then 0::smallint else lane end as "lane!""#,
            i64::from(most),
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed(DOING, error))
    }

    /// The broker did not take the rings for these jobs.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn ring_again(&self, jobs: &[Uuid]) -> Result<()> {
        sqlx::query!(
            "update jobs set rung_at = null where id = any($1) and state = 'queued'",
            jobs,
        )
        .execute(&self.pool)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(())
    }

    /// Jobs that were rung for `age` ago and still wait are rung for again; how many there are.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn forget_rings(&self, age: Duration) -> Result<u64> {
        let forgotten = sqlx::query!(
            "update jobs set rung_at = null
            where id in (
                select id from jobs
                where state = 'queued' and due_at <= now() and rung_at < now() - make_interval(secs => $1)
                limit 1000 for update skip locked
            )",
            age.as_secs_f64(),
        )
        .execute(&self.pool)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(forgotten.rows_affected())
    }
}
