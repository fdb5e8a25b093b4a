//! The words of the domain: a job, its states, its picture, its result and its errors.
//! Everybody uses them; `store` reads and writes them as rows. What must stay true: names written by serde are
//! the names in the database and in the API, so they are never changed, and the list of error kinds is closed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::explanation::{Explanation, UsedCaption};
use crate::request::StoryRequest;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StateName)]
pub enum State {
    /// Waits for a worker, or for its next attempt.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Ended with a story.
    Succeeded,
    /// Ended with an error, after as many attempts as it was worth.
    Failed,
    /// Ended because its owner asked for it.
    Cancelled,
    /// Ended because its deadline passed before it was told.
    Expired,
}

impl State {
    /// Every state, in the order in which a job meets them.
    pub const ALL: [State; 6] = [
        State::Queued,
        State::Running,
        State::Succeeded,
        State::Failed,
        State::Cancelled,
        State::Expired,
    ];

    /// The name in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Running => "running",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Expired => "expired",
        }
    }

    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        !matches!(self, State::Queued | State::Running)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        State::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| {
                let names = State::ALL.map(State::name).join(", ");
                format!("`{name}` is no state; the states are {names}")
            })
    }
}

/// What a job makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// A story of a picture.
    Story,
    /// A style of a text; see [`crate::style`].
    Style,
}

/// One picture that is to become a story, or one text that is to become a style, and all that is known about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// A version 7 UUID: ids are in the order of submission.
    pub id: Uuid,
    /// What it makes.
    pub kind: JobKind,
    /// Where it stands.
    pub state: State,
    /// What was asked for.
    pub request: StoryRequest,
    /// Its picture; none once it is removed, and for a style.
    pub image: Option<StoredImage>,
    /// How often a worker has taken it and been charged for it.
    pub attempts: u32,
    /// How often it may be taken.
    pub max_attempts: u32,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// While queued: not before this time.
    pub due_at: DateTime<Utc>,
    /// When a worker took it, the last time.
    pub started_at: Option<DateTime<Utc>>,
    /// When it reached its last state.
    pub finished_at: Option<DateTime<Utc>>,
    /// While running: what is being done with it.
    pub stage: Option<Stage>,
    /// Once succeeded: the story.
    pub result: Option<StoryResult>,
    /// Once failed or expired: why. While queued after a failed attempt: why that one failed.
    pub error: Option<JobError>,
    /// Since when everybody may see it, if its owner lets them.
    pub shared_at: Option<DateTime<Utc>>,
    /// When picture, story and captions were removed, if they were.
    pub data_removed_at: Option<DateTime<Utc>>,
    /// The batch that it came with.
    pub batch: Option<Uuid>,
    /// Whether it had to be told.
    pub cache: Cache,
    /// While queued: the job that tells the same story, for which this one waits.
    pub follows: Option<Uuid>,
    /// The trace of whoever handed it in (W3C Trace Context), if there was one.
    pub traceparent: Option<String>,
}

/// Whether a story had to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CacheName)]
pub enum Cache {
    /// It was known.
    Hit,
    /// It is told for this job.
    Miss,
    /// It was just being told for another job.
    Coalesced,
}

impl Cache {
    /// The name in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cache::Hit => "hit",
            Cache::Miss => "miss",
            Cache::Coalesced => "coalesced",
        }
    }
}

/// How far the work on a running job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `looking`, `captioning`, `thinking` or `writing`.
    pub name: String,
    /// How many steps of it are done.
    pub done: u32,
    /// How many there are, or 0 where that is not known.
    pub of: u32,
}

/// The picture as it is kept: metadata removed, orientation applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImage {
    /// Its name in the place for pictures.
    pub key: String,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    pub media_type: String,
    /// Pixels from left to right, as people see it.
    pub width: u32,
    /// Pixels from top to bottom, as people see it.
    pub height: u32,
    /// How many bytes are kept.
    pub bytes: u64,
    /// SHA-256 of the bytes that are kept, in lowercase hexadecimal.
    pub sha256: String,
}

/// What a finished job has to show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoryResult {
    /// The story, as text for people.
    pub story: String,
    /// The style it was told in, as it was asked for.
    pub style: String,
    /// The captions it was told from, the nearest first.
    pub captions: Vec<UsedCaption>,
    /// Seconds spent in each stage.
    pub timings: BTreeMap<String, f64>,
    /// The bundle that told it: name, version and hash.
    pub bundle: String,
    /// Further stories, if more than one was wanted, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// Why; only [`crate::Store::explanation`] reads it, answers with jobs leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Box<Explanation>>,
}

