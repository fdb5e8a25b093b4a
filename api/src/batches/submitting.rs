//! `POST /v1/batches`: takes many pictures at once, each by itself, and accepts what was taken as one batch.
//! `routes.rs` leads here. What must stay true: what holds for all pictures is said with a 4xx before any is taken, what
//! is wrong with one is said beside it, and no picture is kept of a batch that was not accepted.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt as _, stream};
use jobs::{BatchSubmitted, Cache, Idempotency, NewBatch, NewJob, RefusedPicture, StoryRequest};
use operation::metrics::METRICS;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::find;
use crate::admission::{admitted, full, no_room};
use crate::allowance;
use crate::callers::Caller;
use crate::error::{Error, Kind, Problem, Result};
use crate::fields;
use crate::form::{FileField, FormBody};
use crate::keeping::{keep, picture_of};
use crate::repeated::{REPLAYED, fingerprint, key_reused};
use crate::reuse::Reuse;
use crate::service::Service;
use crate::sites::OwnSite;
use crate::source::Source;
use crate::submit::{check_earlier, check_styles, check_webhook};
use crate::view::{BatchView, ErrorView};

/// Pictures of one batch: more are several batches.
const MOST_PICTURES: usize = 100;
/// The turns of pictures of the largest size that a batch takes up while it is received, because it is held in memory.
const TURNS: usize = 4;
/// Pictures of one batch that are fetched, decoded and stored at the same time.
const AT_ONCE: usize = 4;

/// The form of a batch: pictures, their addresses, or both, and the fields of a story, which hold for all of them.
#[derive(ToSchema)]
#[schema(example = json!({"image": ["(a file)", "(another one)"], "style": "romance"}))]
#[expect(
    dead_code,
    reason = "describes the form to readers of the OpenAPI document; `fields` reads it"
)]
pub(crate) struct BatchForm {
    /// The pictures: this field as often as there are pictures, 80 MiB in all.
    #[schema(value_type = Vec<String>, format = Binary)]
    image: Vec<Vec<u8>>,
    /// A JSON list of addresses of pictures; they come after those that are sent.
    image_urls: Option<String>,
    /// How they are to be told. `webhook_url` is told once, when the last story has ended (`batch.finished`).
    #[serde(flatten)]
    request: StoryRequest,
}

/// The same in JSON, with addresses only.
#[derive(ToSchema)]
#[schema(example = json!({"image_urls": ["https://example.com/dogs.jpg", "https://example.com/sea.jpg"], "style": "romance"}))]
#[expect(
    dead_code,
    reason = "describes the body to readers of the OpenAPI document; `fields` reads it"
)]
pub(crate) struct BatchByAddress {
    /// Where the pictures are, on the public web.
    image_urls: Vec<String>,
    /// How they are to be told.
    #[serde(flatten)]
    request: StoryRequest,
}

