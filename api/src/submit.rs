//! `POST /v1/stories`: takes a picture and wishes, checks both, and answers with the accepted job.
//! What must stay true: whatever can be known about the request is said now, with a 4xx; a 202 means that the
//! picture is on the disk and the job in the database; a picture of a job that was not accepted is not kept.

use std::time::Duration;

use actix_web::http::header::{HeaderName, LOCATION, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jobs::{
    Cache, Idempotency, Job, JobKind, NewJob, State, Store, StoryRequest, Submitted, faults,
};
use operation::metrics::METRICS;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::admission::{FIRST_RETRY, LATEST_RETRY, admitted, full, no_room};
use crate::callers::Caller;
use crate::error::{Error, Kind, Problem, Result};
use crate::fields;
use crate::form::{FileField, FormBody};
use crate::keeping::{Ready, keep, picture_of};
use crate::nearest::nearest;
use crate::repeated::{REPLAYED, fingerprint, key_reused};
use crate::reuse::Reuse;
use crate::seen::{Seen, see_now, shown};
use crate::service::Service;
use crate::sites::OwnSite;
use crate::source::Source;
use crate::uploads::Upload;
use crate::view::StoryView;
use crate::{allowance, wait};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What is asked for.
struct Wanted {
    caller: Caller,
    wishes: StoryRequest,
    reuse: Reuse,
    /// For a picture of so many bytes.
    room: u64,
}

/// The form of a submit. Only `image` is needed, or `image_url`, `upload` or `continue` in its place.
#[derive(ToSchema)]
#[schema(example = json!({"image": "(the file)", "style": "romance"}))]
#[expect(
    dead_code,
    reason = "describes the form to readers of the OpenAPI document; `fields` reads it"
)]
pub(crate) struct StoryForm {
    /// The picture: JPEG, PNG, WebP or a still GIF.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
    /// How it is to be told.
    #[serde(flatten)]
    request: StoryRequest,
}

/// The same in JSON, with `image_url` in place of the picture.
#[derive(ToSchema)]
#[schema(example = json!({"image_url": "https://example.com/dogs.jpg", "style": "romance", "metadata": {"album": "2026"}}))]
#[expect(
    dead_code,
    reason = "describes the body to readers of the OpenAPI document; `fields` reads it"
)]
pub(crate) struct StoryByAddress {
    /// Where the picture is, on the public web. Redirects are followed.
    image_url: String,
    /// How it is to be told.
    #[serde(flatten)]
    request: StoryRequest,
}

/// The same in JSON, with the `upload` that the picture was sent to in its place.
#[derive(ToSchema)]
#[schema(example = json!({"upload": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11", "style": "romance"}))]
#[expect(
    dead_code,
    reason = "describes the body to readers of the OpenAPI document; `fields` reads it"
)]
pub(crate) struct StoryByUpload {
    /// The `id` that `POST /v1/uploads` answered with.
    upload: Uuid,
    /// How it is to be told.
    #[serde(flatten)]
    request: StoryRequest,
}

/// In JSON the picture is named, not sent.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(example = json!({"image_url": "https://example.com/dogs.jpg", "style": "romance"}))]
#[expect(
    dead_code,
    reason = "describes the body to readers of the OpenAPI document; `fields` reads it"
)]
pub(crate) enum StoryInJson {
    /// By its address.
    Address(StoryByAddress),
    /// By its upload.
    Upload(StoryByUpload),
}

