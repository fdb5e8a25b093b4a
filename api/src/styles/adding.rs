//! `POST /v1/styles` and what follows it: a text comes in, a job makes a style of it, its name leads to how that stands.
//! `routes.rs` leads here. What must stay true: what can be known about name and text is said now, with a 4xx; a 202 means
//! that the text is in the database, and only the text itself can still be refused, by the worker that reads it.

use actix_web::http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use jobs::{QueueLimit, Room, State, Store, StyleDraft, StyleStanding, StyleSubmitted};
use tokio::sync::SemaphorePermit;
use utoipa::ToSchema;

use crate::callers::Caller;
use crate::error::{Error, Kind, Problem, Result};
use crate::form::{FileField, FormBody};
use crate::service::Service;
use crate::sites::OwnSite;
use crate::view::{ErrorView, ProgressView, StyleState, StyleView};

/// A long novel has 2 MiB; a mean over more texts hardly differs.
const LARGEST_TEXT: usize = 16 * 1024 * 1024;
const LONGEST_WORDS: usize = 500;
/// Making a style takes seconds to a minute.
const RETRY: u64 = 2;

/// The form of a new style.
#[derive(ToSchema)]
#[schema(example = json!({"name": "sea", "text": "The whole text of the book.", "description": "Novels of the sea", "source": "Melville"}))]
#[expect(
    dead_code,
    reason = "describes the form to readers of the OpenAPI document"
)]
pub(crate) struct StyleForm {
    /// The name to ask for in `style`: 1 to 40 small letters, digits and hyphens.
    name: String,
    /// A file of plain text in UTF-8: some 4,000 words of prose at least, better 100,000; at most 16 MiB.
    #[schema(value_type = String, format = Binary)]
    text: Vec<u8>,
    /// One sentence for people who choose.
    #[schema(default = "Added by a caller")]
    description: Option<String>,
    /// Where the text is from.
    #[schema(default = "")]
    source: Option<String>,
}

