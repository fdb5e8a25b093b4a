//! What happened to a job, and how those jobs stand that somebody waits for.
//! The API's feed and its streams ask. What must stay true: a look at any number of jobs is one statement, and a job of
//! the time before events were kept has some too.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Store;
use super::row::{count, failed, read_optional};
use crate::error::{Error, Result};
use crate::event::{Event, Happened, What};
use crate::job::State;

const DOING: &str = "look what happened to a job";

/// As much of a job as tells whether there is news of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The job.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// The number of its last event.
    pub last_event: u32,
    /// Since when it is shared.
    pub shared_at: Option<DateTime<Utc>>,
    /// When its data was removed.
    pub data_removed_at: Option<DateTime<Utc>>,
}

impl Store {
    /// What happened to a story since its event number `after`; none if there is no such story.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn happened(&self, id: Uuid, after: u32) -> Result<Option<Happened>> {
        let row = sqlx::query!(
            r#"select state, finished_at, created_at, stage, stage_event, last_event,
                jsonb_path_query_array(events, '$[*] ? (@.id > $after)', jsonb_build_object('after', $2::bigint))
                    as "events!"
            from jobs where id = $1 and kind = 'story'"#,
            id,
            i64::from(after),
        )
        .fetch_optional(&self.database)
        .await
        .map_err(|error| failed(DOING, error))?;
        let Some(row) = row else { return Ok(None) };
        let state = state_of(&row.state)?;
        if row.last_event == 0 {
            let since = row.finished_at.unwrap_or(row.created_at);
            return Ok(Some(before_events(state, since, after)));
        }
        let mut events = known(id, row.events);
        let number = count(row.stage_event);
        if let Some(stage) = read_optional(DOING, row.stage)?
            && number > after
        {
            let what = What::Progress(stage);
            events.push(Event { number, what });
        }
        events.sort_by_key(|event| event.number);
        Ok(Some(Happened {
            state,
            last: count(row.last_event),
            events,
        }))
    }

    /// How these jobs stand; those that do not exist, or stand as no version before did, are left out.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn standings(&self, jobs: &[Uuid]) -> Result<Vec<Standing>> {
        let rows = sqlx::query!(
            "select id, state, last_event, shared_at, data_removed_at from jobs where id = any($1)",
            jobs,
        )
        .fetch_all(&self.database)
        .await
        .map_err(|error| failed("see how jobs stand", error))?;
        let standing = rows.into_iter().filter_map(|row| {
            Some(Standing {
                id: row.id,
                state: known_state(row.id, &row.state)?,
                last_event: count(row.last_event),
                shared_at: row.shared_at,
                data_removed_at: row.data_removed_at,
            })
        });
        Ok(standing.collect())
    }
}

fn state_of(name: &str) -> Result<State> {
    name.parse()
        .map_err(|error: String| Error::unexpected("read the state of a job", error))
}

/// A state that this version knows. Of many jobs one that stands otherwise hides no other.
pub(super) fn known_state(job: Uuid, name: &str) -> Option<State> {
    state_of(name)
        .inspect_err(|cause| tracing::warn!(%job, %cause, "a job is passed over"))
        .ok()
}

/// What this version knows; another one may say more.
fn known(job: Uuid, events: Value) -> Vec<Event> {
    let Value::Array(events) = events else {
        return Vec::new();
    };
    let read = |event| match serde_json::from_value(event) {
        Ok(event) => Some(event),
        Err(cause) => {
            tracing::debug!(%job, %cause, "an event cannot be read and is passed over");
            None
        }
    };
    events.into_iter().filter_map(read).collect()
}

/// A job that has not moved since events are kept: the trigger takes it to have had two.
fn before_events(state: State, since: DateTime<Utc>, after: u32) -> Happened {
    let told = What::State { state, at: since };
    let mut events = vec![Event {
        number: 1,
        what: told,
    }];
    if state.is_final() {
        events.push(Event {
            number: 2,
            what: What::End,
        });
    }
    let last = events.last().map_or(0, |event| event.number);
    events.retain(|event| event.number > after);
    Happened {
        state,
        last,
        events,
    }
}
