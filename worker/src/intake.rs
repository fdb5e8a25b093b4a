//! Takes jobs from the queue and makes them ready for the engine: known style, picture fetched and decoded.
//! [`crate::run`] runs it beside batching. What must stay true: no more jobs are claimed than one running and one
//! prepared batch, nothing is claimed while it could not be worked on, and trouble with a store charges nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jobs::{AddedStyle, Claimed, ErrorKind, Job, JobError, JobKind, Lease, Outcome};
use models::Picture;
use operation::metrics::METRICS;
use operation::traces;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::batcher::{Load, Terms};
use crate::engine::thread::{Item, Task};
use crate::engine::{StyleWork, Work};
use crate::leases::Leased;
use crate::outcome;
use crate::picture::{self, Problem};
use crate::shared::{IMAGES, Pauses, QUEUE, Shared};

/// A job that only needs the engine.
pub(crate) type Prepared = (Item, Terms);

/// Claims and prepares until `shutdown`; returns when everything claimed has gone on to batching or was released.
pub(crate) async fn run(
    shared: Arc<Shared>,
    batching: mpsc::Sender<Prepared>,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(2 * shared.config.batch.items));
    let mut pauses = shared.pauses();
    let mut preparing = JoinSet::new();
    while !shutdown.is_cancelled() {
        while preparing.try_join_next().is_some() {}
        let permits = tokio::select! {
            () = shutdown.cancelled() => break,
            permits = permits(&shared, &room, &mut pauses) => permits,
        };
        let claimed = claim(&shared, permits.len(), &mut pauses).await;
        shared.coming.send_modify(|coming| *coming += claimed.len());
        for (claimed, permit) in claimed.into_iter().zip(permits) {
            let Claimed {
                job,
                lease,
                alone,
                ticket,
            } = claimed;
            let span = span_of(&job, lease);
            let leased = shared.leases.take(lease, span.clone(), ticket, permit);
            let intake = Intake {
                shared: shared.clone(),
                batching: batching.clone(),
                shutdown: shutdown.clone(),
            };
            preparing.spawn(intake.take_in(job, alone, leased).instrument(span));
        }
    }
    while preparing.join_next().await.is_some() {}
}

/// Everything about one attempt at a job, in the trace of whoever handed it in. A later one names the one before it by its
/// lease, which no two attempts at a job share: their number is not raised by one that is charged to nobody.
fn span_of(job: &Job, lease: Lease) -> Span {
    let retry_of = (lease.number > 1).then(|| lease.number - 1);
    let span = tracing::info_span!("attempt", job = %job.id, attempt = job.attempts, lease = lease.number, retry_of);
    traces::follow(&span, job.traceparent.as_deref());
    span
}

/// Waits until jobs could be worked on, and answers with a permit for each that may be claimed.
async fn permits(
    shared: &Shared,
    room: &Arc<Semaphore>,
    pauses: &mut Pauses,
) -> Vec<OwnedSemaphorePermit> {
    let mut hung = shared.hung.subscribe();
    // the sender lives in `shared`, so this waits for the engine to wake up
    let _ = hung.wait_for(|hung| !hung).await;
    while shared.images_doubted.load(Ordering::Relaxed) {
        match shared.backends.images.ping().await {
            Ok(()) => {
                shared.images_doubted.store(false, Ordering::Relaxed);
                shared.backends.health.ready(IMAGES);
            }
            Err(error) => {
                shared.backends.health.not_ready(IMAGES, error.to_string());
                pauses.wait().await;
            }
        }
    }
    let first = room.clone().acquire_owned().await;
    let mut permits = vec![first.expect("the semaphore is never closed")];
    permits.extend(std::iter::from_fn(|| room.clone().try_acquire_owned().ok()));
    permits
}

/// A claim is never dropped half-way, so a stop waits for it.
async fn claim(shared: &Shared, most: usize, pauses: &mut Pauses) -> Vec<Claimed> {
    let (config, backends) = (&shared.config, &shared.backends);
    match backends
        .queue
        .claim(&config.name, most, config.claim_patience)
        .await
    {
        Ok(claimed) => {
            backends.health.ready(QUEUE);
            METRICS.attempts.inc_by(claimed.len() as u64);
            pauses.reset();
            claimed
        }
        Err(error) => {
            backends.health.not_ready(QUEUE, error.to_string());
            pauses.wait().await;
            Vec::new()
        }
    }
}

/// The way of one job from its claim to its batch.
struct Intake {
    shared: Arc<Shared>,
    batching: mpsc::Sender<Prepared>,
    shutdown: CancellationToken,
}

impl Intake {
    async fn take_in(self, job: Job, alone: bool, leased: Arc<Leased>) {
        let prepared = tokio::select! {
            () = self.shutdown.cancelled() => Err(Outcome::Released),
            task = self.prepare(&job, &leased) => task,
        };
        let (leased, outcome) = match prepared {
            Ok(task) => {
                let item = (Item { task, leased }, terms(&job, alone));
                match self.batching.send(item).await {
                    Ok(()) => return,
                    // batching ends before intake only when the engine is gone
                    Err(unsent) => (unsent.0.0.leased, Outcome::Released),
                }
            }
            Err(outcome) => (leased, outcome),
        };
        self.shared.has_come();
        outcome::write(&self.shared, leased, Some(outcome)).await;
    }

