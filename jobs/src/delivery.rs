//! The words about deliveries: what is to be sent, who holds it, how an attempt ended, what a caller may see.
//! The store reads and writes them, the dispatcher and the API use them. What must stay true: names are the names in
//! the database and in the API, so they are never changed.

mod message;
pub mod schedule;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

pub use message::{body, message_id};

/// How many deliveries are taken, by whom, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The sender's name in the log.
    pub sender: &'a str,
    /// At most so many.
    pub max: usize,
    /// None to a quick host to which so many are on their way.
    pub most_a_host: usize,
    /// None to another host to which so many are.
    pub most_a_stranger: usize,
    /// Hosts that are known to answer quickly.
    pub quick: &'a [String],
    /// Hosts that are known not to.
    pub slow: &'a [String],
    /// Only to quick ones.
    pub quick_only: bool,
    /// To none of the slow ones.
    pub no_slow: bool,
    /// They are settled by then, or another sender takes them.
    pub time: Duration,
}

impl<'a> Claim<'a> {
    /// One delivery for this sender, whoever it goes to.
    #[must_use]
    pub fn one(sender: &'a str, time: Duration) -> Self {
        Claim {
            sender,
            max: 1,
            most_a_host: usize::MAX,
            most_a_stranger: usize::MAX,
            quick: &[],
            slow: &[],
            quick_only: false,
            no_slow: false,
            time,
        }
    }
}

/// The right, for a while, to send one delivery and to say what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLease {
    /// The job it is about.
    pub job: Uuid,
    /// Which of the job's deliveries.
    pub number: u32,
    /// Which claim of it.
    pub lease: i64,
    /// Which attempt of the schedule this is, from 1.
    pub attempts: u32,
    /// `story.succeeded` and the like.
    pub event: String,
    /// Where to.
    pub url: String,
    /// Whose places it takes: the host and port of the address.
    pub host: String,
    /// When the job ended.
    pub created_at: DateTime<Utc>,
    /// What is told if it is not about the job alone: the batch that has ended with it.
    pub data: Option<Value>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver took it.
    Delivered {
        /// Its status, 200 to 299.
        status: u16,
    },
    /// It did not, and is asked again.
    Again {
        /// Its status, if it answered.
        status: Option<u16>,
        /// What was wrong.
        error: String,
        /// In how long.
        wait: Duration,
    },
    /// It did not, and is not asked again unless somebody replays it.
    Failed {
        /// Its status, if it answered.
        status: Option<u16>,
        /// What was wrong.
        error: String,
    },
    /// It answered 410: nobody there wants to hear from us again.
    Gone {
        /// What is shown.
        error: String,
    },
}

impl Verdict {
    /// The receiver's status, if it answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Verdict::Delivered { status } => Some(*status),
            Verdict::Again { status, .. } | Verdict::Failed { status, .. } => *status,
            Verdict::Gone { .. } => Some(410),
        }
    }

    /// What was wrong.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Verdict::Delivered { .. } => None,
            Verdict::Again { error, .. }
            | Verdict::Failed { error, .. }
            | Verdict::Gone { error } => Some(error),
        }
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryStateName)]
pub enum DeliveryState {
    /// Waits for its next attempt.
    Waiting,
    /// Is on its way.
    Sending,
    /// The receiver has it.
    Delivered,
    /// Every attempt of the schedule failed, or its address cannot be used.
    Failed,
    /// Its address has answered 410.
    Disabled,
}

impl DeliveryState {
    const ALL: [DeliveryState; 5] = [
        DeliveryState::Waiting,
        DeliveryState::Sending,
        DeliveryState::Delivered,
        DeliveryState::Failed,
        DeliveryState::Disabled,
    ];

    /// The name in the database and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Sending => "sending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
            DeliveryState::Disabled => "disabled",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        DeliveryState::ALL
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// One word about one end of a job, to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which of the job's deliveries, from 1.
    pub number: u32,
    /// `story.succeeded` and the like.
    pub event: String,
    /// Where to.
    pub url: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// While waiting: when it is sent.
    pub due_at: DateTime<Utc>,
    /// When the job ended.
    pub created_at: DateTime<Utc>,
    /// When it was delivered, failed or disabled.
    pub ended_at: Option<DateTime<Utc>>,
    /// Every attempt, the first one first.
    pub attempts: Vec<DeliveryAttempt>,
}

/// One attempt at a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// When it was taken by a sender.
    pub started_at: DateTime<Utc>,
    /// When the receiver had answered, or the sender was given up.
    pub ended_at: Option<DateTime<Utc>>,
    /// The receiver's status, if it answered.
    pub status: Option<u16>,
    /// What was wrong, if anything was.
    pub error: Option<String>,
}
