//! Another life for a job that has ended without a story: the way out of the dead letters.
//! The API calls it for people. What must stay true: what was told stays told, and everything that happened before is
//! kept in the log of attempts.

use uuid::Uuid;

use super::audit::Deed;
use super::row::{failed, job_rows};
use super::{Retried, Store, reading};
use crate::error::Result;
use crate::job::State;

const DOING: &str = "put a job back into the queue";

impl Store {
    /// Puts a failed, cancelled or expired story back into the queue with all its attempts before it. A deadline that
    /// has passed is forgotten: whoever asks now wants the story now. It counts as a story that is handed in.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn retry(&self, id: Uuid) -> Result<Retried> {
        let said = |error| failed(DOING, error);
        let mut transaction = self.database.begin().await.map_err(said)?;
        let row = job_rows!(
            "update jobs
            set state = 'queued', attempts = 0, due_at = now(), finished_at = null, follows = null, answered = null,
                error = case when state = 'failed' then error end,
                deadline = case when deadline > now() then deadline end
            where id = $1 and kind = 'story' and state in ('failed', 'cancelled', 'expired')
                and data_removed_at is null
            returning",
            "",
            id
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(said)?;
        if let Some(row) = row {
            // after the change, so that it costs nothing to ask for what is not done; the job itself counts as waiting by now
            if let Some(quota) = self.charge_retry(&mut transaction).await? {
                return Ok(Retried::OverQuota(quota));
            }
            self.note(&mut transaction, Deed::StoryRetried, &id.to_string())
                .await?;
            transaction.commit().await.map_err(said)?;
            return Ok(Retried::Done(row.job()?));
        }
        // on the same connection: callers who each hold one and wait for another would wait for ever
        Ok(match reading::get(&mut *transaction, id).await? {
            None => Retried::NotFound,
            Some(job) if job.data_removed_at.is_some() => Retried::Removed,
            Some(job) if job.state == State::Succeeded => Retried::Told(job),
            Some(job) => Retried::UnderWay(job),
        })
    }
}
