//! Uploads that a caller has announced and whose story is not asked for yet: how many he may have at once.
//! The API opens and closes them, the pictures themselves go past it. What must stay true: of two that are announced at once
//! no more are open than may be, an upload whose time is over counts no more, and no caller leaves more rows than he may have.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::row::failed;
use crate::error::Result;

const OPENING: &str = "open an upload";

/// Whether one more may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is open now; so many more may be.
    Done {
        /// How many.
        left: u32,
    },
    /// The caller has as many open as he may.
    Full {
        /// When the time of the first of them is over.
        until: DateTime<Utc>,
    },
}

impl Store {
    /// Opens an upload for the caller of this store, for so long, if he has fewer than `most`. Callers without a key are
    /// counted as one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn open_upload(&self, id: Uuid, valid: Duration, most: u32) -> Result<Opening> {
        let said = |error| failed(OPENING, error);
        let owner = self.owner().unwrap_or_default();
        let mut transaction = self.database.begin().await.map_err(said)?;
        // others who announce for the same caller wait here
        sqlx::query_scalar!(
            r#"select pg_advisory_xact_lock(hashtextextended('uploads of ' || $1::uuid, 0))::text as "locked""#,
            owner,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(said)?;
        sqlx::query!(
            "delete from open_uploads where owner = $1 and until < now()",
            owner
        )
        .execute(&mut *transaction)
        .await
        .map_err(said)?;
        let open = sqlx::query!(
            r#"select count(*) as "count!", min(until) as first from open_uploads where owner = $1"#,
            owner,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(said)?;
        let left = i64::from(most) - open.count - 1;
        if let Some(until) = open.first.filter(|_| left < 0) {
            return Ok(Opening::Full { until });
        }
        sqlx::query!(
            "insert into open_uploads (id, owner, until) values ($1, $2, now() + make_interval(secs => $3))",
            id,
            owner,
            valid.as_secs_f64(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(said)?;
        transaction.commit().await.map_err(said)?;
        let left = u32::try_from(left).unwrap_or_default();
        Ok(Opening::Done { left })
    }

    /// Closes an upload of this caller: its story was asked for.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn close_upload(&self, id: Uuid, owner: Option<Uuid>) -> Result<()> {
        sqlx::query!(
            "delete from open_uploads where id = $1 and owner = $2",
            id,
            owner.unwrap_or_default(),
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed("close an upload", error))?;
        Ok(())
    }
}
