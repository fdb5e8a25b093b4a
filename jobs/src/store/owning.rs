//! Whose a story or a batch is, and how much one caller may hand in.
//! The API asks before it shows anything of a job; submits charge the caller in their own transaction. What must stay true: an
//! owner never changes, so an answer may be remembered; and of two submits at once a quota lets through no more than it has.

use uuid::Uuid;

use super::database::Connection;
use super::row::{JobRow, failed, job_rows};
use super::{NewJob, Store};
use crate::error::Result;
use crate::key::{Owned, Quota};

const CHARGING: &str = "count what a caller hands in";
/// What no key of a caller can have in it, because headers are made of visible characters.
const BETWEEN: char = '\u{1f}';

impl Store {
    /// Whose a story is.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn story_owner(&self, id: Uuid) -> Result<Owned> {
        let owner = sqlx::query_scalar!(
            "select owner from jobs where id = $1 and kind = 'story'",
            id
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed("see whose a story is", error))?;
        Ok(owned(owner))
    }

    /// Whether whoever this store acts for may see this story; one that is not there he may not.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn may_see(&self, id: Uuid) -> Result<bool> {
        let owned = self.story_owner(id).await?;
        Ok(match self.sees_only() {
            None => owned != Owned::Missing,
            Some(owner) => owned == Owned::By(owner),
        })
    }

    /// Whose a batch is.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn batch_owner(&self, id: Uuid) -> Result<Owned> {
        let owner = sqlx::query_scalar!("select owner from batches where id = $1", id)
            .fetch_optional(&self.database)
            .await
            .map_err(|error| failed("see whose a batch is", error))?;
        Ok(owned(owner))
    }

    /// Whether everybody may see the picture of a story now: its owner shares it, it is told, and it was not taken back.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn is_on_show(&self, id: Uuid) -> Result<bool> {
        sqlx::query_scalar!(
            r#"select exists (
                select from jobs
                where id = $1 and shared_at is not null and state = 'succeeded' and data_removed_at is null
            ) as "shown!""#,
            id,
        )
        .fetch_one(&self.database)
        .await
        .map_err(|error| failed("see whether a story is shared", error))
    }

    /// Whose things are handed in through this store.
    pub(super) fn owner(&self) -> Option<Uuid> {
        self.actor.as_ref().and_then(|actor| actor.owner)
    }

    /// Whose things alone are seen through this store; none if everybody's are.
    pub(super) fn sees_only(&self) -> Option<Uuid> {
        let actor = self.actor.as_ref().filter(|actor| !actor.sees_all);
        actor.map(|actor| actor.owner.unwrap_or_default())
    }

    /// A caller's name for something, told from the same name of another caller.
    pub(super) fn own_name(&self, name: &str) -> String {
        match self.owner() {
            Some(owner) => format!("{}{BETWEEN}{name}", owner.simple()),
            None => name.to_owned(),
        }
    }

    /// A job that is answered from what the same caller has had told, and from nothing else: `cache: hit` by another's story
    /// would tell that somebody has this picture, and so would the time that it saves.
    pub(super) fn among_his_own(&self, job: NewJob) -> NewJob {
        NewJob {
            telling: job.telling.map(|telling| self.own_name(&telling)),
            ..job
        }
    }

    /// The caller's own stories, as [`Store::list`] has them.
    pub(super) async fn list_own(
        &self,
        owner: Uuid,
        state: Option<&str>,
        before: Uuid,
        most: i64,
    ) -> std::result::Result<Vec<JobRow>, sqlx::Error> {
        match state {
            Some(state) => {
                job_rows!(
                    "select",
                    "from jobs where kind = 'story' and owner = $1 and state = $2 and id < $3 order by id desc limit $4",
                    owner,
                    state,
                    before,
                    most
                )
                .fetch_all(&self.database)
                .await
            }
            None => {
                job_rows!(
                    "select",
                    "from jobs where kind = 'story' and owner = $1 and id < $2 order by id desc limit $3",
                    owner,
                    before,
                    most
                )
                .fetch_all(&self.database)
                .await
            }
        }
    }

    /// Counts so many stories for whoever hands them in; or why he may not. The row of his day is locked until the end of the
    /// transaction, so his submits are counted one after the other.
    pub(super) async fn charge(
        &self,
        connection: &mut Connection,
        stories: u32,
    ) -> Result<Option<Quota>> {
        self.charge_beside(connection, stories, stories).await
    }

    /// The same for a story that waits again already, in this transaction.
    pub(super) async fn charge_retry(&self, connection: &mut Connection) -> Result<Option<Quota>> {
        self.charge_beside(connection, 1, 0).await
    }

    /// Counts `stories` for the day; `coming` of them are not yet among those that wait.
    async fn charge_beside(
        &self,
        connection: &mut Connection,
        stories: u32,
        coming: u32,
    ) -> Result<Option<Quota>> {
        let Some((owner, actor)) = self.owner().zip(self.actor.as_ref()) else {
            return Ok(None);
        };
        let limits = &actor.limits;
        let stories = i32::try_from(stories).unwrap_or(i32::MAX);
        let today = sqlx::query_scalar!(
            "insert into key_days (key, day, stories) values ($1, (now() at time zone 'utc')::date, $2)
            on conflict (key, day) do update set stories = key_days.stories + $2 returning stories",
            owner,
            stories,
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| failed(CHARGING, error))?;
        if let Some(most) = limits.stories_a_day
            && i64::from(today) > i64::from(most)
        {
            return Ok(Some(Quota::Day(most)));
        }
        let Some(most) = limits.waiting else {
            return Ok(None);
        };
        let waiting = sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                select from jobs where owner = $1 and state = 'queued' limit $2
            ) as waiting"#,
            owner,
            i64::from(most) + 1,
        )
        .fetch_one(connection)
        .await
        .map_err(|error| failed(CHARGING, error))?;
        let over = waiting + i64::from(coming) > i64::from(most);
        Ok(over.then_some(Quota::Waiting(most)))
    }
}

fn owned(row: Option<Option<Uuid>>) -> Owned {
    match row {
        None => Owned::Missing,
        Some(None) => Owned::ByNobody,
        Some(Some(owner)) => Owned::By(owner),
    }
}
