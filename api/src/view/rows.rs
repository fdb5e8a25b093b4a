//! Makes the JSON shapes from the rows of `jobs`.
//! Called by every handler that shows a job. What must stay true: nothing of a row is shown that is not in the
//! documented shape; names of files and workers stay inside.

use jobs::{Attempt, Job, JobError, Stage, State, StoredImage, StoryResult, StyleEntry};
use uuid::Uuid;

use super::{
    AttemptView, CaptionView, ErrorView, ImageView, ProgressView, ResultView, StoryView,
    StyleState, StyleView,
};
use crate::error::{Error, Kind};

/// Captions shown with each of a page of stories: a story can have a thousand.
const LISTED_CAPTIONS: usize = 3;

impl StoryView {
    /// A job as one of many: with the nearest captions only.
    pub(crate) fn brief(job: Job) -> Self {
        let mut view = StoryView::of(job);
        if let Some(result) = &mut view.result {
            result.captions.truncate(LISTED_CAPTIONS);
        }
        view
    }

    /// The job alone: without its place in the queue and its history, which are other rows.
    pub(crate) fn of(job: Job) -> Self {
        let running = job.stage.filter(|_| job.state == State::Running);
        StoryView {
            id: job.id,
            state: job.state,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            // one that waits for another job has no time of its own
            due_at: (job.state == State::Queued && job.follows.is_none()).then_some(job.due_at),
            position: None,
            eta_seconds: None,
            progress: running.clone().and_then(ProgressView::of_stage),
            stage: running.map(|stage| stage.name),
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            history: None,
            request: job.request.filled_in(),
            shared: job.shared_at.is_some(),
            cache: job.cache,
            batch: job.batch,
            data_removed: job.data_removed_at.is_some(),
            // what is removed may still lie where it is kept for a moment
            image: job
                .image
                .filter(|_| job.data_removed_at.is_none())
                .map(|image| ImageView::of(job.id, image)),
            result: job.result.map(ResultView::of),
            error: job.error.map(ErrorView::of),
        }
    }
}

impl ProgressView {
    /// How far a stage is, where that is known.
    pub(crate) fn of_stage(stage: Stage) -> Option<Self> {
        let Stage { done, of, .. } = stage;
        (of > 0).then_some(ProgressView { done, of })
    }
}

impl ImageView {
    pub(super) fn of(job: Uuid, image: StoredImage) -> Self {
        ImageView {
            url: format!("/v1/stories/{job}/image"),
            media_type: image.media_type,
            width: image.width,
            height: image.height,
            bytes: image.bytes,
        }
    }
}

impl ResultView {
    fn of(result: StoryResult) -> Self {
        let captions = result.captions.into_iter();
        ResultView {
            story: result.story,
            others: result.others,
            style: result.style,
            captions: captions
                .map(|used| CaptionView {
                    text: used.text,
                    similarity: used.similarity,
                })
                .collect(),
            timings: result.timings,
            bundle: result.bundle,
        }
    }
}

impl ErrorView {
    /// Why a job failed.
    pub(crate) fn of(error: JobError) -> Self {
        ErrorView {
            type_: Kind::of_job(error.kind).uri(),
            kind: error.kind.name().to_owned(),
            message: error.message,
            retryable: error.retryable,
        }
    }
}

impl ErrorView {
    /// Why a picture was not taken.
    pub(crate) fn of_problem(error: &Error) -> Self {
        let problem = error.problem();
        ErrorView {
            type_: problem.type_,
            kind: error.kind().name().to_owned(),
            message: problem.detail,
            retryable: problem.retryable,
        }
    }
}

impl AttemptView {
    /// One line of a job's history.
    pub(crate) fn of(attempt: Attempt) -> Self {
        AttemptView {
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome,
            error: attempt.error.map(ErrorView::of),
        }
    }
}

impl StyleView {
    /// A style of the catalogue.
    pub(crate) fn of(style: StyleEntry) -> Self {
        StyleView {
            name: style.name,
            description: style.description,
            passages: style.passages,
            source: style.source,
            state: StyleState::Ready,
            progress: None,
            error: None,
        }
    }
}
