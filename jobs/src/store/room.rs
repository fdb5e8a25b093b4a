//! How much waits, and whether there is room for more: by number, and by the bytes of the pictures.
//! The API asks before it reads a body, submits ask within their transaction. What must stay true: what waits is counted in
//! one statement over an index, so that a submit costs the same with whatever lies in the table.

use std::fmt;

use super::Store;
use super::database::Connection;
use super::row::failed;
use crate::config::Rules;
use crate::error::Result;

const DOING: &str = "see whether there is room";

/// Whether one more job would be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It would, and as much in all.
    For {
        /// So many jobs.
        stories: u32,
        /// Pictures of so many bytes.
        bytes: u64,
    },
    /// Too much is waiting.
    Full(QueueLimit),
}

/// The limit on what waits that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// The number of jobs.
    Stories {
        /// How many wait, at least.
        queued: u32,
    },
    /// The bytes that their pictures have together.
    Pictures {
        /// How many there may be.
        most: u64,
        /// How many more would be taken.
        left: u64,
    },
}

impl fmt::Display for QueueLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueueLimit::Stories { queued } => {
                write!(
                    formatter,
                    "{queued} stories are waiting already, and no more are taken"
                )
            }
            QueueLimit::Pictures { most, left } => write!(
                formatter,
                "the pictures of all waiting stories may have {} MiB together, and {:.1} MiB are left",
                most >> 20,
                *left as f64 / f64::from(1 << 20)
            ),
        }
    }
}

/// What waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    /// Jobs, of any kind; no more are counted than may wait.
    pub(super) stories: u32,
    /// What their pictures have together.
    pub(super) bytes: u64,
}

impl Waiting {
    /// The limit that so many stories more, with pictures of so many bytes, would break.
    pub(super) fn limit(&self, rules: &Rules, stories: u32, bytes: u64) -> Option<QueueLimit> {
        if self.stories.saturating_add(stories) > rules.max_queued {
            let queued = self.stories;
            return Some(QueueLimit::Stories { queued });
        }
        let left = rules.max_queued_bytes.saturating_sub(self.bytes);
        (bytes > left).then_some(QueueLimit::Pictures {
            most: rules.max_queued_bytes,
            left,
        })
    }
}

impl Store {
    /// Whether one more job would be taken; one under a key that came before is in any case. It may be otherwise a moment
    /// later: [`Store::submit`] has the last word.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn room(&self, key: Option<&str>) -> Result<Room> {
        let mut connection = self
            .database
            .acquire()
            .await
            .map_err(|error| failed(DOING, error))?;
        let waiting = self.waiting(&mut connection).await?;
        let room = Room::For {
            stories: self.rules.max_queued.saturating_sub(waiting.stories),
            bytes: self.rules.max_queued_bytes.saturating_sub(waiting.bytes),
        };
        // the smallest picture has some bytes
        let Some(limit) = waiting.limit(&self.rules, 1, 1) else {
            return Ok(room);
        };
        let known = sqlx::query_scalar!(
            r#"select exists (select from idempotency_keys where key = $1) as "known!""#,
            key.map(|key| self.own_name(key)),
        )
        .fetch_one(&mut connection)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(if known { room } else { Room::Full(limit) })
    }

    pub(super) async fn waiting(&self, connection: &mut Connection) -> Result<Waiting> {
        let waiting = sqlx::query!(
            r#"select count(*) as "stories!", coalesce(sum(image_bytes), 0)::bigint as "bytes!"
            from (select image_bytes from jobs where state = 'queued' limit $1) as waiting"#,
            i64::from(self.rules.max_queued),
        )
        .fetch_one(connection)
        .await
        .map_err(|error| failed(DOING, error))?;
        Ok(Waiting {
            stories: u32::try_from(waiting.stories).unwrap_or(u32::MAX),
            bytes: waiting.bytes.unsigned_abs(),
        })
    }
}
