//! `GET /v1/stories/{id}/explain`: why a story is the one it is.
//! `routes.rs` leads here. What must stay true: it says what the worker wrote down with the story, so an old story stays
//! explained by what told it, and one of a worker that wrote nothing down is explained by its captions alone.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use jobs::{ChosenCaption, Explanation, Job, State};

use crate::error::{Error, Kind, Problem, Result};
use crate::etag;
use crate::seen::{find, known_id};
use crate::service::Service;

/// A story that is told does not change, but it can be taken back.
const OF_AN_EXPLANATION: &str = "private, no-cache";

/// Why a story is the one it is: its captions and what each was chosen for, the words read out of its thought, and what
/// that thought was near before the style moved it, and after.
#[utoipa::path(get, path = "/v1/stories/{id}/explain", tag = "stories",
    params(
        ("id" = Uuid, Path, description = "The job's id"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version you have"),
    ),
    responses(
        (status = 200, description = "Why; lists are empty where what told it did not say", body = Explanation, headers(("ETag" = String, description = "The version"))),
        (status = 304, description = "Still the version you have"),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`not_told`: there is no story yet, or none at all", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "`data_removed`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn explain(
    request: HttpRequest,
    id: Path<String>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let id = known_id(&id)?;
    let job = find(&service, id).await?;
    if job.data_removed_at.is_some() {
        return Err(Error::removed());
    }
    if job.state != State::Succeeded {
        let message = format!(
            "the story is {}: only one that is told can be explained",
            job.state
        );
        return Err(Error::Refused(Kind::NotTold, message));
    }
    let said = service.state.store.explanation(id).await?;
    let explanation = said.unwrap_or_else(|| by_captions(job));
    etag::shown(
        &mut HttpResponse::Ok(),
        &request,
        &explanation,
        OF_AN_EXPLANATION,
    )
}

fn by_captions(job: Job) -> Explanation {
    let captions = job.result.map(|result| result.captions);
    let chosen = |caption: jobs::UsedCaption| ChosenCaption {
        text: caption.text,
        similarity: caption.similarity,
        ..ChosenCaption::default()
    };
    Explanation {
        captions: captions.into_iter().flatten().map(chosen).collect(),
        ..Explanation::default()
    }
}
