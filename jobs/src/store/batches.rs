//! Many pictures at once: a batch, its stories and the pictures that were not taken.
//! The API submits and shows them; triggers count (`migrations/0022_batches.sql`). What must stay true: a batch is accepted
//! with all its stories in one transaction, so no story of it is lost and none is told twice.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::events::known_state;
use super::reusing::{known, one_at_a_time};
use super::row::{count, failed, read, read_optional, write};
use super::submitting::Insert;
use super::{Idempotency, NewJob, QueueLimit, Store, Submitted};
use crate::error::Result;
use crate::job::{Cache, JobError, State};
use crate::key::Quota;

const DOING: &str = "accept a batch";
const READING: &str = "read a batch";

/// A batch as it is handed in.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// A new id.
    pub id: Uuid,
    /// Its stories, at least one, each with its place among the pictures that were sent.
    pub jobs: Vec<(u32, NewJob)>,
    /// The pictures that were not taken.
    pub refused: Vec<RefusedPicture>,
    /// Who is told when all stories have ended.
    pub webhook_url: Option<String>,
    /// Makes a repeated submit harmless; those of the single stories do not count.
    pub idempotency: Option<Idempotency>,
}

/// A picture of a batch that was not taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedPicture {
    /// Its place among the pictures that were sent, from 0.
    pub number: u32,
    /// What was said of it.
    pub error: Value,
}

/// What became of the submit of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchSubmitted {
    /// All its stories are accepted: whether each had to be told.
    New(Vec<Cache>),
    /// The same was submitted before under the same key: this is its batch.
    Same(Uuid),
    /// Something else was submitted before under the same key.
    OtherRequest,
    /// There is no room for all of them: none is accepted.
    Full(QueueLimit),
    /// The caller has handed in as much as he may for now: none is accepted.
    OverQuota(Quota),
}

/// A batch as it stands.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: Uuid,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When the last of its stories ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many pictures were sent.
    pub size: u32,
    /// Its stories in the order of the pictures; those that are forgotten by now are not among them.
    pub stories: Vec<BatchStory>,
    /// The pictures that were not taken.
    pub refused: Vec<RefusedPicture>,
    /// Who is told of the end.
    pub webhook_url: Option<String>,
}

/// As much of a story of a batch as is shown with the others.
#[derive(Clone, Debug)]
pub struct BatchStory {
    /// The place of its picture, from 0.
    pub number: u32,
    /// Its job.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// Once succeeded: the text.
    pub text: Option<String>,
    /// Why it failed, or why the attempt before did.
    pub error: Option<JobError>,
}

impl Store {
    /// Accepts a batch, in one transaction; workers are told.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then it may or may not have been accepted.
    pub async fn submit_batch(&self, mut batch: NewBatch) -> Result<BatchSubmitted> {
        for (_, job) in &mut batch.jobs {
            *job = self.among_his_own(job.clone());
        }
        let said = |error| failed(DOING, error);
        let mut transaction = self.database.begin().await.map_err(said)?;
        if let Some(idempotency) = &batch.idempotency
            && let Some(known) = self.submitted_before(&mut transaction, idempotency).await?
        {
            return Ok(of_job(known));
        }
        let waiting = self.waiting(&mut transaction).await?;
        let stories = u32::try_from(batch.jobs.len()).unwrap_or(u32::MAX);
        let bytes = batch.jobs.iter().map(|(_, job)| job.image.bytes).sum();
        if let Some(limit) = waiting.limit(&self.rules, stories, bytes) {
            return Ok(BatchSubmitted::Full(limit));
        }
        if let Some(quota) = self.charge(&mut transaction, stories).await? {
            return Ok(BatchSubmitted::OverQuota(quota));
        }
        one_at_a_time(&mut transaction, batch.jobs.iter().map(|(_, job)| job)).await?;
        sqlx::query!(
            "insert into batches (id, size, open, refused, webhook_url, owner) values ($1, $2, $3, $4, $5, $6)",
            batch.id,
            i32::try_from(batch.jobs.len() + batch.refused.len()).unwrap_or(i32::MAX),
            i32::try_from(stories).unwrap_or(i32::MAX),
            write(DOING, &batch.refused)?,
            batch.webhook_url,
            self.owner(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(said)?;
        let mut caches = Vec::with_capacity(batch.jobs.len());
        for (number, job) in &batch.jobs {
            let insert = Insert {
                job,
                place: Some((batch.id, *number)),
                known: known(self, &mut transaction, job).await?,
            };
            caches.push(self.insert(&mut transaction, insert).await?.cache);
        }
        if let Some(idempotency) = &batch.idempotency
            && let Some((_, first)) = batch.jobs.first()
            && !self
                .remember(&mut transaction, idempotency, first.id)
                .await?
        {
            transaction.rollback().await.map_err(said)?;
            return Ok(of_job(self.submitted_meanwhile(idempotency).await?));
        }
        transaction.commit().await.map_err(said)?;
        self.room.accepted(stories, bytes);
        Ok(BatchSubmitted::New(caches))
    }

    /// What a submit under this key has led to already.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn submitted_batch(
        &self,
        idempotency: &Idempotency,
    ) -> Result<Option<BatchSubmitted>> {
        Ok(self.submitted(idempotency).await?.map(of_job))
    }

    /// The batch, if there is one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn batch(&self, id: Uuid) -> Result<Option<Batch>> {
        let said = |error| failed(READING, error);
        // of one moment: a batch that has not finished has a story that has not ended
        let mut transaction = self.database.begin_reading().await.map_err(said)?;
        let row = sqlx::query!(
            "select created_at, finished_at, size, refused, webhook_url from batches where id = $1",
            id,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(said)?;
        let Some(row) = row else { return Ok(None) };
        let stories = sqlx::query!(
            r#"select batch_number as "number!", id, state, result ->> 'story' as text, error
            from jobs where batch = $1 order by batch_number"#,
            id,
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(said)?;
        let stories = stories.into_iter().filter_map(|story| {
            Some(BatchStory {
                number: count(story.number),
                id: story.id,
                state: known_state(story.id, &story.state)?,
                text: story.text,
                // the state alone says more than no story at all
                error: read_optional(READING, story.error).unwrap_or_default(),
            })
        });
        Ok(Some(Batch {
            id,
            created_at: row.created_at,
            finished_at: row.finished_at,
            size: count(row.size),
            stories: stories.collect(),
            refused: read(READING, row.refused)?,
            webhook_url: row.webhook_url,
        }))
    }
}

/// A key remembers one job: the first of the batch. What came in with a job alone was another request.
fn of_job(known: Submitted) -> BatchSubmitted {
    match known {
        Submitted::New(job) | Submitted::Same(job) => job
            .batch
            .map_or(BatchSubmitted::OtherRequest, BatchSubmitted::Same),
        Submitted::OtherRequest => BatchSubmitted::OtherRequest,
        Submitted::Full(limit) => BatchSubmitted::Full(limit),
        Submitted::OverQuota(quota) => BatchSubmitted::OverQuota(quota),
    }
}
