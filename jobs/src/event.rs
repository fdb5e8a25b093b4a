//! What happens to a job, as those who follow it are told.
//! Workers say it with their heartbeats, a trigger numbers it (`migrations/0021_events.sql`), the API passes it on. What must
//! stay true: the numbers of a job only rise, and names written by serde are the names in the database and in the API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::explanation::UsedCaption;
use crate::job::{Stage, State};

/// What a worker has to say about a job besides its stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Said {
    /// The captions that were found, the nearest first.
    Captions {
        /// Some of them, if they are many.
        captions: Vec<UsedCaption>,
    },
    /// A sentence of the story that will not change any more.
    Sentence {
        /// Its place, from 0.
        index: u32,
        /// Its words.
        text: String,
    },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// Counts what happens to this job.
    #[serde(rename = "id")]
    pub number: u32,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum What {
    /// The job came to another state. A new `running` makes captions and sentences before it void.
    State {
        /// The state.
        state: State,
        /// When.
        at: DateTime<Utc>,
    },
    /// A worker has come so far; only the present progress is ever told.
    Progress(Stage),
    /// As [`Said::Captions`].
    Captions {
        /// The nearest ones.
        captions: Vec<UsedCaption>,
    },
    /// As [`Said::Sentence`].
    Sentence {
        /// Its place, from 0.
        index: u32,
        /// Its words.
        text: String,
    },
    /// The job ended. It may be tried again by hand, and then there is another end.
    End,
}

/// What has happened to a job since some event.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// Where the job stands.
    pub state: State,
    /// The number of the last event.
    pub last: u32,
    /// What happened, in order; only what still counts.
    pub events: Vec<Event>,
}
