//! The jobs in Postgres: everything that is true about them, and every SQL statement of the project.
//! The API submits and reads, the worker claims (through a queue), beats and finishes, the sweeper tidies. What must
//! stay true: every write about a running job names its lease, and a write that changes no row is told as stale.

mod audit;
pub(crate) mod batches;
mod chores;
mod claiming;
mod database;
mod deliveries;
pub(crate) mod events;
mod finishing;
mod keys;
mod line;
mod listener;
pub mod looking;
pub mod migrating;
mod own_styles;
mod owning;
mod pace;
pub(crate) mod publishing;
mod reading;
pub(crate) mod removing;
pub(crate) mod retention;
mod retrying;
mod reusing;
mod room;
mod row;
pub(crate) mod sharing;
mod styles;
mod submitting;
mod sweeping;
mod together;
mod uploads;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{OnceCell, broadcast, watch};
use uuid::Uuid;

use crate::claim::Lease;
use crate::config::Rules;
use crate::error::{Error, Result};
use crate::event::Said;
use crate::job::{Attempt, Job, JobError, Stage, StoredImage, StoryResult, StyleEntry};
use crate::key::{Actor, Quota};
use crate::request::StoryRequest;
use crate::style::LearntStyle;
pub use chores::Tokens;
use database::Database;
pub use line::Line;
use listener::Listener;
use pace::Pace;
pub use room::{QueueLimit, Room};
pub use row::Listed;
use row::{DATABASE, failed};
use together::Together;
pub use uploads::Opening;

/// Health checks ask every few seconds.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// A job as it is handed in.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// From [`NewJob::id`]; the picture's name was made from it.
    pub id: Uuid,
    /// What to tell, already validated.
    pub request: StoryRequest,
    /// The picture, already kept.
    pub image: StoredImage,
    /// Makes a repeated submit harmless.
    pub idempotency: Option<Idempotency>,
    /// From [`StoryRequest::telling`]: a story that is known by it is not told again. None tells it in any case.
    pub telling: Option<String>,
}

impl NewJob {
    /// A new id, in the order of submission.
    pub fn id() -> Uuid {
        Uuid::now_v7()
    }
}

/// A caller's key for one submit, and what was submitted under it.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The caller's key.
    pub key: String,
    /// A hash of everything that was sent.
    pub fingerprint: String,
}

/// What became of a submit.
#[derive(Clone, Debug)]
pub enum Submitted {
    /// The job is accepted; it will not be lost.
    New(Job),
    /// The same was submitted before under the same key: this is its job. The new picture is not used.
    Same(Job),
    /// Something else was submitted before under the same key.
    OtherRequest,
    /// Too much is waiting.
    Full(QueueLimit),
    /// The caller has handed in as much as he may for now.
    OverQuota(Quota),
}

/// One sign of life of a running job.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Under which lease.
    pub lease: Lease,
    /// What is being done; none leaves what was said before.
    pub stage: Option<Stage>,
    /// What has become known since the last one: events for those who follow the job.
    pub said: Vec<Said>,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is told.
    Succeeded(StoryResult),
    /// The style is made.
    Learnt(LearntStyle),
    /// It cannot be told; another attempt would not help.
    Failed(JobError),
    /// It was not told this time; another attempt may help, if one is left.
    Retry(JobError),
    /// It was not begun, or released in order: nobody is charged an attempt, and it keeps its place.
    Released,
}

/// Whether an outcome was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was.
    Done,
    /// The lease is over: cancelled, taken away or finished before. Drop the result.
    Stale,
}

/// What became of a wish to cancel.
#[derive(Clone, Debug)]
pub enum Cancelled {
    /// It is cancelled. If it was running, its worker learns it from the next heartbeat.
    Done(Job),
    /// It had ended before.
    TooLate(Job),
    /// There is no such job.
    NotFound,
}

/// What became of a wish to try an ended job again.
#[derive(Clone, Debug)]
pub enum Retried {
    /// It waits again.
    Done(Job),
    /// It has not ended, perhaps because somebody else had the same wish.
    UnderWay(Job),
    /// There is a story already.
    Told(Job),
    /// Whoever asks has handed in as much as he may for now.
    OverQuota(Quota),
    /// Its picture was removed: there is nothing to tell of.
    Removed,
    /// There is no such job.
    NotFound,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Jobs that wait.
    pub queued: u64,
    /// Jobs that a worker holds.
    pub running: u64,
}

