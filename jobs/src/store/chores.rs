//! What is done now and then by whoever comes first, and the questions of those chores.
//! The dispatcher asks. What must stay true: of all processes one does a chore, once in its interval.

use std::time::Duration;

use uuid::Uuid;

use super::Store;
use super::row::failed;
use crate::error::Result;

/// What a database has left with its pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The last one that was made.
    pub last: Option<Uuid>,
    /// The one that lay there then.
    pub before: Option<Uuid>,
}

impl Tokens {
    /// Whether this one is its own.
    pub fn know(&self, token: Uuid) -> bool {
        [self.last, self.before].contains(&Some(token))
    }
}

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
        .execute(&self.database)
        .await
        .map_err(|error| failed("take a chore", error))?;
        Ok(taken.rows_affected() == 1)
    }

    /// The id that this database was given when it was made; a copy of it has the same.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn deployment(&self) -> Result<Uuid> {
        let asked = self.deployment.get_or_try_init(async || {
            sqlx::query_scalar!("select id from deployment")
                .fetch_one(&self.database)
                .await
                .map_err(|error| failed("ask for the id of the deployment", error))
        });
        asked.await.copied()
    }

    /// The tokens that this database has left with its pictures: the last, and the one that lay there before.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn tokens(&self) -> Result<Tokens> {
        sqlx::query_as!(
            Tokens,
            r#"select token as last, token_before as before from deployment"#
        )
        .fetch_one(&self.database)
        .await
        .map_err(|error| failed("ask for the tokens of the deployment", error))
    }

    /// Another token to be left with the pictures, where `lying` lies now; none if somebody else has just made one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn next_token(&self, known: Tokens, lying: Option<Uuid>) -> Result<Option<Uuid>> {
        sqlx::query_scalar!(
            r#"update deployment set token = gen_random_uuid(), token_before = $2
            where token is not distinct from $1 returning token as "token!""#,
            known.last,
            lying,
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed("make a token of the deployment", error))
    }

    /// Which of these pictures, named with their jobs, no job has.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn without_a_job(&self, pictures: &[(Uuid, String)]) -> Result<Vec<String>> {
        let (jobs, keys): (Vec<Uuid>, Vec<String>) = pictures.iter().cloned().unzip();
        sqlx::query_scalar!(
            r#"with kept as (
                select job, key from unnest($1::uuid[], $2::text[]) as kept (job, key)
            ), missed as (
                select key from kept
                where not exists (
                    select from jobs
                    where jobs.id = kept.job and jobs.image ->> 'key' = kept.key and jobs.data_removed_at is null
                )
            ), found_again as (
                delete from trash where key in (select key from kept except select key from missed)
            )
            select key as "key!" from missed"#,
            &jobs,
            &keys,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("find pictures without a job", error))
    }

    /// Puts these pictures into the trash, and says which of them have been there for longer than `age`.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn trash(&self, keys: &[String], age: Duration) -> Result<Vec<String>> {
        sqlx::query_scalar!(
            r#"with put as (
                insert into trash (key) select unnest($1::text[]) on conflict do nothing
            )
            select key as "key!" from trash where key = any($1) and since < now() - make_interval(secs => $2)"#,
            keys,
            age.as_secs_f64(),
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("put pictures into the trash", error))
    }

    /// Forgets a picture of the trash that is deleted.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn emptied(&self, key: &str) -> Result<()> {
        sqlx::query!("delete from trash where key = $1", key)
            .execute(&self.database)
            .await
            .map(drop)
            .map_err(|error| failed("forget a deleted picture", error))
    }
}
