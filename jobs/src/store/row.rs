//! Rows of the jobs table as Postgres gives them, and how they become jobs.
//! Every statement that answers with jobs lists the same columns through [`job_rows`]. What must stay true: a row
//! that cannot be read is an error that names the column, never a job with something else in it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::job::{Cache, Job, JobKind};

/// The name of the database in errors.
pub(super) const DATABASE: &str = "the database";

/// The columns of a job, before Rust has looked into them.
#[derive(Debug)]
pub(super) struct JobRow {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) request: Value,
    pub(super) image: Option<Value>,
    pub(super) attempts: i32,
    pub(super) max_attempts: i32,
    pub(super) lease: i64,
    pub(super) alone: bool,
    pub(super) created_at: DateTime<Utc>,
    pub(super) due_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) stage: Option<Value>,
    pub(super) result: Option<Value>,
    pub(super) error: Option<Value>,
    pub(super) shared_at: Option<DateTime<Utc>>,
    pub(super) data_removed_at: Option<DateTime<Utc>>,
    pub(super) batch: Option<Uuid>,
    pub(super) answered: Option<String>,
    pub(super) follows: Option<Uuid>,
    pub(super) traceparent: Option<String>,
}

/// A checked statement that answers with jobs: what stands before their columns, what stands after, the arguments.
macro_rules! job_rows {
    ($before:tt $(+ $more:tt)*, $after:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            crate::store::row::JobRow,
            $before $(+ $more)* + r#" id as "id!", kind as "kind!", state as "state!", request as "request!", image as "image?",
                attempts as "attempts!", max_attempts as "max_attempts!", lease as "lease!", alone as "alone!",
                created_at as "created_at!", due_at as "due_at!", started_at as "started_at?",
                finished_at as "finished_at?", stage as "stage?", result - 'explanation' as "result?", error as "error?",
                shared_at as "shared_at?", data_removed_at as "data_removed_at?",
                batch as "batch?", answered as "answered?",
                follows as "follows?", traceparent as "traceparent?" "# + $after
            $(, $argument)*
        )
    };
}
pub(super) use job_rows;

impl JobRow {
    pub(super) fn job(self) -> Result<Job> {
        let kind = match self.kind.as_str() {
            "style" => JobKind::Style,
            _ => JobKind::Story,
        };
        // what comes of a style is in its own table
        let story = self.result.filter(|_| kind == JobKind::Story);
        Ok(Job {
            id: self.id,
            kind,
            state: self
                .state
                .parse()
                .map_err(|error: String| Error::unexpected("read the state of a job", error))?,
            request: read("read the request of a job", self.request)?,
            image: read_optional("read the picture of a job", self.image)?,
            attempts: count(self.attempts),
            max_attempts: count(self.max_attempts),
            created_at: self.created_at,
            due_at: self.due_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            stage: read_optional("read the stage of a job", self.stage)?,
            result: read_optional("read the result of a job", story)?,
            error: read_optional("read the error of a job", self.error)?,
            shared_at: self.shared_at,
            data_removed_at: self.data_removed_at,
            batch: self.batch,
            cache: match self.answered.as_deref() {
                Some("hit") => Cache::Hit,
                Some("coalesced") => Cache::Coalesced,
                _ => Cache::Miss,
            },
            follows: self.follows,
            traceparent: self.traceparent,
        })
    }
}

/// Part of all jobs.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// In the order that was asked for.
    pub jobs: Vec<Job>,
    /// How many more there are among them that this version cannot read.
    pub unreadable: u64,
    /// If there are more: the last of these, readable or not. The next page begins after it.
    pub next: Option<Uuid>,
}

/// Those that this version can read, and how many it cannot: one row must not hide all the others.
pub(super) fn jobs(rows: Vec<JobRow>) -> Listed {
    let mut listed = Listed::default();
    for row in rows {
        let id = row.id;
        match row.job() {
            Ok(job) => listed.jobs.push(job),
            Err(cause) => {
                tracing::error!(job = %id, %cause, "a job in the table cannot be read and is left out of a list");
                listed.unreadable += 1;
            }
        }
    }
    listed
}

pub(super) fn read<T: DeserializeOwned>(doing: &'static str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| Error::unexpected(doing, error))
}

pub(super) fn read_optional<T: DeserializeOwned>(
    doing: &'static str,
    value: Option<Value>,
) -> Result<Option<T>> {
    value.map(|value| read(doing, value)).transpose()
}

/// A value as JSON that Postgres keeps: without NUL, which a network can write, and for which the whole statement would be
/// refused, with what it says about other jobs.
pub(super) fn write<T: Serialize>(doing: &'static str, value: &T) -> Result<Value> {
    let written = serde_json::to_value(value);
    let mut value = written.map_err(|error| Error::unexpected(doing, error))?;
    drop_nul(&mut value);
    Ok(value)
}

fn drop_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => text.retain(|letter| letter != '\0'),
        Value::Array(items) => items.iter_mut().for_each(drop_nul),
        Value::Object(fields) => fields.values_mut().for_each(drop_nul),
        _ => {}
    }
}

/// Counts are never negative in the table.
pub(super) fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Higher priorities lie in lower lanes.
pub(super) fn lane(priority: u8) -> i16 {
    9 - i16::from(priority.min(9))
}

/// What a failed statement means for the caller.
pub(super) fn failed(doing: &'static str, error: sqlx::Error) -> Error {
    let unavailable = match &error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| passes(&code)),
        _ => false,
    };
    let cause = error.into();
    if unavailable {
        return Error::Unavailable {
            place: DATABASE,
            doing,
            cause,
        };
    }
    Error::Unexpected { doing, cause }
}

/// Whether Postgres reports something that passes by itself or with an operator's help: connections (08), conflicts
/// between transactions (40), no room or memory (53), intervention such as a restart or a timeout (57), the system (58);
/// that nothing may be written now (25006), as after a failover or while an operator makes room; and that this process was
/// asleep in the middle of a transaction, which was ended (25P03, 25P04).
fn passes(code: &str) -> bool {
    ["08", "40", "53", "57", "58", "25006", "25P03", "25P04"]
        .iter()
        .any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::passes;

    #[test]
    fn what_passes_is_told_from_what_is_a_bug() {
        let lost = [
            "08006", "40001", "40P01", "53100", "53300", "57P01", "57014", "58030",
        ];
        let asleep_or_read_only = ["25P03", "25P04", "25006"];
        for code in lost.into_iter().chain(asleep_or_read_only) {
            assert!(passes(code), "{code}");
        }
        for code in ["22021", "23505", "25P02", "42P01", "XX000"] {
            assert!(!passes(code), "{code}");
        }
    }
}
