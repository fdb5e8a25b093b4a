//! What need not be told again: a story that is known, or one that is just being told.
//! `submitting.rs` and `batches.rs` ask within their transactions; a trigger (`migrations/0024_same_again.sql`) lets those
//! who wait go on. What must stay true: a job waits only for one that cannot end unseen and is as urgent as itself, and a
//! story counts as known only for the bundle that would tell it now.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::database::Connection;
use super::row::{failed, lane};
use super::{NewJob, Store};
use crate::error::Result;

const DOING: &str = "see whether a story is known";

/// What is known of what a job asks for.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By this it is found when somebody asks again; none if nobody is to find it.
    pub(super) telling: Option<String>,
    /// The story, and what those who follow it are told.
    pub(super) story: Option<(Value, Value)>,
    /// The job that tells it.
    pub(super) under_way: Option<Uuid>,
}

impl Known {
    /// How the caller is told of it; nothing if it has to be told.
    pub(super) fn answered(&self) -> Option<&'static str> {
        match self {
            Known { story: Some(_), .. } => Some("hit"),
            Known {
                under_way: Some(_), ..
            } => Some("coalesced"),
            _ => None,
        }
    }
}

/// Lets nobody else ask for one of these until this transaction ends: of many who ask for the same at once, one is told.
/// Before any row is touched, and always in the same order, so that nobody waits in a circle. (Who asks for one begins so:
/// `Database::begin_alone`.)
pub(super) async fn one_at_a_time<'a>(
    connection: &mut Connection,
    jobs: impl Iterator<Item = &'a NewJob>,
) -> Result<()> {
    let tellings: Vec<String> = jobs.filter_map(|job| job.telling.clone()).collect();
    if tellings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"select pg_advisory_xact_lock(key)::text as "locked" from (
            select distinct hashtextextended(telling, 0) as key from unnest($1::text[]) as asked (telling) order by key
        ) as keys"#,
        &tellings,
    )
    .fetch_all(connection)
    .await
    .map(drop)
    .map_err(|error| failed(DOING, error))
}

/// Looks for somebody who tells it, who then cannot end before this transaction does, and for the story.
pub(super) async fn known(
    store: &Store,
    connection: &mut Connection,
    job: &NewJob,
) -> Result<Known> {
    let Some(asked) = &job.telling else {
        return Ok(Known::default());
    };
    let telling = with_styles(store, connection, asked, job).await?;
    let under_way = match job.request.deadline {
        // the other one may take longer than this one has time for
        Some(_) => None,
        None => under_way(connection, &telling, lane(job.request.priority)).await?,
    };
    // after that: who has ended in between has left a story
    let story = match under_way {
        Some(_) => None,
        None => story(connection, &telling).await?,
    };
    Ok(Known {
        telling: Some(telling),
        story,
        under_way,
    })
}

async fn under_way(connection: &mut Connection, telling: &str, lane: i16) -> Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select id from jobs
        where telling = $1 and state in ('queued', 'running') and data_removed_at is null
            and follows is null and lane <= $2
        order by id limit 1 for share",
        telling,
        lane,
    )
    .fetch_optional(connection)
    .await
    .map_err(|error| failed(DOING, error))
}

async fn story(connection: &mut Connection, telling: &str) -> Result<Option<(Value, Value)>> {
    let row = sqlx::query!(
        r#"select result as "result!",
            jsonb_path_query_array(events, '$[*] ? (@.event == "captions" || @.event == "sentence")') as "said!"
        from jobs
        where telling = $1 and state = 'succeeded' and data_removed_at is null
            and result ->> 'bundle' = (select bundle from bundles order by registered_at desc limit 1)
        order by id desc limit 1"#,
        telling,
    )
    .fetch_optional(connection)
    .await
    .map_err(|error| failed(DOING, error))?;
    Ok(row.map(|row| (row.result, row.said)))
}

/// The name of an added style may stand for another one by now; its job never does.
async fn with_styles(
    store: &Store,
    connection: &mut Connection,
    asked: &str,
    job: &NewJob,
) -> Result<String> {
    let names = job.request.style_names().unwrap_or_default();
    let added = if store.are_of_the_bundle(&names) {
        Vec::new()
    } else {
        sqlx::query_scalar!(
            "select job from styles where name = any($1) order by name",
            &names
        )
        .fetch_all(connection)
        .await
        .map_err(|error| failed(DOING, error))?
    };
    let mut hash = Sha256::new().chain_update(asked);
    for style in added {
        hash.update(style.as_bytes());
    }
    Ok(hex::encode(hash.finalize()))
}