/// Why a job, or one attempt at it, has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Which of the known errors it is.
    pub kind: ErrorKind,
    /// What was wrong and what to do, for the person who sent the picture.
    pub message: String,
    /// Whether the same request could succeed another time.
    pub retryable: bool,
}

impl JobError {
    /// An error of this kind; whether it is retryable follows from the kind. The database cannot keep NUL characters,
    /// which messages of decoders may quote, so they are replaced.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        JobError {
            kind,
            message: message.into().replace('\0', "\u{fffd}"),
            retryable: kind.is_retryable(),
        }
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind, self.message)
    }
}

/// Everything that can be wrong with a job: a closed list, documented for callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The bytes are no picture that can be read to its end.
    ImageUnreadable,
    /// More bytes or pixels than are taken, or too narrow a strip.
    ImageTooLarge,
    /// More than one frame.
    ImageAnimated,
    /// The stored picture is gone or is not the one that was stored.
    ImageMissing,
    /// No worker knows the style.
    UnknownStyle,
    /// A field of the request cannot be used.
    InvalidParameter,
    /// The worker that told it was never heard of again.
    WorkerLost,
    /// The device had not enough memory for it.
    OutOfMemory,
    /// The text is too little, of another language or no prose, so that it cannot become a style.
    TextUnusable,
    /// The networks failed on it.
    ModelError,
    /// Pictures or results could not be read or written for too long.
    StorageUnavailable,
    /// The deadline passed before the story was told.
    DeadlinePassed,
    /// A newer version of the service knows it, and the message says what it is.
    #[serde(other)]
    Other,
}

impl ErrorKind {
    /// Every kind, for documentation.
    pub const ALL: [ErrorKind; 13] = [
        ErrorKind::ImageUnreadable,
        ErrorKind::ImageTooLarge,
        ErrorKind::ImageAnimated,
        ErrorKind::ImageMissing,
        ErrorKind::UnknownStyle,
        ErrorKind::InvalidParameter,
        ErrorKind::WorkerLost,
        ErrorKind::OutOfMemory,
        ErrorKind::TextUnusable,
        ErrorKind::ModelError,
        ErrorKind::StorageUnavailable,
        ErrorKind::DeadlinePassed,
        ErrorKind::Other,
    ];

    /// The name in the database and in the API.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::ImageUnreadable => "image_unreadable",
            ErrorKind::ImageTooLarge => "image_too_large",
            ErrorKind::ImageAnimated => "image_animated",
            ErrorKind::ImageMissing => "image_missing",
            ErrorKind::UnknownStyle => "unknown_style",
            ErrorKind::InvalidParameter => "invalid_parameter",
            ErrorKind::WorkerLost => "worker_lost",
            ErrorKind::OutOfMemory => "out_of_memory",
            ErrorKind::TextUnusable => "text_unusable",
            ErrorKind::ModelError => "model_error",
            ErrorKind::StorageUnavailable => "storage_unavailable",
            ErrorKind::DeadlinePassed => "deadline_passed",
            ErrorKind::Other => "other",
        }
    }

    /// Whether the same request could succeed another time.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            ErrorKind::WorkerLost
                | ErrorKind::OutOfMemory
                | ErrorKind::ModelError
                | ErrorKind::StorageUnavailable
                | ErrorKind::DeadlinePassed
        )
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One attempt at a job, as the log has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The lease under which it ran; attempts are listed in this order.
    pub lease: i64,
    /// The worker that ran it.
    pub worker: String,
    /// When it was claimed.
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// `succeeded`, `failed`, `retry`, `returned`, `lost` or `cancelled`; none while it runs.
    pub outcome: Option<String>,
    /// Why it failed, if it did.
    pub error: Option<JobError>,
}

/// A style that the workers' bundle can tell in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StyleEntry {
    /// The name used in requests.
    pub name: String,
    /// What to expect, for people.
    pub description: String,
    /// How many passages it was learnt from.
    pub passages: u32,
    /// The texts they were taken from.
    pub source: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_in_the_database_are_the_names_of_serde() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
            assert_eq!(state.name().parse::<State>().unwrap(), state);
        }
        for kind in ErrorKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn an_unknown_state_is_answered_with_the_known_ones() {
        let problem = "asleep".parse::<State>().unwrap_err();
        assert!(
            problem.contains("`asleep`") && problem.contains("queued, running"),
            "{problem}"
        );
    }
}
