//! Looking at stories: one with a wait, a page of them; and saying never mind.
//! `routes.rs` leads here; `submit.rs` makes the answers of a new story with [`see`]. What must stay true: a job
//! looks the same wherever it is shown, and its `ETag` changes exactly when something in it does.

use std::collections::BTreeMap;

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use jobs::{Cancelled, Job, JobKind, Retried, State};
use operation::metrics::METRICS;
use uuid::Uuid;

use crate::callers::Caller;
use crate::error::{Error, Kind, Problem, Result};
use crate::limits::over_quota;
use crate::nearest::nearest;
use crate::sites::OwnSite;
use crate::view::{AttemptView, PageView, StoryView};
use crate::{Service, etag, wait};

/// The pages of a list, unless asked otherwise, and at most.
const PAGE: u32 = 20;
const LARGEST_PAGE: u32 = 100;
/// How long answers may be kept; a 304 says it as its 200 does (RFC 9110 §15.4.5).
const OF_A_STORY: &str = "private, no-cache";

/// A job taken and given back more often than this while it is looked at is shown without its place.
const LOOKS: usize = 3;

/// The query of a request: names and texts, checked by hand so that every problem names its field.
pub(crate) type Texts = Query<BTreeMap<String, String>>;

/// A job as a caller sees it now.
pub(crate) struct Seen {
    /// The answer.
    pub(crate) view: StoryView,
    /// Which version of the job it is.
    pub(crate) tag: EntityTag,
    /// Whether it has reached its last state.
    pub(crate) ended: bool,
}

