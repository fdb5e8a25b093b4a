//! Keys and the browsers that were let in with them: made, found, listed, revoked.
//! The API finds them, the command line makes them. What must stay true: a key is found by its hash alone, in whatever
//! state it is; and who loses his key loses his sessions in the same moment.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::audit::Deed;
use super::row::{count, failed};
use crate::error::{Error, Result};
use crate::key::{Credential, Key, KeyLimits, NewKey};

const READING: &str = "look for a key";

/// The columns of a key.
struct KeyRow {
    id: Uuid,
    prefix: String,
    name: String,
    scope: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    requests_a_minute: Option<i32>,
    submits_a_minute: Option<i32>,
    waiting: Option<i32>,
    stories_a_day: Option<i32>,
    stories_today: i32,
    own_webhook_secret: bool,
}

/// A checked statement that answers with keys: what stands before their columns, what stands after, the arguments.
macro_rules! key_rows {
    ($before:tt, $after:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            KeyRow,
            $before + r#" id, prefix, name, scope, created_at, expires_at, revoked_at, last_used_at,
                requests_a_minute, submits_a_minute, waiting, stories_a_day,
                coalesce((
                    select stories from key_days where key_days.key = api_keys.id and day = (now() at time zone 'utc')::date
                ), 0) as "stories_today!",
                webhook_secret is not null as "own_webhook_secret!" "# + $after
            $(, $argument)*
        )
    };
}

impl KeyRow {
    fn key(self) -> Result<Key> {
        let scope = self.scope.parse();
        Ok(Key {
            id: self.id,
            prefix: self.prefix,
            name: self.name,
            scope: scope.map_err(|error: String| Error::unexpected(READING, error))?,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
            limits: KeyLimits {
                requests_a_minute: self.requests_a_minute.map(count),
                submits_a_minute: self.submits_a_minute.map(count),
                waiting: self.waiting.map(count),
                stories_a_day: self.stories_a_day.map(count),
            },
            stories_today: count(self.stories_today),
            own_webhook_secret: self.own_webhook_secret,
        })
    }
}

impl Store {
    /// Makes a key. What is answered beside it is the key in full, which is nowhere to be had again.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then there may be a key that nobody knows.
    pub async fn create_key(&self, new: NewKey) -> Result<(Key, Credential)> {
        let doing = "make a key";
        let said = |error| failed(doing, error);
        let credential = Credential::new_key();
        let number = |limit: Option<u32>| limit.and_then(|limit| i32::try_from(limit).ok());
        let mut transaction = self.database.begin().await.map_err(said)?;
        let row = key_rows!(
            "insert into api_keys (id, prefix, hash, name, scope, expires_at, requests_a_minute, submits_a_minute,
                waiting, stories_a_day, webhook_secret)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning",
            "",
            Uuid::now_v7(),
            credential.shown(),
            &credential.hash(),
            new.name,
            new.scope.name(),
            new.expires_at,
            number(new.limits.requests_a_minute),
            number(new.limits.submits_a_minute),
            number(new.limits.waiting),
            number(new.limits.stories_a_day),
            new.webhook_secret,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(said)?;
        self.note(&mut transaction, Deed::KeyCreated, &row.prefix)
            .await?;
        transaction.commit().await.map_err(said)?;
        Ok((row.key()?, credential))
    }

    /// Whether there is a key, good or not: then this service asks for one, and goes on asking when the last is revoked.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn has_keys(&self) -> Result<bool> {
        sqlx::query_scalar!(r#"select exists (select from api_keys) as "some!""#)
            .fetch_one(&self.database)
            .await
            .map_err(|error| failed("see whether there are keys", error))
    }

