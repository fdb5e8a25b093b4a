//! What people let everybody see: consent, its withdrawal, and the gallery.
//! The API calls it. What must stay true: nothing is in the gallery without consent, and nothing whose data was removed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::audit::Deed;
use super::database::Transaction;
use super::reading;
use super::row::{JobRow, failed, job_rows, jobs};
use crate::error::Result;
use crate::job::Job;

const DOING: &str = "let everybody see a story";

/// What became of a wish to show a story, or not to.
#[derive(Clone, Debug)]
pub enum Shared {
    /// So it is.
    Done(Box<Job>),
    /// Its data was removed: there is nothing to show.
    Removed,
    /// There is no such story.
    NotFound,
}

/// A page of the gallery.
#[derive(Clone, Debug, Default)]
pub struct Gallery {
    /// The stories, the one that was shared last first.
    pub jobs: Vec<Job>,
    /// How many more there are among them that this version cannot read.
    pub unreadable: u64,
    /// If there are more: where the next page begins.
    pub next: Option<Place>,
}

/// A place in the gallery: after the story that was shared then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it was shared.
    pub shared_at: DateTime<Utc>,
    /// Which one it is.
    pub id: Uuid,
}

impl Store {
    /// Puts a story into the gallery, where it is shown once it is told.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn share(&self, id: Uuid) -> Result<Shared> {
        let mut transaction = self.begin_sharing().await?;
        let row = job_rows!(
            "update jobs set shared_at = coalesce(shared_at, now())
            where id = $1 and kind = 'story' and data_removed_at is null
            returning",
            "",
            id
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(|error| failed(DOING, error))?;
        self.shared(transaction, row, id, Deed::StoryShared).await
    }

    /// Takes a story out of the gallery.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn unshare(&self, id: Uuid) -> Result<Shared> {
        let mut transaction = self.begin_sharing().await?;
        let row = job_rows!(
            "update jobs set shared_at = null where id = $1 and kind = 'story' and data_removed_at is null returning",
            "",
            id
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(|error| failed(DOING, error))?;
        self.shared(transaction, row, id, Deed::StoryUnshared).await
    }

    async fn begin_sharing(&self) -> Result<Transaction> {
        let begun = self.database.begin().await;
        begun.map_err(|error| failed(DOING, error))
    }

    async fn shared(
        &self,
        mut transaction: Transaction,
        row: Option<JobRow>,
        id: Uuid,
        deed: Deed,
    ) -> Result<Shared> {
        if let Some(row) = row {
            self.note(&mut transaction, deed, &id.to_string()).await?;
            transaction
                .commit()
                .await
                .map_err(|error| failed(DOING, error))?;
            return Ok(Shared::Done(Box::new(row.job()?)));
        }
        // on the same connection: callers who each hold one and wait for another would wait for ever
        let job = reading::get(&mut *transaction, id).await?;
        let removed = job.is_some_and(|job| job.data_removed_at.is_some());
        Ok(if removed {
            Shared::Removed
        } else {
            Shared::NotFound
        })
    }

    /// Up to `limit` shared stories that are told, the last one shared first, from `after` on.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn gallery(&self, after: Option<Place>, limit: u32) -> Result<Gallery> {
        let mut rows = job_rows!(
            "select",
            "from jobs
            where shared_at is not null and state = 'succeeded' and data_removed_at is null
                and (shared_at, id) < (coalesce($1, 'infinity'::timestamptz), $2)
            order by shared_at desc, id desc limit $3",
            after.map(|place| place.shared_at) as Option<DateTime<Utc>>,
            after.map_or(Uuid::max(), |place| place.id),
            // one more than shown tells whether there is a next page
            i64::from(limit) + 1,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("look at the gallery", error))?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows.last().filter(|_| more);
        let next = last.and_then(|row| {
            let (shared_at, id) = (row.shared_at?, row.id);
            Some(Place { shared_at, id })
        });
        let listed = jobs(rows);
        Ok(Gallery {
            jobs: listed.jobs,
            unreadable: listed.unreadable,
            next,
        })
    }
}
