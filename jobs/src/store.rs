//! The jobs in Postgres: everything that is true about them, and every SQL statement of the project.
//! The API submits and reads, the worker claims (through a queue), beats and finishes, the sweeper tidies. What must
//! stay true: every write about a running job names its lease, and a write that changes no row is told as stale.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::config::Rules;
use crate::error::Result;
use crate::job::{Attempt, Job, JobError, Stage, State, StoredImage, StoryResult, StyleEntry};
use crate::queue::Claimed;
use crate::request::StoryRequest;

/// The right to speak about a running job: claims count up, so an old one is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: Uuid,
    /// Which claim of it.
    pub number: i64,
}

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
    /// Too many jobs are waiting.
    Full {
        /// How many wait, at least.
        queued: u32,
    },
}

/// One sign of life of a running job.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Under which lease.
    pub lease: Lease,
    /// What is being done; none leaves what was said before.
    pub stage: Option<Stage>,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is told.
    Succeeded(StoryResult),
    /// It cannot be told; another attempt would not help.
    Failed(JobError),
    /// It was not told this time; another attempt may help, if one is left.
    Retry(JobError),
    /// It was not begun, or given back in order: nobody is charged an attempt, and it keeps its place.
    Returned,
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
    rules: Rules,
}

impl Store {
    /// Connects to the database at `url`; call [`Store::migrate`] next.
    ///
    /// # Errors
    /// `Unavailable` if nobody answers, `Unexpected` if the address cannot be read.
    pub async fn connect(_url: &str, rules: Rules) -> Result<Store> {
        Ok(Store { rules })
    }

    /// The rules that jobs here live by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Brings the tables to this version. Several services may do so at once.
    ///
    /// # Errors
    /// `Unavailable`, or `Unexpected` if the database belongs to a newer version.
    pub async fn migrate(&self) -> Result<()> {
        unimplemented!()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` if it does not, within 2 s.
    pub async fn ping(&self) -> Result<()> {
        unimplemented!()
    }

    /// Ends all connections, once they have done what they are doing.
    pub async fn close(&self) {
        unimplemented!()
    }

    /// Accepts a job, in one transaction; workers are told. A request to draw without a seed is given one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then the job may or may not have been accepted.
    pub async fn submit(&self, _job: NewJob) -> Result<Submitted> {
        unimplemented!()
    }

    /// The job, if there is one.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn get(&self, _id: Uuid) -> Result<Option<Job>> {
        unimplemented!()
    }

    /// Up to `limit` jobs, the newest first, of one state if one is given, and older than `before` if it is given.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn list(
        &self,
        _state: Option<State>,
        _before: Option<Uuid>,
        _limit: u32,
    ) -> Result<Vec<Job>> {
        unimplemented!()
    }

    /// Every attempt at a job, the first one first.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn attempts(&self, _id: Uuid) -> Result<Vec<Attempt>> {
        unimplemented!()
    }

    /// How many queued jobs are told before this one: 0 is next. None if it is not queued.
    /// Beyond ten thousand it is not counted on.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn position(&self, _id: Uuid) -> Result<Option<u64>> {
        unimplemented!()
    }

    /// How much there is to do.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn depth(&self) -> Result<Depth> {
        unimplemented!()
    }

    /// The time from one finished story to the next while there was work, over the latest ones of the last ten
    /// minutes. None if there were none. The wait of a queued job is about (position + running + 1) × pace.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn pace(&self) -> Result<Option<Duration>> {
        unimplemented!()
    }

    /// Ends a job that has not ended.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn cancel(&self, _id: Uuid) -> Result<Cancelled> {
        unimplemented!()
    }

    /// The ids of jobs whose state or stage changes from now on, in any process. A receiver that lags or a lost
    /// connection misses some: look at the job by yourself about every second as well.
    pub fn changes(&self) -> broadcast::Receiver<Uuid> {
        unimplemented!()
    }

    /// Makes these the styles that can be asked for; each worker does so when it starts.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn register_styles(&self, _bundle: &str, _styles: &[StyleEntry]) -> Result<()> {
        unimplemented!()
    }

    /// The styles that can be asked for; none until a worker has registered.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn styles(&self) -> Result<Option<Catalogue>> {
        unimplemented!()
    }

    /// Takes up to `max` due jobs for `worker`, the highest priority and the longest waiting first: each gets a new
    /// lease and is charged an attempt. Queues call it; everybody else calls a queue.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn claim(&self, _worker: &str, _max: usize) -> Result<Vec<Claimed>> {
        unimplemented!()
    }

    /// Says that these jobs are still being worked on. Answers with the leases that still hold; drop the others.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; the leases then hold until they time out.
    pub async fn heartbeat(&self, _beats: &[Beat]) -> Result<HashSet<Lease>> {
        unimplemented!()
    }

    /// Writes what became of an attempt, unless the lease is over.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`; then it may or may not have been written, and may be written again.
    pub async fn finish(&self, _lease: Lease, _outcome: Outcome) -> Result<Written> {
        unimplemented!()
    }

    /// Puts the jobs of lost workers back (they run alone next time) or fails them if no attempt is left, expires
    /// those whose deadline has passed, and forgets old idempotency keys. Any number of processes may sweep.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn sweep(&self) -> Result<Swept> {
        unimplemented!()
    }
}
