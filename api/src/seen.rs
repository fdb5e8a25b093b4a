//! A story's job as a caller sees it, and what is said when there is none to see.
//! Every handler that shows or changes one looks here; `wait.rs` looks until it changes. What must stay true: a job looks the
//! same wherever it is shown, and its `ETag` changes exactly when something in it does.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag};
use actix_web::{HttpResponse, HttpResponseBuilder};
use jobs::{Job, JobKind, Line, State};
use uuid::Uuid;

use crate::error::{Error, Kind, Result};
use crate::etag;
use crate::service::Service;
use crate::view::{AttemptView, StoryView};

/// How long answers may be kept; a 304 says it as its 200 does (RFC 9110 §15.4.5).
pub(crate) const OF_A_STORY: &str = "private, no-cache";
/// A job taken and given back more often than this while it is looked at is shown without its place.
const LOOKS: usize = 3;

/// A job as a caller sees it now.
pub(crate) struct Seen {
    /// The answer.
    pub(crate) view: StoryView,
    /// Which version of the job it is.
    pub(crate) tag: EntityTag,
    /// Whether it has reached its last state.
    pub(crate) ended: bool,
}

/// The job as it stands, with its place in the queue.
///
/// # Errors
/// `not_found`, or `unavailable` when the database is away.
pub(crate) async fn see(service: &Service, id: Uuid) -> Result<Seen> {
    see_now(service, find(service, id).await?).await
}

/// As [`see`], for whoever has read or written the job just now.
///
/// # Errors
/// As [`see`].
pub(crate) async fn see_now(service: &Service, job: Job) -> Result<Seen> {
    let id = job.id;
    let (job, position) = placed(service, job).await?;
    let (ended, begun) = (job.state.is_final(), job.started_at.is_some());
    let mut view = StoryView::of(job);
    view.position = position.as_ref().map(|(position, _)| *position);
    let history = if begun {
        service.state.store.attempts(id).await?
    } else {
        Vec::new()
    };
    view.history = Some(history.into_iter().map(AttemptView::of).collect());
    let tag = etag::of_view(&view)?;
    // after the tag: an estimate that moves is no change of the job
    view.eta_seconds = position.and_then(|(position, line)| seconds(&line, position));
    Ok(Seen { view, tag, ended })
}

/// The job and, if it is queued, its place and the line that it was found in. A worker may take it between the two looks: then it has no place
/// any more, and is looked at again rather than shown as something it never was.
async fn placed(service: &Service, mut job: Job) -> Result<(Job, Option<(u64, Arc<Line>)>)> {
    let id = job.id;
    for _ in 0..LOOKS {
        if job.state != State::Queued {
            break;
        }
        let store = &service.state.store;
        let line = store.line().await?;
        if let Some(position) = store.position_in(&line, &job).await? {
            return Ok((job, Some((position, line))));
        }
        // the job that it waits for is being told
        if job.follows.is_some() {
            break;
        }
        job = find(service, id).await?;
    }
    Ok((job, None))
}

/// In how many seconds a story with so many before it should be told, if stories have been told lately.
pub(crate) async fn eta(service: &Service, position: u64) -> Result<Option<u64>> {
    Ok(seconds(&*service.state.store.line().await?, position))
}

fn seconds(line: &Line, position: u64) -> Option<u64> {
    let wait = line.wait(position)?;
    Some(wait.as_secs_f64().ceil() as u64)
}

/// An answer with a job in it.
pub(crate) fn shown(answer: &mut HttpResponseBuilder, seen: Seen) -> HttpResponse {
    answer
        .insert_header((ETAG, seen.tag.to_string()))
        .insert_header((CACHE_CONTROL, OF_A_STORY))
        .json(seen.view)
}

pub(crate) async fn find(service: &Service, id: Uuid) -> Result<Job> {
    let job = service.state.store.get(id).await?;
    job.filter(|job| job.kind == JobKind::Story)
        .ok_or_else(|| Error::no_story(id))
}

/// An id that cannot be one is an id nobody has.
pub(crate) fn known_id(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| {
        Error::Refused(
            Kind::NotFound,
            "there is no such story: its address ends in the id that the submit answered"
                .to_owned(),
        )
    })
}
