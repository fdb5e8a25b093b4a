//! How a job comes into the table: one transaction, after which it cannot be lost.
//! The API calls it when the picture is kept. What must stay true: with an idempotency key there is one job however
//! often the same submit arrives, also when two arrive at the same moment.

use uuid::Uuid;

use super::database::Connection;
use super::reusing::{Known, known};
use super::row::{failed, job_rows, lane, write};
use super::{Idempotency, NewJob, Store, Submitted};
use crate::error::Result;
use crate::job::{Job, State};

const DOING: &str = "accept a job";

/// A row to be written.
pub(super) struct Insert<'a> {
    /// The job.
    pub(super) job: &'a NewJob,
    /// The batch it comes with, and its place there.
    pub(super) place: Option<(Uuid, u32)>,
    /// What is known of its story.
    pub(super) known: Known,
}

impl Store {
    /// Accepts a job, in one transaction; workers are told. A request to draw without a seed is given one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then the job may or may not have been accepted.
    pub async fn submit(&self, job: NewJob) -> Result<Submitted> {
        let job = self.among_his_own(job);
        let begun = match &job.telling {
            Some(telling) => self.database.begin_alone(telling).await,
            None => self.database.begin().await,
        };
        let mut transaction = begun.map_err(|error| failed(DOING, error))?;
        if let Some(idempotency) = &job.idempotency
            && let Some(known) = self.submitted_before(&mut transaction, idempotency).await?
        {
            return Ok(known);
        }
        let waiting = self.waiting(&mut transaction).await?;
        if let Some(limit) = waiting.limit(&self.rules, 1, job.image.bytes) {
            return Ok(Submitted::Full(limit));
        }
        if let Some(quota) = self.charge(&mut transaction, 1).await? {
            return Ok(Submitted::OverQuota(quota));
        }
        let insert = Insert {
            job: &job,
            place: None,
            known: known(self, &mut transaction, &job).await?,
        };
        let accepted = self.insert(&mut transaction, insert).await?;
        if let Some(idempotency) = &job.idempotency
            && !self.remember(&mut transaction, idempotency, job.id).await?
        {
            // the same key came in between; what it stands for is visible now that it is committed
            transaction
                .rollback()
                .await
                .map_err(|error| failed(DOING, error))?;
            return self.submitted_meanwhile(idempotency).await;
        }
        transaction
            .commit()
            .await
            .map_err(|error| failed(DOING, error))?;
        if accepted.state == State::Queued {
            self.room.accepted(1, job.image.bytes);
        }
        Ok(Submitted::New(accepted))
    }

    /// What a submit under this key has led to already: its job, or that the request was another.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn submitted(&self, idempotency: &Idempotency) -> Result<Option<Submitted>> {
        let mut connection = self
            .database
            .acquire()
            .await
            .map_err(|error| failed(DOING, error))?;
        self.submitted_before(&mut connection, idempotency).await
    }

    /// One whose story is known ends as it comes, and one that another job tells is not due before that has ended.
    pub(super) async fn insert(
        &self,
        connection: &mut Connection,
        insert: Insert<'_>,
    ) -> Result<Job> {
        let Insert { job, place, known } = insert;
        let request = job.request.clone().filled_in();
        let number = place.map(|(_, number)| i32::try_from(number).unwrap_or(i32::MAX));
        let answered = known.answered();
        let (result, said) = known.story.unzip();
        job_rows!(
            "insert into jobs (id, request, image, lane, deadline, max_attempts, batch, batch_number, telling, answered,
                follows, result, said, owner, traceparent, state, due_at, started_at, finished_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                case when $12::jsonb is null then 'queued' else 'succeeded' end,
                case when $11::uuid is null then now() else '9999-12-31' end,
                case when $12 is not null then now() end, case when $12 is not null then now() end)
            returning",
            "",
            job.id,
            write(DOING, &request)?,
            write(DOING, &job.image)?,
            lane(request.priority),
            request.deadline,
            i32::try_from(self.rules.max_attempts).unwrap_or(i32::MAX),
            place.map(|(batch, _)| batch),
            number,
            known.telling,
            answered,
            known.under_way,
            result,
            said,
            self.owner(),
            self.traceparent.as_deref(),
        )
        .fetch_one(connection)
        .await
        .map_err(|error| failed(DOING, error))?
        .job()
    }

    pub(super) async fn submitted_meanwhile(&self, idempotency: &Idempotency) -> Result<Submitted> {
        let known = self.submitted(idempotency).await?;
        known.ok_or_else(|| failed(DOING, sqlx::Error::RowNotFound))
    }

    /// What an earlier submit under this key has led to.
    pub(super) async fn submitted_before(
        &self,
        connection: &mut Connection,
        idempotency: &Idempotency,
    ) -> Result<Option<Submitted>> {
        let known = sqlx::query!(
            "select job, fingerprint from idempotency_keys where key = $1 and created_at > now() - interval '24 hours'",
            self.own_name(&idempotency.key),
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(|error| failed(DOING, error))?;
        let Some(known) = known else {
            return Ok(None);
        };
        if known.fingerprint != idempotency.fingerprint {
            return Ok(Some(Submitted::OtherRequest));
        }
        let row = job_rows!("select", "from jobs where id = $1", known.job)
            .fetch_one(connection)
            .await
            .map_err(|error| failed(DOING, error))?;
        Ok(Some(Submitted::Same(row.job()?)))
    }

    /// Writes the key down, unless somebody else has meanwhile. Waits for one who is about to.
    pub(super) async fn remember(
        &self,
        connection: &mut Connection,
        idempotency: &Idempotency,
        job: Uuid,
    ) -> Result<bool> {
        let written = sqlx::query!(
            "insert into idempotency_keys (key, fingerprint, job) values ($1, $2, $3)
             on conflict (key) do update set fingerprint = $2, job = $3, created_at = now()
             where idempotency_keys.created_at <= now() - interval '24 hours'",
            self.own_name(&idempotency.key),
            idempotency.fingerprint,
            job,
        )
        .execute(connection)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(written.rows_affected() == 1)
    }
}
