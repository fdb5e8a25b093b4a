//! `GET /problems` and `GET /problems/{kind}`: the closed list of problem types, for people and programs.
//! The `type` of every error answer leads here. What must stay true: the list is the one of `error::kind`.

use actix_web::http::header::{ACCEPT, HeaderValue, VARY};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::docs;
use crate::error::{Error, Kind, Problem, Result};

/// A type of problem.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "/problems/queue_full", "kind": "queue_full", "title": "The queue is full", "status": 429, "retryable": true,
    "meaning": "As many stories wait as this service accepts. Come back after Retry-After."
}))]
pub struct ProblemType {
    /// The `type` itself.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its last part, as in the `kind` of a failed job.
    pub kind: &'static str,
    /// It in a few words.
    pub title: &'static str,
    /// The status of an answer with it.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When it happens and what to do.
    pub meaning: &'static str,
}

/// The closed list of problem types.
#[utoipa::path(get, path = "/problems", tag = "errors", responses((status = 200, description = "Every type there is", body = [ProblemType])))]
pub(crate) async fn list() -> HttpResponse {
    HttpResponse::Ok().json(Kind::all().map(described).collect::<Vec<_>>())
}

/// One problem type.
#[utoipa::path(get, path = "/problems/{kind}", tag = "errors",
    params(("kind" = String, Path, description = "The last part of a `type`", example = "unknown_style")),
    responses(
        (status = 200, description = "What it means and what to do; for a browser as a page", content((ProblemType = "application/json"), (String = "text/html"))),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(request: HttpRequest, name: Path<String>) -> Result<HttpResponse> {
    let kind = Kind::named(&name).ok_or_else(|| {
        Error::Refused(
            Kind::NotFound,
            format!("there is no problem type `{name}`; `GET /problems` lists them"),
        )
    })?;
    let mut answer = if for_people(&request) {
        docs::about(&request, kind)
    } else {
        HttpResponse::Ok().json(described(kind))
    };
    let headers = answer.headers_mut();
    headers.append(VARY, HeaderValue::from_static("accept"));
    Ok(answer)
}

/// Whether a browser shows it to somebody: those name HTML first.
fn for_people(request: &HttpRequest) -> bool {
    let accepted = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.trim_start().starts_with("text/html"))
}

fn described(kind: Kind) -> ProblemType {
    ProblemType {
        type_: kind.uri(),
        kind: kind.name(),
        title: kind.title(),
        status: kind.status().as_u16(),
        retryable: kind.retryable(),
        meaning: kind.meaning(),
    }
}