/// Asks for stories about up to a hundred pictures. Those that are not taken are named in the answer, each with its own
/// problem; if none can be taken, the first one's is the answer.
#[utoipa::path(post, path = "/v1/batches", tag = "batches",
    params(
        ("Cache-Control" = Option<String>, Header, description = "`no-cache`: tell all of them anew, even if the same stories are known", example = "no-cache"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating the same request harmless for 24 h: 1 to 255 visible ASCII characters"),
    ),
    request_body(content((BatchForm = "multipart/form-data"), (BatchByAddress = "application/json"))),
    responses(
        (status = 202, description = "At least one picture is taken: its story will not be lost", body = BatchView, headers(
            ("Location" = String, description = "Where the batch can be polled"),
            ("RateLimit-Policy" = String, description = "How many stories may wait: `\"queue\";q=10000`"),
            ("RateLimit" = String, description = "How many more would be taken: `\"queue\";r=9994`"),
            ("Idempotency-Replayed" = String, description = "`true` if the same request came before; the batch is that one's"),
        )),
        (status = 400, description = "`malformed_request`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`: a browser sent it for a page of another site", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`request_in_progress`: one with this `Idempotency-Key` is still being answered", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`; `image_too_large` if no picture can be taken", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_style`, `invalid_parameter`, `idempotency_key_reused`, or what is wrong with the first picture if none can be taken", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`queue_full` or `quota_exceeded`: there is no room for all of them, and none is taken", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`busy` or `unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn submit(
    _site: OwnSite,
    caller: Caller,
    request: HttpRequest,
    payload: Payload,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let admitted = match admitted(&request, &service, &caller, TURNS).await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            FormBody::refuse(payload, pictures_field(&service, 1)).await;
            return Err(refusal);
        }
    };
    let field = pictures_field(&service, admitted.turns.num_permits());
    let mut form = FormBody::read(&request, payload, field).await?;
    // until the pictures are stored; addresses take no room
    let turns = (!form.files.is_empty()).then_some(admitted.turns);
    let sources = sources(&mut form)?;
    let mut wishes = wishes_of(form.fields)?;
    check_styles(&caller.store, &wishes).await?;
    check_webhook(&service, &wishes)?;
    check_earlier(&caller.store, &wishes).await?;
    let idempotency = match admitted.key {
        Some(key) => Some(Idempotency {
            key,
            fingerprint: fingerprint(&wishes, &outline(&sources))?,
        }),
        None => None,
    };
    if let Some(idempotency) = &idempotency
        && let Some(known) = caller.store.submitted_batch(idempotency).await?
    {
        return answered(&service, known, Uuid::nil(), admitted.left).await;
    }
    let webhook_url = wishes.webhook_url.take();
    let alike = Alike {
        service: &service,
        wishes,
        reuse: Reuse::of(&request, &service),
        room: admitted.room.into(),
    };
    let taken: Vec<_> = stream::iter(sources)
        .map(|source| alike.one(source))
        .buffered(AT_ONCE)
        .collect()
        .await;
    drop(turns);
    let (jobs, refused) = sorted(&service, taken).await?;
    let batch = NewBatch {
        id: Uuid::now_v7(),
        jobs,
        refused,
        webhook_url,
        idempotency,
    };
    let id = batch.id;
    let submitted = accept(&service, &caller, batch).await?;
    answered(&service, submitted, id, admitted.left).await
}

fn pictures_field(service: &Service, turns: usize) -> FileField {
    let one = FileField::picture(service);
    FileField {
        count: MOST_PICTURES,
        together: one.most * turns,
        ..one
    }
}

/// Where each picture comes from: the body itself, then addresses; or why one that was sent is not read.
fn sources(form: &mut FormBody) -> Result<Vec<Result<Source>>> {
    let sent = std::mem::take(&mut form.files).into_iter();
    let addresses = addresses_of(&mut form.fields)?.into_iter();
    let sources: Vec<_> = sent
        .map(|file| file.map(Source::Sent))
        .chain(addresses.map(|address| Ok(Source::Address(address.trim().to_owned()))))
        .collect();
    if (1..=MOST_PICTURES).contains(&sources.len()) {
        return Ok(sources);
    }
    let message = format!(
        "a batch has 1 to {MOST_PICTURES} pictures, in `image` or by their addresses in `image_urls`; this one has {}",
        sources.len()
    );
    Err(Error::field("image", message))
}

/// The addresses, from a list in JSON or the text of one.
fn addresses_of(fields: &mut Map<String, Value>) -> Result<Vec<String>> {
    if fields.contains_key("image_url") {
        let message = "a batch has `image_urls`, a list, in place of `image_url`";
        return Err(Error::field("image_url", message));
    }
    if fields.contains_key("upload") {
        let message = "a batch takes no `upload`: ask for its story alone, at POST /v1/stories";
        return Err(Error::field("upload", message));
    }
    let list = match fields.remove("image_urls") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(text)) => serde_json::from_str(&text).ok(),
        Some(other) => serde_json::from_value(other).ok(),
    };
    list.ok_or_else(|| {
        Error::field(
            "image_urls",
            r#"`image_urls` is a list of addresses in JSON: ["https://…", "https://…"]"#,
        )
    })
}

fn wishes_of(fields: Map<String, Value>) -> Result<StoryRequest> {
    let wishes = fields::request_of(fields)?;
    if wishes.webhook_events.is_empty() {
        return Ok(wishes);
    }
    let message = "`webhook_events` are those of single stories; of a batch its end is told";
    Err(Error::field("webhook_events", message))
}

/// The same for the same pictures in the same order.
fn outline(sources: &[Result<Source>]) -> String {
    sources
        .iter()
        .fold("a batch".to_owned(), |mut outline, source| {
            let line = match source {
                Ok(Source::Sent(bytes)) => hex::encode(Sha256::digest(bytes)),
                Ok(named) => named.name().unwrap_or_default(),
                Err(refusal) => refusal.kind().name().to_owned(),
            };
            // a string takes everything
            let _ = write!(outline, "\n{line}");
            outline
        })
}

/// What all stories of a batch have in common.
struct Alike<'a> {
    service: &'a Service,
    wishes: StoryRequest,
    reuse: Reuse,
    /// Of how many bytes the pictures may be that are still to come.
    room: AtomicU64,
}

