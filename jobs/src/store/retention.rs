//! Forgetting stories whose time is over: the rows go, with everything that hangs on them, and their pictures are named.
//! The chores call it again and again. What must stay true: each step is small, nobody is kept waiting by it, and nothing
//! is forgotten of which somebody is still to be told.

use super::Store;
use super::row::failed;
use crate::error::Result;
use crate::job::State;

const DOING: &str = "forget old stories";

/// What was forgotten in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many stories, by how they had ended.
    pub stories: Vec<(State, u64)>,
    /// The names of their pictures, which are still kept.
    pub pictures: Vec<String>,
}

impl Forgotten {
    /// How many stories in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.stories.iter().map(|(_, count)| count).sum()
    }
}

impl Store {
    /// Forgets stories that ended longer ago than they are kept, up to `most` of each end: by the rules, or by what their
    /// own request says.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn forget_stories(&self, most: u32) -> Result<Forgotten> {
        let mut forgotten = Forgotten::default();
        for state in State::ALL.into_iter().filter(|state| state.is_final()) {
            let pictures = self.forget_wished(state, most).await?;
            let mut count = pictures.len() as u64;
            forgotten.pictures.extend(pictures.into_iter().flatten());
            if let Some(keep) = self.rules.keep_for.of(state) {
                let pictures = self.forget_ended(state, keep.as_secs_f64(), most).await?;
                count += pictures.len() as u64;
                forgotten.pictures.extend(pictures.into_iter().flatten());
            }
            forgotten.stories.push((state, count));
        }
        Ok(forgotten)
    }

    async fn forget_wished(&self, state: State, most: u32) -> Result<Vec<Option<String>>> {
        sqlx::query_scalar!(
            "with old as (
                select id from jobs
                where kind = 'story' and state = $1 and expires_at < now() and not exists (
                    select from deliveries where deliveries.job = jobs.id and deliveries.state in ('waiting', 'sending')
                )
                order by expires_at limit $2 for update skip locked
            )
            delete from jobs using old where jobs.id = old.id returning jobs.image ->> 'key'",
            state.name(),
            i64::from(most),
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(DOING, error))
    }

    async fn forget_ended(
        &self,
        state: State,
        keep: f64,
        most: u32,
    ) -> Result<Vec<Option<String>>> {
        sqlx::query_scalar!(
            "with old as (
                select id from jobs
                -- a style that was learnt is in use; of one that was not, the text is all there is
                where (kind = 'story' or state <> 'succeeded') and state = $1 and expires_at is null
                    and finished_at < now() - make_interval(secs => $3) and not exists (
                    select from deliveries where deliveries.job = jobs.id and deliveries.state in ('waiting', 'sending')
                )
                order by finished_at limit $2 for update skip locked
            )
            delete from jobs using old where jobs.id = old.id returning jobs.image ->> 'key'",
            state.name(),
            i64::from(most),
            keep,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed(DOING, error))
    }
}
