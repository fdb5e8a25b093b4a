//! Looking at stories: one with a wait, a page of them; and saying never mind.
//! `routes.rs` leads here, `seen.rs` says what a job looks like. What must stay true: every problem with a query names its
//! parameter.

use std::collections::BTreeMap;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use jobs::{Cancelled, Retried, State};
use operation::metrics::METRICS;
use uuid::Uuid;

use crate::callers::Caller;
use crate::error::{Error, Kind, Problem, Result};
use crate::nearest::nearest;
use crate::paging::{limit_of, say_next};
use crate::seen::{OF_A_STORY, find, known_id, see, shown};
use crate::service::Service;
use crate::sites::OwnSite;
use crate::view::{PageView, StoryView};
use crate::{etag, wait};

/// The query of a request: names and texts, checked by hand so that every problem names its field.
pub(crate) type Texts = Query<BTreeMap<String, String>>;

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
        (status = 429, description = "`too_many_waits`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(
    caller: Caller,
    request: HttpRequest,
    id: Path<String>,
    query: Texts,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    only(&query, &["wait"])?;
    let patience = wait::of_query(query.get("wait").map(String::as_str))?;
    let known = etag::known(&request);
    let _place = match patience.is_zero() {
        true => None,
        false => caller.waits(&service.waits)?,
    };
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
        (status = 200, description = "A page", body = PageView, headers(
            ("Link" = String, description = "Where the next page is, if there is one: `<…>; rel=\"next\"`"),
        )),
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
    let mut answer = HttpResponse::Ok();
    say_next(&mut answer, "/v1/stories", &query, next.as_deref());
    Ok(answer
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
        Cancelled::NotFound => Err(Error::no_story(id)),
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
        Retried::OverQuota(quota) => Err(quota.into()),
        Retried::Removed => Err(Error::removed()),
        Retried::NotFound => Err(Error::no_story(id)),
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
        return Err(Error::no_story(id));
    };
    if let Some(key) = story.picture {
        state.images.delete(&key).await?;
        state.store.forget_picture(id).await?;
    }
    tracing::info!(story = %id, "taken back");
    Ok(HttpResponse::NoContent().finish())
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
