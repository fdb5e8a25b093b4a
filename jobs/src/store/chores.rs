//! What is done now and then by whoever comes first, and the questions of those chores.
//! The dispatcher asks. What must stay true: of all processes one does a chore, once in its interval.

use std::time::Duration;

use super::Store;
use super::row::failed;
use crate::error::Result;

impl Store {
    /// Takes a chore if it has not been done for `every`. Whoever is told true does it; if he dies, it is due again
    /// after the interval.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn take_chore(&self, name: &str, every: Duration) -> Result<bool> {
        let taken = sqlx::query!(
            "insert into chores (name, due_at) values ($1, now() + make_interval(secs => $2))
            on conflict (name) do update set due_at = excluded.due_at where chores.due_at <= now()",
            name,
            every.as_secs_f64(),
        )
        .execute(&self.pool)
        .await
        .map_err(|error| failed("take a chore", error))?;
        Ok(taken.rows_affected() == 1)
    }

    /// Which of these pictures no job has.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn without_a_job(&self, keys: &[String]) -> Result<Vec<String>> {
        sqlx::query_scalar!(
            r#"select key as "key!" from unnest($1::text[]) as kept (key)
            where not exists (
                select from jobs where jobs.id = split_part(kept.key, '.', 1)::uuid and jobs.image ->> 'key' = kept.key
                    and jobs.data_removed_at is null
            )"#,
            keys,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed("find pictures without a job", error))
    }
}
