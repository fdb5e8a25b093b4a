//! Everything that only looks: one job, pages of jobs, attempts, places in the queue and the pace.
//! The API calls it for its answers. What must stay true: nothing here takes a lock or grows with the table.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::database::Database;
use super::row::{JobRow, failed, job_rows, jobs, read_optional};
use super::{Depth, Listed, Store};
use crate::error::Result;
use crate::explanation::Explanation;
use crate::job::{Attempt, Job, State};

impl Store {
    /// The job, if there is one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn get(&self, id: Uuid) -> Result<Option<Job>> {
        let database = self.database.clone();
        let look = move |ids| jobs_of(database.clone(), ids);
        match self.lookers.ask(id, self.database.home(), look).await {
            Some(job) => job,
            None => get(&self.database, id).await,
        }
    }

    /// Up to `limit` stories' jobs, the newest first, of one state if one is given, and older than `before` if it is given.
    /// A caller who is not to see everybody's sees his own.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn list(
        &self,
        state: Option<State>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Listed> {
        let before = before.unwrap_or(Uuid::max());
        // one more than shown tells whether there is a next page
        let most = i64::from(limit) + 1;
        let rows = match (self.sees_only(), state) {
            (Some(owner), state) => {
                let state = state.map(State::name);
                self.list_own(owner, state, before, most).await
            }
            (None, Some(state)) => {
                job_rows!(
                    "select",
                    "from jobs where kind = 'story' and state = $1 and id < $2 order by id desc limit $3",
                    state.name(),
                    before,
                    most
                )
                .fetch_all(&self.database)
                .await
            }
            (None, None) => {
                job_rows!(
                    "select",
                    "from jobs where kind = 'story' and id < $1 order by id desc limit $2",
                    before,
                    most
                )
                .fetch_all(&self.database)
                .await
            }
        };
        let mut rows = rows.map_err(|error| failed("list jobs", error))?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|row| row.id);
        Ok(Listed { next, ..jobs(rows) })
    }

    /// Why a story is the one it is, if it is told and its worker has said so.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn explanation(&self, id: Uuid) -> Result<Option<Explanation>> {
        let said = sqlx::query_scalar!(
            "select result -> 'explanation' from jobs where id = $1 and kind = 'story'",
            id,
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed("read why a story is what it is", error))?;
        read_optional("read why a story is what it is", said.flatten())
    }

    /// Every attempt at a job, the first one first.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn attempts(&self, id: Uuid) -> Result<Vec<Attempt>> {
        let database = self.database.clone();
        let look = move |ids: Vec<Uuid>| {
            let database = database.clone();
            async move { attempts_of(&database, &ids).await }
        };
        match self.history.ask(id, self.database.home(), look).await {
            Some(attempts) => attempts,
            None => Ok(attempts_of(&self.database, &[id])
                .await?
                .remove(&id)
                .unwrap_or_default()),
        }
    }

    /// How much there is to do; who waits for what another job tells makes no work.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn depth(&self) -> Result<Depth> {
        let row = sqlx::query!(
            r#"select count(*) filter (where state = 'queued') as "queued!",
                count(*) filter (where state = 'running') as "running!"
            from jobs where state in ('queued', 'running') and follows is null"#,
        )
        .fetch_one(&self.database)
        .await
        .map_err(|error| failed("count the jobs that wait", error))?;
        Ok(Depth {
            queued: row.queued.unsigned_abs(),
            running: row.running.unsigned_abs(),
        })
    }

    /// The time from one finished story to the next while there was work, over the latest ones of the last ten
    /// minutes. None if there were none. The wait of a queued job is about (position + running + 1) × pace.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn pace(&self) -> Result<Option<Duration>> {
        let rows = sqlx::query!(
            r#"select started_at as "started_at!", finished_at as "finished_at!" from jobs
            where kind = 'story' and state = 'succeeded' and answered is null and finished_at > now() - interval '10 minutes'
            order by finished_at desc limit 20"#,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("measure the pace", error))?;
        Ok(pace_of(
            rows.into_iter()
                .map(|row| (row.started_at, row.finished_at))
                .collect(),
        ))
    }
}

/// What there is of these jobs. One that cannot be read is left out.
async fn jobs_of(database: Database, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Option<Job>>> {
    let rows = job_rows!("select", "from jobs where id = any($1)", &ids)
        .fetch_all(&database)
        .await
        .map_err(|error| failed("read a job", error))?;
    let mut found: HashMap<_, _> = ids.into_iter().map(|id| (id, None)).collect();
    for row in rows {
        let id = row.id;
        match row.job() {
            Ok(job) => found.insert(id, Some(job)),
            Err(_) => found.remove(&id),
        };
    }
    Ok(found)
}

/// Every attempt at each of these jobs, the first one first.
async fn attempts_of(database: &Database, ids: &[Uuid]) -> Result<HashMap<Uuid, Vec<Attempt>>> {
    let rows = sqlx::query!(
        "select job, lease, worker, started_at, ended_at, outcome, error from attempts
        where job = any($1) order by job, lease",
        ids,
    )
    .fetch_all(database)
    .await
    .map_err(|error| failed("list the attempts at a job", error))?;
    let mut found: HashMap<_, Vec<_>> = ids.iter().map(|id| (*id, Vec::new())).collect();
    for row in rows {
        found.entry(row.job).or_default().push(Attempt {
            lease: row.lease,
            worker: row.worker,
            started_at: row.started_at,
            ended_at: row.ended_at,
            outcome: row.outcome,
            error: read_optional("read the error of an attempt", row.error)?,
        });
    }
    Ok(found)
}

/// The job, as this connection sees it.
pub(super) async fn get(connection: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Job>> {
    let row = job_rows!("select", "from jobs where id = $1", id)
        .fetch_optional(connection)
        .await
        .map_err(|error| failed("read a job", error))?;
    row.map(JobRow::job).transpose()
}

/// The time in which at least one of these was being told, divided among them: neither a batch that was told
/// together nor a night without work spoils it.
fn pace_of(mut told: Vec<(DateTime<Utc>, DateTime<Utc>)>) -> Option<Duration> {
    let stories = u32::try_from(told.len())
        .ok()
        .filter(|stories| *stories > 0)?;
    told.sort_unstable();
    let mut busy = Duration::ZERO;
    let mut counted_to = DateTime::<Utc>::MIN_UTC;
    for (start, end) in told {
        let from = start.max(counted_to);
        busy += (end - from).to_std().unwrap_or_default();
        counted_to = counted_to.max(end);
    }
    Some(busy / stories)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + second, 0).unwrap_or_default()
    }

    #[test]
    fn a_batch_told_together_shares_its_time() {
        assert_eq!(
            pace_of(vec![(at(0), at(20)); 4]),
            Some(Duration::from_secs(5))
        );
    }

    #[test]
    fn time_without_work_does_not_count() {
        let pace = pace_of(vec![(at(500), at(510)), (at(0), at(10)), (at(5), at(20))]);
        assert_eq!(pace, Some(Duration::from_secs(10)));
    }

    #[test]
    fn nothing_told_is_no_pace() {
        assert_eq!(pace_of(Vec::new()), None);
    }
}
