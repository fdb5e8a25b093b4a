//! Takes jobs from the queue and makes them ready for the engine: known style, picture fetched and decoded.
//! [`crate::run`] runs it beside the line. What must stay true: no more jobs are claimed than one running and one
//! prepared batch, nothing is claimed while it could not be worked on, and trouble with a store charges nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jobs::metrics::METRICS;
use jobs::{Claimed, ErrorKind, Job, JobError, Outcome};
use models::picture::Picture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::batcher::Terms;
use crate::engine::Work;
use crate::engine::thread::Item;
use crate::held::Hold;
use crate::outcome;
use crate::picture::{self, Problem};
use crate::shared::{IMAGES, Pauses, QUEUE, Shared};

/// A job that only needs the engine.
pub(crate) type Prepared = (Item, Terms);

/// Claims and prepares until `shutdown`; returns when everything claimed has gone on to the line or was given back.
pub(crate) async fn run(
    shared: Arc<Shared>,
    line: mpsc::Sender<Prepared>,
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
            let hold = shared.held.take(claimed.lease, permit);
            let intake = Intake {
                shared: shared.clone(),
                line: line.clone(),
                shutdown: shutdown.clone(),
            };
            preparing.spawn(intake.take_in(claimed, hold));
        }
    }
    while preparing.join_next().await.is_some() {}
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
        match shared.places.images.ping().await {
            Ok(()) => {
                shared.images_doubted.store(false, Ordering::Relaxed);
                shared.places.health.ready(IMAGES);
            }
            Err(error) => {
                shared.places.health.not_ready(IMAGES, error.to_string());
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
    let (config, places) = (&shared.config, &shared.places);
    match places
        .queue
        .claim(&config.name, most, config.claim_patience)
        .await
    {
        Ok(claimed) => {
            places.health.ready(QUEUE);
            METRICS.attempts.inc_by(claimed.len() as u64);
            pauses.reset();
            claimed
        }
        Err(error) => {
            places.health.not_ready(QUEUE, error.to_string());
            pauses.wait().await;
            Vec::new()
        }
    }
}

/// The way of one job from its claim to the line.
struct Intake {
    shared: Arc<Shared>,
    line: mpsc::Sender<Prepared>,
    shutdown: CancellationToken,
}

impl Intake {
    async fn take_in(self, claimed: Claimed, hold: Arc<Hold>) {
        let prepared = tokio::select! {
            () = self.shutdown.cancelled() => Err(Outcome::Returned),
            picture = self.prepare(&claimed.job) => picture,
        };
        if let Err(outcome) = self.pass_on(prepared, claimed, &hold).await {
            self.shared.has_come();
            outcome::write(&self.shared, &hold, Some(outcome)).await;
        }
    }

    /// Sends a job with its picture to the line; otherwise says what becomes of the job.
    async fn pass_on(
        &self,
        prepared: Result<Picture, Outcome>,
        claimed: Claimed,
        hold: &Arc<Hold>,
    ) -> Result<(), Outcome> {
        let terms = terms(&claimed);
        let work = Work {
            id: claimed.job.id,
            picture: prepared?,
            request: claimed.job.request,
        };
        let hold = hold.clone();
        let sent = self.line.send((Item { work, hold }, terms)).await;
        // the line ends before intake only when the engine is gone
        sent.map_err(|_| Outcome::Returned)
    }

    /// The picture of a job that can be told, or what became of the job.
    async fn prepare(&self, job: &Job) -> Result<Picture, Outcome> {
        self.check_style(job).map_err(Outcome::Failed)?;
        let (images, compat) = (&*self.shared.places.images, job.request.compat);
        let cause = match picture::fetch(images, job.image.as_ref(), compat).await {
            Ok(picture) => return Ok(picture),
            Err(Problem::Picture(error)) => return Err(Outcome::Failed(error)),
            Err(Problem::Unavailable(cause)) => cause,
        };
        if let Err(error) = images.ping().await {
            self.doubt(&error);
            return Err(Outcome::Returned);
        }
        // the store answers: a moment's trouble, or this picture's own
        match picture::fetch(images, job.image.as_ref(), compat).await {
            Ok(picture) => Ok(picture),
            Err(Problem::Picture(error)) => Err(Outcome::Failed(error)),
            Err(Problem::Unavailable(_)) => {
                tracing::error!(job = %job.id, error = %cause, "a picture cannot be read");
                let reason = "the stored picture cannot be read now";
                Err(Outcome::Retry(JobError::new(
                    ErrorKind::StorageUnavailable,
                    reason,
                )))
            }
        }
    }

    /// Nothing more is claimed until the picture store answers again.
    fn doubt(&self, error: &jobs::Error) {
        self.shared
            .places
            .health
            .not_ready(IMAGES, error.to_string());
        self.shared.images_doubted.store(true, Ordering::Relaxed);
    }

    fn check_style(&self, job: &Job) -> Result<(), JobError> {
        let wanted = job
            .request
            .styles()
            .map_err(|problem| JobError::new(ErrorKind::InvalidParameter, problem.to_string()))?;
        let known = &self.shared.styles;
        match wanted.iter().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let names: Vec<_> = known.iter().map(String::as_str).collect();
                let names = names.join(", ");
                Err(JobError::new(
                    ErrorKind::UnknownStyle,
                    format!("there is no style `{name}`; the styles are {names}"),
                ))
            }
        }
    }
}

/// A job whose last attempt may have harmed others is told alone.
fn terms(claimed: &Claimed) -> Terms {
    let harmful = |error: &JobError| {
        matches!(
            error.kind,
            ErrorKind::WorkerLost | ErrorKind::ModelError | ErrorKind::OutOfMemory
        )
    };
    Terms {
        cost: u64::from(claimed.job.request.beam_width),
        alone: claimed.alone || claimed.job.error.as_ref().is_some_and(harmful),
    }
}