    /// All keys, the first made first.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn keys(&self) -> Result<Vec<Key>> {
        let rows = key_rows!("select", "from api_keys order by id")
            .fetch_all(&self.database)
            .await
            .map_err(|error| failed("list the keys", error))?;
        rows.into_iter().map(KeyRow::key).collect()
    }

    /// The key of this secret, good or not: a key itself, or a session that has not ended.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn key_of(&self, credential: &Credential) -> Result<Option<Key>> {
        let row = key_rows!(
            "select",
            "from api_keys where hash = $1
                or id = (select key from sessions where sessions.hash = $1 and sessions.expires_at > now())",
            &credential.hash(),
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed(READING, error))?;
        row.map(KeyRow::key).transpose()
    }

    /// Writes down that a key is in use, unless that was done within the last minute.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn key_used(&self, key: Uuid) -> Result<()> {
        sqlx::query!(
            "update api_keys set last_used_at = now()
            where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')",
            key,
        )
        .execute(&self.database)
        .await
        .map(drop)
        .map_err(|error| failed("write down that a key is in use", error))
    }

    /// Revokes the key that is shown as `prefix`, for good, and ends its sessions; as it is now, or none if there is no such key.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn revoke_key(&self, prefix: &str) -> Result<Option<Key>> {
        let said = |error| failed("revoke a key", error);
        let mut transaction = self.database.begin().await.map_err(said)?;
        let row = key_rows!(
            "update api_keys set revoked_at = coalesce(revoked_at, now()) where prefix = $1 returning",
            "",
            prefix,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(said)?;
        let Some(row) = row else { return Ok(None) };
        sqlx::query!("delete from sessions where key = $1", row.id)
            .execute(&mut *transaction)
            .await
            .map_err(said)?;
        self.note(&mut transaction, Deed::KeyRevoked, prefix)
            .await?;
        transaction.commit().await.map_err(said)?;
        row.key().map(Some)
    }

    /// Has webhooks of the key that is shown as `prefix` signed with this secret from now on, and with the one before beside it;
    /// with none they are signed with the latest alone. The key as it is now, or none if there is no such key.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn change_webhook_secret(
        &self,
        prefix: &str,
        secret: Option<&str>,
    ) -> Result<Option<Key>> {
        let said = |error| failed("change the webhook secret of a key", error);
        let mut transaction = self.database.begin().await.map_err(said)?;
        let row = key_rows!(
            // separated by a space, as signing reads two: a version that knows no rotation signs with both as well
            "update api_keys set webhook_secret =
                nullif(concat_ws(' ', $2::text, nullif(split_part(webhook_secret, ' ', 1), $2::text)), '')
            where prefix = $1 returning",
            "",
            prefix,
            secret,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(said)?;
        let Some(row) = row else { return Ok(None) };
        self.note(&mut transaction, Deed::KeySecretChanged, prefix)
            .await?;
        transaction.commit().await.map_err(said)?;
        row.key().map(Some)
    }

    /// Lets a browser in with this key for so long, or until the key's own end; its secret, and until when it is good.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn open_session(
        &self,
        key: &Key,
        time: Duration,
    ) -> Result<(Credential, DateTime<Utc>)> {
        let said = |error| failed("let a browser in", error);
        let credential = Credential::new_session();
        let mut transaction = self.database.begin().await.map_err(said)?;
        let until = sqlx::query_scalar!(
            "insert into sessions (hash, key, expires_at)
            values ($1, $2, least(now() + make_interval(secs => $3), $4)) returning expires_at",
            &credential.hash(),
            key.id,
            time.as_secs_f64(),
            key.expires_at,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(said)?;
        self.note(&mut transaction, Deed::SessionOpened, &key.prefix)
            .await?;
        transaction.commit().await.map_err(said)?;
        Ok((credential, until))
    }

    /// Ends a session; whether there was one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn close_session(&self, session: &Credential) -> Result<bool> {
        let said = |error| failed("end a session", error);
        let mut transaction = self.database.begin().await.map_err(said)?;
        let prefix = sqlx::query_scalar!(
            "delete from sessions using api_keys where sessions.hash = $1 and api_keys.id = sessions.key
            returning api_keys.prefix",
            &session.hash(),
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(said)?;
        let Some(prefix) = prefix else {
            return Ok(false);
        };
        self.note(&mut transaction, Deed::SessionClosed, &prefix)
            .await?;
        transaction.commit().await.map_err(said)?;
        Ok(true)
    }

    /// What webhooks of this job are signed with, if its owner has a secret of his own: one, or two separated by a space.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn webhook_secret(&self, job: Uuid) -> Result<Option<String>> {
        let secret = sqlx::query_scalar!(
            "select webhook_secret from jobs join api_keys on api_keys.id = jobs.owner where jobs.id = $1",
            job,
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed("look for the secret of a webhook", error))?;
        Ok(secret.flatten())
    }
}