/// Makes a style of a text: the mean thought of its passages, as the bundle's own styles were made.
#[utoipa::path(post, path = "/v1/styles", tag = "styles",
    request_body(content((StyleForm = "multipart/form-data"))),
    responses(
        (status = 202, description = "Accepted: it will not be lost. Poll the `Location`", body = StyleView, headers(
            ("Location" = String, description = "Where the style can be polled"),
            ("Retry-After" = u64, description = "In how many seconds polling is worth while"),
        )),
        (status = 200, description = "The same text came under this name before", body = StyleView),
        (status = 400, description = "`malformed_request`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`style_exists`: another style has the name", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`queue_full` or `quota_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn add(
    _site: OwnSite,
    caller: Caller,
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let _upload = match admitted(&service).await {
        Ok(upload) => upload,
        Err(refusal) => {
            FormBody::refuse(payload, text_field(&service)).await;
            return Err(refusal);
        }
    };
    let form = FormBody::read(&request, payload, text_field(&service)).await?;
    let draft = draft(form)?;
    check_name_is_free(&caller.store, &draft.name).await?;
    let standing = match caller.store.submit_style(&draft).await? {
        StyleSubmitted::New(standing) => standing,
        StyleSubmitted::Same(standing) => {
            return Ok(HttpResponse::Ok().json(StyleView::standing(standing)));
        }
        StyleSubmitted::Taken => return Err(taken(&draft.name)),
        StyleSubmitted::Full { queued } => {
            return Err(Error::Full {
                limit: QueueLimit::Stories { queued },
                retry_after: RETRY,
            });
        }
        StyleSubmitted::OverQuota(quota) => return Err(quota.into()),
    };
    if let Err(error) = service.state.queue.publish(&[]).await {
        tracing::warn!(style = draft.name, cause = %error, "the style is accepted but was not published; the sweeper will do it");
    }
    tracing::info!(
        style = draft.name,
        bytes = draft.text.len(),
        "accepted a style"
    );
    Ok(HttpResponse::Accepted()
        .insert_header((LOCATION, format!("/v1/styles/{}", draft.name)))
        .insert_header((RETRY_AFTER, RETRY))
        .json(StyleView::standing(standing)))
}

/// A style: one of the bundle, or one that was added, from its submit on.
#[utoipa::path(get, path = "/v1/styles/{name}", tag = "styles",
    params(("name" = String, Path, description = "The style's name")),
    responses(
        (status = 200, description = "The style", body = StyleView),
        (status = 404, description = "`not_found`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn one(caller: Caller, name: Path<String>) -> Result<HttpResponse> {
    let store = &caller.store;
    let view = match store.style(&name).await? {
        Some(standing) => StyleView::standing(standing),
        None => {
            let styles = store
                .styles()
                .await?
                .map_or_else(Vec::new, |known| known.styles);
            let listed = styles.into_iter().find(|style| style.name == *name);
            StyleView::of(listed.ok_or_else(|| no_style(&name))?)
        }
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-cache"))
        .json(view))
}

/// Takes away a style that was added. Stories that wait for it fail with `unknown_style`; those that are told stay.
#[utoipa::path(delete, path = "/v1/styles/{name}", tag = "styles",
    params(("name" = String, Path, description = "The style's name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no style of this name was added", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn remove(
    _site: OwnSite,
    caller: Caller,
    name: Path<String>,
) -> Result<HttpResponse> {
    if caller.store.remove_style(&name).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(no_style(&name))
}

/// The bundle's own names are taken; whether an added style is the same one, the store knows.
async fn check_name_is_free(store: &Store, name: &str) -> Result<()> {
    if store.style(name).await?.is_some() {
        return Ok(());
    }
    let listed = store.styles().await?;
    let styles = listed.map_or_else(Vec::new, |catalogue| catalogue.styles);
    if styles.iter().any(|style| style.name == name) {
        return Err(taken(name));
    }
    Ok(())
}

fn taken(name: &str) -> Error {
    let message = format!(
        "there is a style `{name}` already: choose another name, or DELETE /v1/styles/{name} if it was added here"
    );
    Error::Refused(Kind::StyleExists, message)
}

fn no_style(name: &str) -> Error {
    let name: String = name.chars().take(40).collect();
    let message = format!("no style `{name}` was added; GET /v1/styles lists those there are");
    Error::Refused(Kind::NotFound, message)
}

fn text_field(service: &Service) -> FileField {
    FileField::single(service, "text", LARGEST_TEXT, |most| {
        let most = most / (1024 * 1024);
        let message = format!(
            "the text has more than {most} MiB, which is the most this service takes: send a part of it"
        );
        Error::Refused(Kind::BodyTooLarge, message)
    })
}

/// The turn to send a text: before anything of it is read.
async fn admitted(service: &Service) -> Result<SemaphorePermit<'_>> {
    match service.state.store.room(None).await? {
        Room::Full(limit @ QueueLimit::Stories { .. }) => Err(Error::Full {
            limit,
            retry_after: RETRY,
        }),
        // a style has no picture
        Room::For { .. } | Room::Full(QueueLimit::Pictures { .. }) => service.turns.upload().await,
    }
}

/// Everything that can be said about a draft without reading the text.
fn draft(mut form: FormBody) -> Result<StyleDraft> {
    let text = match (form.take_file(), form.take_text("text")) {
        (Some(bytes), _) => plain(&bytes)?,
        (None, Some(text)) => text.replace('\0', ""),
        (None, None) => {
            return Err(Error::field(
                "text",
                "the form has no `text`: send a plain text file",
            ));
        }
    };
    if text.trim().is_empty() {
        return Err(Error::field("text", "`text` is empty"));
    }
    let name = form
        .take_text("name")
        .ok_or_else(|| Error::field("name", "the form has no `name` for the style"))?;
    if !is_name(&name) {
        let message =
            "`name` is 1 to 40 small letters, digits and hyphens, and begins with no hyphen";
        return Err(Error::field("name", message));
    }
    let description = words(&mut form, "description")?;
    let source = words(&mut form, "source")?;
    if let Some(unknown) = form.fields.keys().next() {
        let message =
            format!("there is no field `{unknown}`; there are name, text, description, source");
        return Err(Error::field(unknown.clone(), message));
    }
    Ok(StyleDraft {
        name,
        description: description.unwrap_or_else(|| "Added by a caller".to_owned()),
        source: source.unwrap_or_default(),
        text,
    })
}

/// A text file: a byte order mark is no part of it, and the database keeps no NUL.
fn plain(bytes: &Bytes) -> Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let message = format!("`text` is no text in UTF-8 (byte {at} is not): convert it, or send the .txt instead of a book file");
        Error::field("text", message)
    })?;
    Ok(text.trim_start_matches('\u{feff}').replace('\0', ""))
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=40).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-')
}

/// A field of words for people.
fn words(form: &mut FormBody, field: &str) -> Result<Option<String>> {
    let given = form.take_text(field);
    if given
        .as_ref()
        .is_some_and(|words| words.chars().count() > LONGEST_WORDS)
    {
        let message = format!("`{field}` has more than {LONGEST_WORDS} characters");
        return Err(Error::field(field, message));
    }
    Ok(given
        .map(|words| words.replace('\0', ""))
        .filter(|words| !words.trim().is_empty()))
}

impl StyleView {
    fn standing(style: StyleStanding) -> Self {
        StyleView {
            state: match style.state {
                State::Queued => StyleState::Queued,
                State::Running => StyleState::Running,
                State::Succeeded => StyleState::Ready,
                State::Failed | State::Cancelled | State::Expired => StyleState::Failed,
            },
            progress: style.stage.and_then(ProgressView::of_stage),
            error: style.error.map(ErrorView::of),
            ..StyleView::of(style.entry)
        }
    }
}
