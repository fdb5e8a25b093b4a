//! The outbox of the broker's queue: for which waiting jobs a message is still to be published, or published again.
//! The publisher of [`crate::RabbitQueue`] calls it. What must stay true: a message that is lost anywhere, also in a
//! crash between these statements, is repeated in the end, and no message is published for a job that does not wait.
//! The column `rung_at` is when the message was published; it keeps the name that older versions know it by.

use std::time::Duration;

use uuid::Uuid;

use super::Store;
use super::row::failed;
use crate::error::Result;

const DOING: &str = "find the jobs to publish";

/// A job whose message is to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpublished {
    /// The job.
    pub job: Uuid,
    /// Its lane in the table, 0–9; 0 goes first.
    pub lane: i16,
}

impl Store {
    /// Takes up to `most` due jobs without a message and writes down that each has one. Publish them, or
    /// [`Store::unpublish`]; whoever dies in between leaves it to [`Store::republish_lost`]. Jobs that a dead worker
    /// held go into the first lane: they have waited already, and the broker would put them last.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn take_unpublished(&self, most: u32) -> Result<Vec<Unpublished>> {
        sqlx::query_as!(
            Unpublished,
            r#"update jobs set rung_at = now()
            where id in (
                select id from jobs where state = 'queued' and rung_at is null and due_at <= now()
                order by due_at, id limit $1 for update skip locked
            )
            returning id as job, case when error ->> 'kind' = 'worker_lost' then 0::smallint else lane end as "lane!""#,
            i64::from(most),
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(DOING, error))
    }

    /// The broker did not take the messages of these jobs.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn unpublish(&self, jobs: &[Uuid]) -> Result<()> {
        sqlx::query!(
            "update jobs set rung_at = null where id = any($1) and state = 'queued'",
            jobs,
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(())
    }

    /// Jobs whose message was published `age` ago and that still wait are published again; how many there are.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn republish_lost(&self, age: Duration) -> Result<u64> {
        let lost = sqlx::query!(
            "update jobs set rung_at = null
            where id in (
                select id from jobs
                where state = 'queued' and due_at <= now() and rung_at < now() - make_interval(secs => $1)
                limit 1000 for update skip locked
            )",
            age.as_secs_f64(),
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(lost.rows_affected())
    }
}
