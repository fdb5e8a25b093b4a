//! Taking back what somebody sent: picture, story and captions go, the row stays to say so.
//! The API calls it for the owner; whoever keeps to a time of retention may. What must stay true: a story that has not
//! ended is cancelled first, in the same transaction, and what was removed never comes back.

use uuid::Uuid;

use super::Store;
use super::audit::Deed;
use super::finishing::cancel;
use super::row::failed;
use crate::error::Result;

const DOING: &str = "remove what a job has";

/// What is left to be done for a story whose data was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The picture to be deleted, if it is still kept; then say so with [`Store::forget_picture`].
    pub picture: Option<String>,
}

impl Store {
    /// Removes everything that a story has, but for what was asked for and what became of it. As often as you like: as long
    /// as its picture may be there it is named again. None if there is no such story.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn remove_data(&self, id: Uuid) -> Result<Option<Removed>> {
        let mut transaction = self
            .database
            .begin()
            .await
            .map_err(|error| failed(DOING, error))?;
        let story = sqlx::query_scalar!(
            "select id from jobs where id = $1 and kind = 'story' for update",
            id,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(|error| failed(DOING, error))?;
        if story.is_none() {
            return Ok(None);
        }
        cancel(&mut transaction, id).await?;
        let picture = sqlx::query_scalar!(
            r#"update jobs
            set data_removed_at = coalesce(data_removed_at, now()), shared_at = null, result = null,
                events = jsonb_path_query_array(events, '$[*] ? (@.event == "state" || @.event == "end")')
            where id = $1
            returning image ->> 'key'"#,
            id,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(|error| failed(DOING, error))?;
        self.note(&mut transaction, Deed::StoryDeleted, &id.to_string())
            .await?;
        transaction
            .commit()
            .await
            .map_err(|error| failed(DOING, error))?;
        Ok(Some(Removed { picture }))
    }

    /// The picture of a story whose data was removed is deleted.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then it is named by the next [`Store::remove_data`], which does no harm.
    pub async fn forget_picture(&self, id: Uuid) -> Result<()> {
        sqlx::query!(
            "update jobs set image = null where id = $1 and data_removed_at is not null",
            id,
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(())
    }
}
