//! Who did what: a line for each deed that somebody may ask about later, written in the transaction of the deed itself.
//! Every part of the store that does such a thing writes here; the command line reads. What must stay true: a deed of a known
//! caller that is done is written down, and what is written has neither keys nor pictures nor words of stories in it.

use super::Store;
use super::database::Connection;
use super::row::failed;
use crate::error::Result;
use crate::key::AuditEntry;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    KeyCreated,
    KeyRevoked,
    KeySecretChanged,
    SessionOpened,
    SessionClosed,
    StoryCancelled,
    StoryDeleted,
    StoryRetried,
    StoryShared,
    StoryUnshared,
    StyleAdded,
    StyleRemoved,
    WebhookReplayed,
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Deed::KeyCreated => "key.created",
            Deed::KeyRevoked => "key.revoked",
            Deed::KeySecretChanged => "key.secret_changed",
            Deed::SessionOpened => "session.opened",
            Deed::SessionClosed => "session.closed",
            Deed::StoryCancelled => "story.cancelled",
            Deed::StoryDeleted => "story.deleted",
            Deed::StoryRetried => "story.retried",
            Deed::StoryShared => "story.shared",
            Deed::StoryUnshared => "story.unshared",
            Deed::StyleAdded => "style.added",
            Deed::StyleRemoved => "style.removed",
            Deed::WebhookReplayed => "webhook.replayed",
        }
    }
}

impl Store {
    /// Writes down that whoever this store acts for has done something. Nobody's deeds have nobody to be asked about.
    pub(super) async fn note(
        &self,
        connection: &mut Connection,
        deed: Deed,
        object: &str,
    ) -> Result<()> {
        let Some(actor) = &self.actor else {
            return Ok(());
        };
        sqlx::query!(
            "insert into audit (who, what, object, origin) values ($1, $2, $3, $4)",
            actor.name,
            deed.name(),
            object,
            actor.origin,
        )
        .execute(connection)
        .await
        .map(drop)
        .map_err(|error| failed("write down who did what", error))
    }

    /// The last deeds, the last one first.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>> {
        sqlx::query_as!(
            AuditEntry,
            "select at, who, what, object, origin from audit order by id desc limit $1",
            i64::from(limit),
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("read who did what", error))
    }

    /// Forgets deeds of more than a year ago, sessions that have ended and days long counted, some at a time; how many rows.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn forget_accounts(&self, most: u32) -> Result<u64> {
        let said = |error| failed("forget what accounts no longer need", error);
        let most = i64::from(most);
        let deeds = sqlx::query!(
            "delete from audit where id in (
                select id from audit where at < now() - interval '1 year' order by at limit $1 for update skip locked
            )",
            most,
        )
        .execute(&self.database)
        .await
        .map_err(said)?;
        let sessions = sqlx::query!(
            "delete from sessions where hash in (
                select hash from sessions where expires_at < now() limit $1 for update skip locked
            )",
            most,
        )
        .execute(&self.database)
        .await
        .map_err(said)?;
        let days =
            sqlx::query!("delete from key_days where day < (now() at time zone 'utc')::date - 40")
                .execute(&self.database)
                .await
                .map_err(said)?;
        Ok(deeds.rows_affected() + sessions.rows_affected() + days.rows_affected())
    }
}