/// A story's job: where it stands, and once it has ended the story or the error.
#[utoipa::path(get, path = "/v1/stories/{id}", tag = "stories",
    params(
        ("id" = Uuid, Path, description = "The job's id"),
        ("wait" = Option<u32>, Query, minimum = 0, maximum = 60, description = "Wait up to so many seconds (0 to 60) for the end of the job; with `If-None-Match`, for any change of it"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version you have"),
    ),
    responses(
        (status = 200, description = "The job", body = StoryView, headers(("ETag" = String, description = "The version of the job"))),
        (status = 304, description = "Still the version you have"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_parameter`: `wait` is not 0 to 60", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    request: HttpRequest,
    id: Path<String>,
    query: Texts,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    only(&query, &["wait"])?;
    let patience = wait::of_query(query.get("wait").map(String::as_str))?;
    let known = etag::known(&request);
    let seen = wait::for_change(&service, id, patience, known.as_ref()).await?;
    if etag::matches(known.as_ref(), &seen.tag) {
        return Ok(etag::unchanged(&seen.tag, OF_A_STORY));
    }
    Ok(shown(&mut HttpResponse::Ok(), seen))
}

/// Your stories, the newest first, page by page; of the captions of each only the nearest three.
#[utoipa::path(get, path = "/v1/stories", tag = "stories",
    params(
        ("state" = Option<State>, Query, description = "Only those in this state"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "How many a page, 1 to 100; 20 unless said"),
        ("cursor" = Option<Uuid>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = PageView),
        (status = 422, description = "`invalid_parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(caller: Caller, query: Texts) -> Result<HttpResponse> {
    only(&query, &["state", "limit", "cursor"])?;
    let filter = query
        .get("state")
        .map(|name| state_named(name))
        .transpose()?;
    let before = query.get("cursor").map(|cursor| {
        Uuid::parse_str(cursor)
            .map_err(|_| Error::field("cursor", "`cursor` is the `next` of the page before"))
    });
    let limit = limit_of(&query)?;
    let listed = caller
        .store
        .list(filter, before.transpose()?, limit)
        .await?;
    METRICS.unreadable.inc_by(listed.unreadable);
    let next = listed.next.map(|last| last.to_string());
    let stories = listed.jobs.into_iter().map(StoryView::brief).collect();
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(PageView { stories, next }))
}

/// Never mind: a queued story is not told at all, a running one leaves its batch.
#[utoipa::path(post, path = "/v1/stories/{id}/cancel", tag = "stories",
    params(("id" = Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "Cancelled, now or before", body = StoryView),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`already_finished`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn cancel(
    _site: OwnSite,
    caller: Caller,
    id: Path<String>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    // a style's job is no story
    find(&service, id).await?;
    match caller.store.cancel(id).await? {
        Cancelled::Done(_) => Ok(shown(&mut HttpResponse::Ok(), see(&service, id).await?)),
        Cancelled::TooLate(job) if job.state == State::Cancelled => {
            Ok(shown(&mut HttpResponse::Ok(), see(&service, id).await?))
        }
        Cancelled::TooLate(job) => {
            let message = format!("the story has ended already: it is {}", job.state);
            Err(Error::Refused(Kind::AlreadyFinished, message))
        }
        Cancelled::NotFound => Err(no_story(id)),
    }
}

/// Once more: a story that failed, was cancelled or came too late waits again, with all its attempts before it.
#[utoipa::path(post, path = "/v1/stories/{id}/retry", tag = "stories",
    params(("id" = Uuid, Path, description = "The job's id")),
    responses(
        (status = 200, description = "It waits again, or is under way anyhow", body = StoryView),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`already_finished`: there is a story", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "`data_removed`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`quota_exceeded`: it counts as one that is handed in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn retry(
    _site: OwnSite,
    caller: Caller,
    id: Path<String>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    // a style's job is no story
    find(&service, id).await?;
    match caller.store.retry(id).await? {
        Retried::Done(_) | Retried::UnderWay(_) => {
            Ok(shown(&mut HttpResponse::Ok(), see(&service, id).await?))
        }
        Retried::Told(_) => {
            let message =
                "the story is told already: submit the picture with another `seed` for another one";
            Err(Error::Refused(Kind::AlreadyFinished, message.to_owned()))
        }
        Retried::OverQuota(quota) => Err(over_quota(quota)),
        Retried::Removed => Err(removed()),
        Retried::NotFound => Err(no_story(id)),
    }
}

/// Takes a story back: its picture, its text and its captions are removed for good, and what is left says so. One that
/// has not ended is cancelled first. Doing it again changes nothing.
#[utoipa::path(delete, path = "/v1/stories/{id}", tag = "stories",
    params(("id" = Uuid, Path, description = "The job's id")),
    responses(
        (status = 204, description = "They are gone"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: do it again", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn remove(
    _site: OwnSite,
    caller: Caller,
    id: Path<String>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    let state = &service.state;
    let Some(story) = caller.store.remove_data(id).await? else {
        return Err(no_story(id));
    };
    if let Some(key) = story.picture {
        state.images.delete(&key).await?;
        state.store.forget_picture(id).await?;
    }
    tracing::info!(story = %id, "taken back");
    Ok(HttpResponse::NoContent().finish())
}

/// The job as it stands, with its place in the queue.
///
/// # Errors
/// `not_found`, or `unavailable` when the database is away.
pub(crate) async fn see(service: &Service, id: Uuid) -> Result<Seen> {
    let (job, position) = placed(service, id).await?;
    let (ended, begun) = (job.state.is_final(), job.started_at.is_some());
    let mut view = StoryView::of(job);
    view.position = position;
    let history = if begun {
        service.state.store.attempts(id).await?
    } else {
        Vec::new()
    };
    view.history = Some(history.into_iter().map(AttemptView::of).collect());
    let tag = etag::of_view(&view)?;
    // after the tag: an estimate that moves is no change of the job
    if let Some(position) = view.position {
        view.eta_seconds = eta(service, position).await?;
    }
    Ok(Seen { view, tag, ended })
}

/// The job and, if it is queued, its place. A worker may take it between the two looks: then it has no place
/// any more, and is looked at again rather than shown as something it never was.
async fn placed(service: &Service, id: Uuid) -> Result<(Job, Option<u64>)> {
    let mut job = find(service, id).await?;
    for _ in 0..LOOKS {
        if job.state != State::Queued {
            break;
        }
        if let Some(position) = service.state.store.position(id).await? {
            return Ok((job, Some(position)));
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
    let Some(pace) = service.state.store.pace().await? else {
        return Ok(None);
    };
    let before = position + service.state.store.depth().await?.running;
    Ok(Some(
        (pace.as_secs_f64() * (before + 1) as f64).ceil() as u64
    ))
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
        .ok_or_else(|| no_story(id))
}

pub(crate) fn no_story(id: Uuid) -> Error {
    Error::Refused(Kind::NotFound, format!("there is no story {id}"))
}

/// What is said of a story whose owner has taken it back.
pub(crate) fn removed() -> Error {
    let message = "picture and story were removed at their owner's wish";
    Error::Refused(Kind::DataRemoved, message.to_owned())
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

/// How many a page.
pub(crate) fn limit_of(query: &BTreeMap<String, String>) -> Result<u32> {
    match query.get("limit").map(|text| text.parse::<u32>()) {
        None => Ok(PAGE),
        Some(Ok(limit)) if (1..=LARGEST_PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(Error::field(
            "limit",
            format!("`limit` is 1 to {LARGEST_PAGE}"),
        )),
    }
}

/// Refuses a query with other parameters than these.
pub(crate) fn only(query: &BTreeMap<String, String>, known: &[&str]) -> Result<()> {
    match query.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::field(
            name,
            format!(
                "there is no query parameter `{name}`; there are {}",
                known.join(", ")
            ),
        )),
    }
}

fn state_named(name: &str) -> Result<State> {
    let names: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
    State::ALL
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| {
            let meant = nearest(name, names.iter().copied())
                .map_or_else(String::new, |known| format!("; did you mean `{known}`?"));
            Error::Field {
                kind: Kind::InvalidParameter,
                field: "state".to_owned(),
                message: format!("`state` is {}{meant}", names.join(", ")),
                choices: names.iter().map(|&name| name.to_owned()).collect(),
            }
        })
}