impl Alike<'_> {
    /// A story whose picture is kept and waits for its batch, or why the picture is not taken.
    async fn one(&self, source: Result<Source>) -> Result<NewJob> {
        // before anything that takes time, and in the order of the pictures: so they are told in that order
        let id = NewJob::id();
        let ready = picture_of(self.service, source?, self.wishes.compat).await?;
        self.take_room(ready.picture.bytes.len() as u64).await?;
        let image = keep(self.service, id, ready).await?;
        Ok(NewJob {
            id,
            request: self.wishes.clone(),
            telling: self.reuse.telling(&self.wishes, &image),
            image,
            idempotency: None,
        })
    }

    async fn take_room(&self, bytes: u64) -> Result<()> {
        let taken = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        let limit = taken
            .err()
            .and_then(|left| no_room(self.service, left, bytes));
        match limit {
            Some(limit) => Err(full(self.service, limit).await?),
            None => Ok(()),
        }
    }
}

/// What was taken and what was not. Nothing is taken of a batch of which the service itself could not keep a picture.
async fn sorted(
    service: &Service,
    taken: Vec<Result<NewJob>>,
) -> Result<(Vec<(u32, NewJob)>, Vec<RefusedPicture>)> {
    let (mut jobs, mut refused, mut first) = (Vec::new(), Vec::new(), None);
    let mut failure = None;
    for (number, taken) in (0..).zip(taken) {
        match taken {
            Ok(job) => jobs.push((number, job)),
            Err(error) if spoils_all(error.kind()) => {
                failure.get_or_insert(error);
            }
            Err(error) => {
                let error_shown = serde_json::to_value(ErrorView::of_problem(&error))
                    .map_err(|error| Error::Internal(error.to_string()))?;
                refused.push(RefusedPicture {
                    number,
                    error: error_shown,
                });
                first.get_or_insert(error);
            }
        }
    }
    if let Some(failure) = failure {
        for (_, job) in &jobs {
            service.let_go(&job.image.key).await;
        }
        return Err(failure);
    }
    match first {
        Some(error) if jobs.is_empty() => Err(error),
        _ => Ok((jobs, refused)),
    }
}

/// Whether what went wrong with one picture is wrong with the whole batch: a fault of the service, or no room.
fn spoils_all(kind: Kind) -> bool {
    kind == Kind::QueueFull || (kind.status().is_server_error() && kind != Kind::Busy)
}

/// Commits the batch; what is kept for one that is not accepted is let go.
async fn accept(service: &Service, caller: &Caller, batch: NewBatch) -> Result<BatchSubmitted> {
    let jobs = batch.jobs.iter();
    let (ids, keys): (Vec<Uuid>, Vec<String>) =
        jobs.map(|(_, job)| (job.id, job.image.key.clone())).unzip();
    let id = batch.id;
    let submitted = caller.store.submit_batch(batch).await?;
    let BatchSubmitted::New(caches) = &submitted else {
        for key in &keys {
            service.let_go(key).await;
        }
        return Ok(submitted);
    };
    if let Err(error) = service.state.queue.publish(&ids).await {
        tracing::warn!(batch = %id, cause = %error, "the batch is accepted but was not published; the sweeper will do it");
    }
    METRICS.accepted.inc_by(ids.len() as u64);
    for cache in caches {
        METRICS.answered.with_label_values(&[cache.name()]).inc();
    }
    tracing::info!(batch = %id, stories = ids.len(), "accepted a batch");
    Ok(submitted)
}

/// What the caller is told of a submit of this batch, before which so many stories would have been taken.
async fn answered(
    service: &Service,
    submitted: BatchSubmitted,
    new: Uuid,
    mut left: u32,
) -> Result<HttpResponse> {
    let mut answer = HttpResponse::Accepted();
    let id = match submitted {
        BatchSubmitted::New(caches) => {
            // what is known already does not wait
            let waiting = caches.iter().filter(|cache| **cache != Cache::Hit).count();
            left = left.saturating_sub(u32::try_from(waiting).unwrap_or(u32::MAX));
            new
        }
        BatchSubmitted::Same(known) => {
            answer.insert_header((REPLAYED, "true"));
            known
        }
        BatchSubmitted::OtherRequest => return Err(key_reused()),
        BatchSubmitted::Full(limit) => return Err(full(service, limit).await?),
        BatchSubmitted::OverQuota(quota) => return Err(quota.into()),
    };
    allowance::say(
        &mut answer,
        service.state.store.rules().max_queued,
        left,
        None,
    );
    Ok(answer
        .insert_header((LOCATION, format!("/v1/batches/{id}")))
        .json(BatchView::of(find(service, id).await?)))
}
