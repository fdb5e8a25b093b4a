//! Consent and what comes of it: letting everybody see a story, taking that back, and the gallery.
//! `routes.rs` leads here. What must stay true: nothing is shown without consent, withdrawing it works at once, and what
//! was removed is never shown.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Json, Path};
use chrono::DateTime;
use jobs::{Place, Shared};
use operation::metrics::METRICS;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::callers::Caller;
use crate::error::{Error, Problem, Result};
use crate::paging::{limit_of, say_next};
use crate::seen::{known_id, see, shown};
use crate::service::Service;
use crate::sites::OwnSite;
use crate::stories::{Texts, only};
use crate::view::{GalleryView, SharedStoryView, StoryView};

/// Whether everybody may see a story.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"shared": true}))]
pub(crate) struct Consent {
    /// `true` puts it into the gallery once it is told, `false` takes it out.
    shared: bool,
}

/// Lets everybody see the story in the gallery, or takes that back.
#[utoipa::path(put, path = "/v1/stories/{id}/shared", tag = "gallery",
    params(("id" = Uuid, Path, description = "The job's id")),
    request_body = Consent,
    responses(
        (status = 200, description = "So it is", body = StoryView),
        (status = 400, description = "`malformed_request`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "`data_removed`: there is nothing to show", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn share(
    _site: OwnSite,
    caller: Caller,
    id: Path<String>,
    consent: Json<Consent>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    let store = &caller.store;
    let became = if consent.shared {
        store.share(id).await?
    } else {
        store.unshare(id).await?
    };
    match became {
        Shared::Done(_) => Ok(shown(&mut HttpResponse::Ok(), see(&service, id).await?)),
        Shared::Removed => Err(Error::removed()),
        Shared::NotFound => Err(Error::no_story(id)),
    }
}

/// The stories that their owners let everybody see, the one that was shared last first, page by page.
#[utoipa::path(get, path = "/v1/gallery", tag = "gallery",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "How many a page, 1 to 100; 20 unless said"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = GalleryView, headers(
            ("Link" = String, description = "Where the next page is, if there is one: `<…>; rel=\"next\"`"),
        )),
        (status = 422, description = "`invalid_parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(query: Texts, service: Data<Service>) -> Result<HttpResponse> {
    only(&query, &["limit", "cursor"])?;
    let after = query.get("cursor").map(|cursor| {
        place_of(cursor)
            .ok_or_else(|| Error::field("cursor", "`cursor` is the `next` of the page before"))
    });
    let limit = limit_of(&query)?;
    let gallery = service
        .state
        .store
        .gallery(after.transpose()?, limit)
        .await?;
    METRICS.unreadable.inc_by(gallery.unreadable);
    let stories = gallery.jobs.into_iter().filter_map(SharedStoryView::of);
    let next = gallery.next.map(cursor_of);
    let mut answer = HttpResponse::Ok();
    say_next(&mut answer, "/v1/gallery", &query, next.as_deref());
    Ok(answer
        // a story that is taken out must be out
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(GalleryView {
            stories: stories.collect(),
            next,
        }))
}

/// A place in writing. Microseconds are what the database counts in.
pub fn cursor_of(place: Place) -> String {
    let micros = place.shared_at.timestamp_micros();
    format!("{micros}.{}", place.id.simple())
}

/// The place that a cursor leads to, if it is one of ours.
pub fn place_of(cursor: &str) -> Option<Place> {
    let (micros, id) = cursor.split_once('.')?;
    let shared_at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
    // the database knows fewer years than the clock
    (0..=253_402_300_799)
        .contains(&shared_at.timestamp())
        .then_some(())?;
    let id = Uuid::parse_str(id).ok()?;
    Some(Place { shared_at, id })
}