/// What the sweeper found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Jobs of lost workers that wait again.
    pub requeued: Vec<Uuid>,
    /// Jobs of lost workers that had no attempt left.
    pub failed: Vec<Uuid>,
    /// Jobs whose deadline passed while they waited.
    pub expired: Vec<Uuid>,
}

/// The styles that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// The bundle of the worker that registered last.
    pub bundle: String,
    /// Its styles, in the order of the bundle.
    pub styles: Vec<StyleEntry>,
}

/// The jobs in one Postgres database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    rules: Rules,
    listener: Arc<Listener>,
    /// Of the sweeps of this process.
    pace: Arc<Pace>,
    /// Of those that wait.
    line: Arc<line::Latest>,
    /// How much waits.
    room: Arc<room::Latest>,
    /// What the bundle can be asked for.
    own_styles: Arc<own_styles::Latest>,
    /// Who looks at jobs, and at their attempts.
    lookers: Arc<Together<Option<Job>>>,
    history: Arc<Together<Vec<Attempt>>>,
    /// Asked for once.
    deployment: Arc<OnceCell<Uuid>>,
    /// For whom it acts; the service itself is nobody.
    actor: Option<Arc<Actor>>,
    /// The trace that what is handed in belongs to.
    traceparent: Option<Arc<str>>,
}

impl Store {
    /// Connects to the database at `url`; call [`Store::migrate`] next.
    ///
    /// # Errors
    /// `Unavailable` if nobody answers, `Unexpected` if the address cannot be read.
    pub async fn connect(url: &str, rules: Rules) -> Result<Store> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| failed("read the address of the database", error))?
            .application_name("storyteller");
        // one more listens
        let most = rules.connections.saturating_sub(1).max(1);
        let database = Database::connect(options, most)
            .await
            .map_err(|error| failed("connect", error))?;
        let listener = Arc::new(Listener::new(database.clone()));
        Ok(Store {
            database,
            rules,
            listener,
            pace: Arc::default(),
            line: Arc::default(),
            room: Arc::default(),
            own_styles: Arc::default(),
            lookers: Arc::default(),
            history: Arc::default(),
            deployment: Arc::default(),
            actor: None,
            traceparent: None,
        })
    }

    /// The same store acting for somebody: what is handed in through it is his, lists have what he may see, and what he does
    /// is written down. Whether one job is his is for the caller to ask ([`Store::story_owner`]).
    #[must_use]
    pub fn acting_for(&self, actor: Arc<Actor>) -> Store {
        Store {
            actor: Some(actor),
            ..self.clone()
        }
    }

    /// The same store writing this trace down with what is handed in through it.
    #[must_use]
    pub fn traced(&self, traceparent: Option<&str>) -> Store {
        Store {
            traceparent: traceparent.map(Arc::from),
            ..self.clone()
        }
    }

    /// The rules that jobs here live by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` if it does not, within 2 s.
    pub async fn ping(&self) -> Result<()> {
        let question = sqlx::query_scalar!(r#"select 1 as "one!""#).fetch_one(&self.database);
        match tokio::time::timeout(PING_TIMEOUT, question).await {
            Ok(answer) => answer
                .map(drop)
                .map_err(|error| failed("see whether it answers", error)),
            Err(late) => Err(Error::Unavailable {
                place: DATABASE,
                doing: "see whether it answers",
                cause: late.into(),
            }),
        }
    }

    /// Ends all connections, once they have done what they are doing.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// The ids of jobs whose state or stage changes from now on, in any process. A receiver that lags or a lost
    /// connection misses some: look at the job by yourself about every second as well.
    pub fn changes(&self) -> broadcast::Receiver<Uuid> {
        self.listener.changes()
    }

    /// Marked as changed whenever a webhook may have become due, or the connection was lost meanwhile.
    pub fn deliveries_due(&self) -> watch::Receiver<()> {
        self.listener.deliveries()
    }

    /// Marked as changed whenever a job may have become due, or the connection was lost meanwhile.
    pub(crate) fn due(&self) -> watch::Receiver<()> {
        self.listener.due()
    }
}