    /// What a job needs, or what became of the job.
    async fn prepare(&self, job: &Job, leased: &Leased) -> Result<Task, Outcome> {
        if job.kind == JobKind::Style {
            return self.lesson(job).await.map(Task::Learn);
        }
        let added = self.added_styles(job).await?;
        let before = self.earlier_story(job).await?;
        let picture = self.picture(job, leased).await?;
        Ok(Task::Tell(Work {
            id: job.id,
            picture: Arc::new(picture),
            request: job.request.clone(),
            added,
            before,
        }))
    }

    /// The text of the story that this one goes on from. It is read now and not at submit: what its owner has taken back
    /// since is in no other row.
    async fn earlier_story(&self, job: &Job) -> Result<String, Outcome> {
        let Some(earlier) = job.request.continues else {
            return Ok(String::new());
        };
        let found = self.shared.backends.store.get(earlier).await;
        let found = found.map_err(|error| returned(job, &error))?;
        let story = found.and_then(|found| found.result);
        story.map(|result| result.story).ok_or_else(|| {
            let reason = format!(
                "the story {earlier} that it was to go on from has been taken back: begin a new one"
            );
            Outcome::Failed(JobError::new(ErrorKind::InvalidParameter, reason))
        })
    }

    async fn lesson(&self, job: &Job) -> Result<StyleWork, Outcome> {
        let draft = self.shared.backends.store.style_draft(job.id).await;
        match draft.map_err(|error| returned(job, &error))? {
            Some(draft) => Ok(StyleWork { id: job.id, draft }),
            // removed in this moment, and its job with it: there is nothing left to write
            None => Err(Outcome::Released),
        }
    }

    /// A store that has just come back answers before it can read all of its objects. The wait for them takes up
    /// room, so a worker that finds only such jobs soon claims no more.
    async fn picture(&self, job: &Job, leased: &Leased) -> Result<Picture, Outcome> {
        let images = &*self.shared.backends.images;
        let most = self.shared.config.picture_memory.max(1);
        let memory = self.shared.memory.clone();
        let memory = memory.acquire_many_owned(memory_of(job).min(most)).await;
        leased.keep(memory.expect("the semaphore is never closed"));
        let until = Instant::now() + self.shared.config.picture_patience;
        let mut pauses = self.shared.pauses();
        loop {
            let fetched = picture::fetch(images, job.image.as_ref(), job.request.compat).await;
            let cause = match fetched {
                Ok(picture) => return Ok(picture),
                Err(Problem::Picture(error)) => return Err(Outcome::Failed(error)),
                Err(Problem::Unavailable(cause)) => cause,
            };
            if let Err(error) = images.ping().await {
                self.doubt(&error);
                return Err(Outcome::Released);
            }
            if leased.is_lost() {
                return Err(Outcome::Released);
            }
            if Instant::now() >= until {
                tracing::error!(job = %job.id, error = %cause, "a picture cannot be read");
                let reason = "the stored picture cannot be read now";
                let error = JobError::new(ErrorKind::StorageUnavailable, reason);
                return Err(Outcome::Retry(error));
            }
            pauses.wait().await;
        }
    }

    /// Nothing more is claimed until the picture store answers again.
    fn doubt(&self, error: &pictures::Error) {
        self.shared
            .backends
            .health
            .not_ready(IMAGES, error.to_string());
        self.shared.images_doubted.store(true, Ordering::Relaxed);
    }

    /// The styles of a request that are not the bundle's own, if all there are.
    async fn added_styles(&self, job: &Job) -> Result<Vec<AddedStyle>, Outcome> {
        let wanted = job.request.style_names().map_err(|problem| {
            let error = JobError::new(ErrorKind::InvalidParameter, problem.to_string());
            Outcome::Failed(error)
        })?;
        let (bundle, known) = (&self.shared.bundle, &self.shared.styles);
        let names = wanted.into_iter();
        let foreign: Vec<String> = names.filter(|name| !known.contains(name)).collect();
        if foreign.is_empty() {
            return Ok(Vec::new());
        }
        let added = self
            .shared
            .backends
            .store
            .added_styles(bundle, &foreign, job.id)
            .await;
        let added = added.map_err(|error| returned(job, &error))?;
        match foreign
            .iter()
            .find(|name| !added.iter().any(|style| style.name == **name))
        {
            None => Ok(added),
            Some(name) => {
                let names: Vec<_> = known.iter().map(String::as_str).collect();
                let names = names.join(", ");
                Err(Outcome::Failed(JobError::new(
                    ErrorKind::UnknownStyle,
                    format!("there is no style `{name}`; the styles of {bundle} are {names}"),
                )))
            }
        }
    }
}

/// The database went away between the claim and this: nobody's fault.
fn returned(job: &Job, error: &jobs::Error) -> Outcome {
    tracing::warn!(job = %job.id, %error, "a job is released");
    Outcome::Released
}

/// What the decoded picture of a job takes, in MiB: three bytes a pixel, and as much again while it is decoded.
fn memory_of(job: &Job) -> u32 {
    let pixels = job.image.as_ref();
    let pixels = pixels.map_or(0, |image| u64::from(image.width) * u64::from(image.height));
    u32::try_from((pixels * 6).div_ceil(1 << 20)).map_or(u32::MAX, |memory| memory.max(1))
}

/// A job whose last attempt may have harmed others is told alone.
fn terms(job: &Job, alone: bool) -> Terms {
    let harmful =
        |error: &JobError| matches!(error.kind, ErrorKind::ModelError | ErrorKind::OutOfMemory);
    Terms {
        load: Load::of(&job.request),
        alone: job.kind == JobKind::Style || alone || job.error.as_ref().is_some_and(harmful),
    }
}
