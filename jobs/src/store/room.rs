//! How much waits, and whether there is room for more: by number, and by the bytes of the pictures.
//! The API asks before it reads a body, submits ask within their transaction. What must stay true: what waits is counted in
//! one statement over an index, and only now and then while there is much room, so that a submit costs the same with whatever
//! lies in the table and waits in the queue. Where little room is left it is counted each time.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Store;
use super::database::Connection;
use super::row::failed;
use crate::config::Rules;
use crate::error::Result;

const DOING: &str = "see whether there is room";

/// For each that waits the count is kept for so long: some hundred times what counting takes.
const KEPT_FOR_EACH: Duration = Duration::from_micros(40);
/// Of both limits this share has to be left, and so much, or it is counted anew: nobody fills that while a count is kept.
const LEFT: f64 = 0.25;
const STORIES_LEFT: u32 = 1000;
const BYTES_LEFT: u64 = 1 << 30;

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

    fn leaves_much(&self, rules: &Rules) -> bool {
        let stories = rules.max_queued.saturating_sub(self.stories);
        let bytes = rules.max_queued_bytes.saturating_sub(self.bytes);
        stories >= STORIES_LEFT
            && f64::from(stories) >= LEFT * f64::from(rules.max_queued)
            && bytes >= BYTES_LEFT
            && bytes as f64 >= LEFT * rules.max_queued_bytes as f64
    }
}

/// The latest count of this process, with what it has accepted since, and when it was taken.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<Option<(Instant, Waiting)>>);

impl Latest {
    /// What waits, if it was counted a moment ago and leaves so much room that nobody can have filled it since.
    fn lately(&self, rules: &Rules) -> Option<Waiting> {
        let (counted, waiting) = (*self.lock())?;
        let kept_for = KEPT_FOR_EACH.saturating_mul(waiting.stories);
        (counted.elapsed() < kept_for && waiting.leaves_much(rules)).then_some(waiting)
    }

    fn learn(&self, waiting: Waiting) {
        *self.lock() = Some((Instant::now(), waiting));
    }

    /// Adds what this process has accepted.
    pub(super) fn accepted(&self, stories: u32, bytes: u64) {
        if let Some((_, waiting)) = &mut *self.lock() {
            waiting.stories = waiting.stories.saturating_add(stories);
            waiting.bytes = waiting.bytes.saturating_add(bytes);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Waiting)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// What waits: as it was counted a moment ago where that is good enough.
    pub(super) async fn waiting(&self, connection: &mut Connection) -> Result<Waiting> {
        if let Some(waiting) = self.room.lately(&self.rules) {
            return Ok(waiting);
        }
        let waiting = self.counted(connection).await?;
        self.room.learn(waiting);
        Ok(waiting)
    }

    async fn counted(&self, connection: &mut Connection) -> Result<Waiting> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(max_queued: u32) -> Rules {
        Rules {
            max_queued,
            ..Rules::default()
        }
    }

    /// What is kept for forty seconds.
    const MANY: Waiting = Waiting {
        stories: 1_000_000,
        bytes: 1 << 20,
    };

    #[test]
    fn a_count_is_kept_where_much_room_is_left_and_has_what_was_accepted_since() {
        let latest = Latest::default();
        assert!(latest.lately(&rules(u32::MAX)).is_none(), "not counted yet");
        latest.learn(MANY);
        latest.accepted(3, 700);
        let waiting = latest.lately(&rules(u32::MAX));
        assert_eq!(
            waiting.map(|waiting| (waiting.stories, waiting.bytes)),
            Some((1_000_003, (1 << 20) + 700))
        );
    }

    #[test]
    fn where_little_room_is_left_or_little_waits_it_is_counted_anew() {
        let latest = Latest::default();
        latest.learn(MANY);
        assert!(latest.lately(&rules(1_300_000)).is_none(), "a quarter");
        assert!(latest.lately(&rules(1_400_000)).is_some());
        latest.accepted(0, 15 << 30);
        assert!(latest.lately(&rules(1_400_000)).is_none(), "of the bytes");
        // nothing that waits makes a count costly
        latest.learn(Waiting {
            stories: 0,
            bytes: 0,
        });
        assert!(latest.lately(&rules(u32::MAX)).is_none());
        assert!(
            !Waiting {
                stories: 0,
                bytes: 0
            }
            .leaves_much(&rules(999))
        );
    }
}