/// Asks for a story about a picture.
#[utoipa::path(post, path = "/v1/stories", tag = "stories",
    params(
        ("Prefer" = Option<String>, Header, description = "`wait=n`: answer when the story is told, after n seconds (at most 60) in any case", example = "wait=30"),
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: tell it anew, even if the same story is known or is just being told", example = "no-cache"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the same request harmless for 24 h: 1 to 255 visible ASCII characters"),
    ),
    request_body(content((StoryForm = "multipart/form-data"), (StoryInJson = "application/json"))),
    responses(
        (status = 202, description = "Accepted: it will not be lost. Poll the `Location`", body = StoryView, headers(
            ("Location" = String, description = "Where the job can be polled"),
            ("Retry-After" = u64, description = "In how many seconds polling is worth while"),
            ("RateLimit-Policy" = String, description = "How many stories may wait: `\"queue\";q=10000`"),
            ("RateLimit" = String, description = "How many more would be taken: `\"queue\";r=9994`"),
            ("Idempotency-Replayed" = String, description = "`true` if the same request came before; the job is that one's"),
        )),
        (status = 200, description = "With `Prefer: wait`: it has ended already", body = StoryView, headers(
            ("Location" = String, description = "Where the job can be polled"),
            ("Preference-Applied" = String, description = "The wait that was granted"),
        )),
        (status = 400, description = "`malformed_request`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`: a browser sent it for a page of another site", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`upload_missing`", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`request_in_progress`: one with this `Idempotency-Key` is still being answered", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "`upload_expired`, or `data_removed` for the picture of a story to go on from", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`image_too_large` or `body_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`image_unreadable`, `image_animated`, `fetch_blocked`, `fetch_failed`, `unknown_style`, `invalid_parameter` or `idempotency_key_reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`queue_full` or `quota_exceeded`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`busy` or `unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn submit(
    _site: OwnSite,
    caller: Caller,
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let admitted = match admitted(&request, &service, &caller, 1).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            FormBody::refuse(payload, FileField::picture(&service)).await;
            return Err(refusal);
        }
    };
    let mut form = FormBody::read(&request, payload, FileField::picture(&service)).await?;
    let file = form.take_file();
    // until the picture is stored; an address takes no room
    let turns = file.is_some().then_some(admitted.turns);
    let address = form.take_text("image_url");
    let upload = Upload::named(form.take_text("upload"), &caller)?;
    let wishes = fields::request_of(form.fields)?;
    check_styles(&caller.store, &wishes).await?;
    check_webhook(&service, &wishes)?;
    check_earlier(&caller.store, &wishes).await?;
    let source = Source::of(file, address, upload, wishes.continues)?;
    let waiter = caller.clone();
    let wanted = Wanted {
        caller,
        wishes,
        reuse: Reuse::of(&request, &service),
        room: admitted.room,
    };
    let (job, replayed) = take(&service, admitted.key, wanted, source).await?;
    // whoever asks again is told of this story now, also while this one waits for its end
    drop((turns, admitted.at_work));
    let patience = wait::preferred(&request);
    let location = format!("/v1/stories/{}", job.id);
    let seen = seen_after(&service, &waiter, job, patience).await?;
    let ended = seen.ended;
    let mut answer = match patience {
        Some(patience) if ended => {
            let mut answer = HttpResponse::Ok();
            answer.insert_header((PREFERENCE_APPLIED, format!("wait={}", patience.as_secs())));
            answer
        }
        _ => HttpResponse::Accepted(),
    };
    answer.insert_header((LOCATION, location));
    let most = service.state.store.rules().max_queued;
    // this one counts, but for a moment in which it may have left the queue already
    let left = admitted.left.saturating_sub(u32::from(!replayed));
    allowance::say(&mut answer, most, left, None);
    if !ended {
        answer.insert_header((RETRY_AFTER, retry_after(&seen)));
    }
    if replayed {
        answer.insert_header((REPLAYED, "true"));
    }
    Ok(shown(&mut answer, seen))
}

/// The job when it has ended or `patience` is over. It is accepted already, so whoever waits too often is answered at once.
async fn seen_after(
    service: &Service,
    caller: &Caller,
    job: Job,
    patience: Option<Duration>,
) -> Result<Seen> {
    let Some(patience) = patience else {
        return see_now(service, job).await;
    };
    match caller.waits(&service.waits) {
        Ok(_place) => wait::for_change(service, job.id, patience, None).await,
        Err(_) => see_now(service, job).await,
    }
}

/// What becomes of a request that is in order: the job it led to before, or a new one.
async fn take(
    service: &Service,
    key: Option<String>,
    wanted: Wanted,
    source: Source,
) -> Result<(Job, bool)> {
    let wishes = &wanted.wishes;
    let mut idempotency = None;
    if let (Some(key), Some(name)) = (&key, source.name()) {
        let asked = Idempotency {
            key: key.clone(),
            fingerprint: fingerprint(wishes, &name)?,
        };
        if let Some(known) = wanted.caller.store.submitted(&asked).await? {
            return answered(service, known).await;
        }
        idempotency = Some(asked);
    }
    let upload = source.upload();
    let ready = picture_of(service, source, wishes.compat).await?;
    if let (Some(key), None) = (key, &idempotency) {
        let fingerprint = fingerprint(wishes, &ready.picture.sha256)?;
        let asked = Idempotency { key, fingerprint };
        // before the picture is kept: whoever asks again is answered, also when there is no room
        if let Some(known) = wanted.caller.store.submitted(&asked).await? {
            return answered(service, known).await;
        }
        idempotency = Some(asked);
    }
    let too_large = no_room(service, wanted.room, ready.picture.bytes.len() as u64);
    if let Some(limit) = too_large {
        return Err(full(service, limit).await?);
    }
    let accepted = accept(service, idempotency, wanted, ready).await?;
    if let Some(upload) = upload {
        upload.let_go(service).await;
    }
    Ok(accepted)
}

/// Keeps the picture, then the job; the other order could accept a job without a picture.
async fn accept(
    service: &Service,
    idempotency: Option<Idempotency>,
    wanted: Wanted,
    ready: Ready<'_>,
) -> Result<(Job, bool)> {
    let id = NewJob::id();
    faults::point("submit:received");
    let image = keep(service, id, ready).await?;
    faults::point("submit:image_kept");
    let kept = image.key.clone();
    // a submit that fails may still have been accepted: its picture must stay
    let store = &wanted.caller.store;
    let submitted = store
        .submit(NewJob {
            id,
            telling: wanted.reuse.telling(&wanted.wishes, &image),
            request: wanted.wishes,
            image,
            idempotency,
        })
        .await?;
    faults::point("submit:committed");
    if !matches!(submitted, Submitted::New(_)) {
        service.let_go(&kept).await;
    }
    answered(service, submitted).await
}

/// What the caller is told of a submit; whether the job is an earlier one's.
async fn answered(service: &Service, submitted: Submitted) -> Result<(Job, bool)> {
    let state = &service.state;
    match submitted {
        Submitted::New(job) => {
            if job.cache == Cache::Miss
                && let Err(error) = state.queue.publish(&[job.id]).await
            {
                tracing::warn!(story = %job.id, cause = %error, "the job is accepted but was not published; the sweeper will do it");
            }
            METRICS.accepted.inc();
            METRICS
                .answered
                .with_label_values(&[job.cache.name()])
                .inc();
            tracing::info!(story = %job.id, style = job.request.style, cache = job.cache.name(), "accepted");
            Ok((job, false))
        }
        Submitted::Same(job) => Ok((job, true)),
        Submitted::OtherRequest => Err(key_reused()),
        Submitted::Full(limit) => Err(full(service, limit).await?),
        Submitted::OverQuota(quota) => Err(quota.into()),
    }
}

/// A story goes on from one that is told and has not been taken back.
pub(crate) async fn check_earlier(store: &Store, request: &StoryRequest) -> Result<()> {
    let Some(earlier) = request.continues else {
        return Ok(());
    };
    let refuse = |why: String| Err(Error::field("continue", format!("`continue`: {why}")));
    let his = store.may_see(earlier).await?;
    match store.get(earlier).await?.filter(|_| his) {
        Some(job) if job.kind == JobKind::Story && job.data_removed_at.is_some() => {
            refuse(format!("the story {earlier} has been taken back"))
        }
        Some(job) if job.kind == JobKind::Story && job.state != State::Succeeded => {
            refuse(format!(
                "the story {earlier} is {}; wait until it is told",
                job.state
            ))
        }
        Some(job) if job.kind == JobKind::Story => Ok(()),
        _ => refuse(format!("there is no story {earlier}")),
    }
}

/// A webhook goes only where this service may reach.
pub(crate) fn check_webhook(service: &Service, request: &StoryRequest) -> Result<()> {
    let Some(url) = &request.webhook_url else {
        return Ok(());
    };
    let checked = service.state.fetch.check_webhook(url);
    checked.map_err(|error| Error::field("webhook_url", format!("`webhook_url` {error}")))
}

/// Until a worker has said which styles there are, any is taken: the worker will judge it.
pub(crate) async fn check_styles(store: &Store, request: &StoryRequest) -> Result<()> {
    let names = request.style_names()?;
    if store.are_of_the_bundle(&names) {
        return Ok(());
    }
    let Some(catalogue) = store.styles().await? else {
        return Ok(());
    };
    let known: Vec<&str> = catalogue
        .styles
        .iter()
        .map(|style| style.name.as_str())
        .collect();
    for name in names {
        if !known.contains(&name.as_str()) {
            let meant = nearest(&name, known.iter().copied()).map_or_else(
                || ".".to_owned(),
                |known| format!("; did you mean `{known}`?"),
            );
            return Err(Error::Field {
                kind: Kind::UnknownStyle,
                field: "style".to_owned(),
                message: format!(
                    "there is no style `{name}`{meant} There are: {}",
                    known.join(", ")
                ),
                choices: known.iter().map(|&name| name.to_owned()).collect(),
            });
        }
    }
    Ok(())
}

fn retry_after(seen: &Seen) -> u64 {
    seen.view
        .eta_seconds
        .map_or(FIRST_RETRY, |eta| eta.clamp(1, LATEST_RETRY))
}
