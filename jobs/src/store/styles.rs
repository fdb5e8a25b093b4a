//! The styles that can be asked for: those of the workers' bundle, as they have registered them, and those that callers
//! have added to it.
//! What must stay true: the API knows no styles of its own, so a request is refused only for what no worker can do; and
//! an added style is there for everybody in the moment in which its job has succeeded.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::audit::Deed;
use super::database::Connection;
use super::row::{count, failed, read, read_optional, write};
use super::{Catalogue, NewJob, Store};
use crate::error::{Error, Result};
use crate::job::StyleEntry;
use crate::request::StoryRequest;
use crate::style::{AddedStyle, LearntStyle, StyleDraft, StyleStanding, StyleSubmitted};

const DOING: &str = "accept a style";

impl Store {
    /// Makes these the styles that can be asked for; each worker does so when it starts.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn register_styles(&self, bundle: &str, styles: &[StyleEntry]) -> Result<()> {
        let doing = "register the styles of a bundle";
        sqlx::query!(
            "insert into bundles (bundle, styles, registered_at) values ($1, $2, clock_timestamp())
            on conflict (bundle) do update set styles = $2, registered_at = clock_timestamp()",
            bundle,
            write(doing, &styles)?,
        )
        .execute(&self.database)
        .await
        .map_err(|error| failed(doing, error))?;
        Ok(())
    }

    /// The styles that can be asked for, the bundle's first; none until a worker has registered. Of the added ones a caller who
    /// is not to see everybody's sees his own.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn styles(&self) -> Result<Option<Catalogue>> {
        let doing = "read the styles";
        let row =
            sqlx::query!("select bundle, styles from bundles order by registered_at desc limit 1")
                .fetch_optional(&self.database)
                .await
                .map_err(|error| failed(doing, error))?;
        let Some(row) = row else {
            return Ok(None);
        };
        let mut styles: Vec<StyleEntry> = read("read the styles of a bundle", row.styles)?;
        self.own_styles.learn(&styles);
        let added = sqlx::query!(
            r#"select name, description, source, passages as "passages!" from styles
            where bundle = $1 and ($2::uuid is null or exists (
                select from jobs where jobs.id = styles.job and jobs.owner = $2
            )) order by name"#,
            row.bundle,
            self.sees_only(),
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(doing, error))?;
        styles.extend(added.into_iter().map(|style| StyleEntry {
            name: style.name,
            description: style.description,
            passages: count(style.passages),
            source: style.source,
        }));
        Ok(Some(Catalogue {
            bundle: row.bundle,
            styles,
        }))
    }

    /// Whether all of these are styles of the bundle itself, as far as is known without asking: a no says nothing.
    pub fn are_of_the_bundle(&self, names: &[String]) -> bool {
        self.own_styles.has(names)
    }

    /// Accepts a draft as a job, in one transaction; workers are told. A style that could not be made gives up its name.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then it may or may not have been accepted.
    pub async fn submit_style(&self, draft: &StyleDraft) -> Result<StyleSubmitted> {
        let said = |error| failed(DOING, error);
        let sha256 = hex::encode(Sha256::digest(&draft.text));
        let mut transaction = self.database.begin().await.map_err(said)?;
        let queued = self.waiting(&mut transaction).await?.stories;
        let room = self.room_for_text(&mut transaction, draft).await?;
        if queued >= self.rules.max_queued || !room {
            return Ok(StyleSubmitted::Full { queued });
        }
        if let Some(quota) = self.charge(&mut transaction, 1).await? {
            return Ok(StyleSubmitted::OverQuota(quota));
        }
        self.free_name(&mut transaction, &draft.name).await?;
        let id = self.insert_style_job(&mut transaction).await?;
        let written = sqlx::query!(
            "insert into styles (name, job, description, source, text, sha256) values ($1, $2, $3, $4, $5, $6)
            on conflict (name) do nothing",
            draft.name,
            id,
            draft.description,
            draft.source,
            draft.text,
            sha256,
        )
        .execute(&mut *transaction)
        .await
        .map_err(said)?;
        if written.rows_affected() == 0 {
            transaction.rollback().await.map_err(said)?;
            return self.submitted_style(draft, &sha256).await;
        }
        self.note(&mut transaction, Deed::StyleAdded, &draft.name)
            .await?;
        transaction.commit().await.map_err(said)?;
        self.standing(draft).await.map(StyleSubmitted::New)
    }

    /// Whether this text and those that wait are together no more than may wait.
    async fn room_for_text(&self, connection: &mut Connection, draft: &StyleDraft) -> Result<bool> {
        let waiting = sqlx::query_scalar!(
            r#"select coalesce(sum(octet_length(text)), 0)::bigint as "bytes!"
            from styles join jobs on jobs.id = styles.job
            where text is not null and state in ('queued', 'running')"#,
        )
        .fetch_one(connection)
        .await
        .map_err(|error| failed(DOING, error))?;
        let bytes = waiting.unsigned_abs() + draft.text.len() as u64;
        Ok(bytes <= self.rules.max_queued_text)
    }

    async fn insert_style_job(&self, connection: &mut Connection) -> Result<Uuid> {
        let id = NewJob::id();
        sqlx::query!(
            // a style has no wishes: the request is there because every job has one
            "insert into jobs (id, kind, request, lane, max_attempts, owner, traceparent)
            values ($1, 'style', $2, 5, $3, $4, $5)",
            id,
            write(DOING, &StoryRequest::default())?,
            i32::try_from(self.rules.max_attempts).unwrap_or(i32::MAX),
            self.owner(),
            self.traceparent.as_deref(),
        )
        .execute(connection)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(id)
    }

    async fn submitted_style(&self, draft: &StyleDraft, sha256: &str) -> Result<StyleSubmitted> {
        let same = sqlx::query_scalar!(
            // of another caller's style nothing is said but that the name is taken
            r#"select sha256 = $2 and ($3::uuid is null or jobs.owner = $3) as "same"
            from styles join jobs on jobs.id = styles.job where styles.name = $1"#,
            draft.name,
            sha256,
            self.sees_only(),
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        match same {
            Some(Some(true)) => self.standing(draft).await.map(StyleSubmitted::Same),
            _ => Ok(StyleSubmitted::Taken),
        }
    }

    async fn standing(&self, draft: &StyleDraft) -> Result<StyleStanding> {
        let standing = self.style(&draft.name).await?;
        standing.ok_or_else(|| Error::unexpected(DOING, "it was removed in the same moment"))
    }

    /// An added style as it stands, if there is one of this name that the caller may see.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn style(&self, name: &str) -> Result<Option<StyleStanding>> {
        let doing = "read a style";
        let row = sqlx::query!(
            "select styles.name, description, source, passages, state, stage, error
            from styles join jobs on jobs.id = styles.job
            where styles.name = $1 and ($2::uuid is null or jobs.owner = $2)",
            name,
            self.sees_only(),
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed(doing, error))?;
        row.map(|row| {
            Ok(StyleStanding {
                entry: StyleEntry {
                    name: row.name,
                    description: row.description,
                    passages: row.passages.map_or(0, count),
                    source: row.source,
                },
                state: row
                    .state
                    .parse()
                    .map_err(|error: String| Error::unexpected(doing, error))?,
                stage: read_optional(doing, row.stage)?,
                error: read_optional(doing, row.error)?,
            })
        })
        .transpose()
    }

    /// What a job is to make a style of; none if the style was removed meanwhile.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn style_draft(&self, job: Uuid) -> Result<Option<StyleDraft>> {
        sqlx::query_as!(
            StyleDraft,
            r#"select name, description, source, text as "text!" from styles where job = $1 and text is not null"#,
            job,
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed("read the text of a style", error))
    }

    /// Those of these styles that were added to this bundle, for this job: its owner's own, or anybody's for an admin. The name may
    /// be another caller's by now, whose style is none of this one's business.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn added_styles(
        &self,
        bundle: &str,
        names: &[String],
        job: Uuid,
    ) -> Result<Vec<AddedStyle>> {
        sqlx::query_as!(
            AddedStyle,
            r#"with asking as (
                select (select owner from jobs where id = $3) as owner
            )
            select styles.job, styles.name, styles.vector as "vector!"
            from asking, styles join jobs on jobs.id = styles.job
            where styles.bundle = $1 and styles.name = any($2) and (
                jobs.owner is not distinct from asking.owner
                or exists (select from api_keys where api_keys.id = asking.owner and scope = 'admin')
            )"#,
            bundle,
            names,
            job,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("read added styles", error))
    }

    /// Takes an added style away, also one that is being made; whether there was one that the caller may see.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn remove_style(&self, name: &str) -> Result<bool> {
        let said = |error| failed("remove a style", error);
        let mut transaction = self.database.begin().await.map_err(said)?;
        // its row goes with its job, and a worker that is at it finds its lease gone
        let removed = sqlx::query!(
            "delete from jobs using styles
            where styles.name = $1 and jobs.id = styles.job and ($2::uuid is null or jobs.owner = $2)",
            name,
            self.sees_only(),
        )
        .execute(&mut *transaction)
        .await
        .map_err(said)?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        self.note(&mut transaction, Deed::StyleRemoved, name)
            .await?;
        transaction.commit().await.map_err(said)?;
        Ok(true)
    }

    /// A style that could not be made is forgotten when its name is wanted again.
    async fn free_name(&self, connection: &mut Connection, name: &str) -> Result<()> {
        sqlx::query!(
            "delete from jobs using styles
            where styles.name = $1 and jobs.id = styles.job and jobs.state in ('failed', 'cancelled', 'expired')
                and ($2::uuid is null or jobs.owner = $2)",
            name,
            self.sees_only(),
        )
        .execute(connection)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(())
    }
}

/// Keeps what a job has made, in the transaction in which it succeeds.
pub(super) async fn keep(
    connection: &mut Connection,
    job: Uuid,
    style: &LearntStyle,
) -> Result<()> {
    sqlx::query!(
        "update styles set bundle = $2, passages = $3, vector = $4, text = null where job = $1",
        job,
        style.bundle,
        i32::try_from(style.passages).unwrap_or(i32::MAX),
        &style.vector,
    )
    .execute(connection)
    .await
    .map_err(|error| failed("keep a style", error))?;
    Ok(())
}
