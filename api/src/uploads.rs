//! `POST /v1/uploads`: an address at the picture store to which a caller sends a picture by himself, and what was sent there
//! when its story is asked for. `routes.rs` leads here, the submit names an [`Upload`]. What must stay true: nothing is taken
//! there but what was announced, once, and of one caller so many at a time; whose it is and until when is in its id and its
//! name, so a row that is lost lets one more in and no stranger; and what was sent passes the same intake as any picture.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Json};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use jobs::Opening;
use pictures::images::{Announced, Deployment};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::allowance::{self, Allowance};
use crate::callers::Caller;
use crate::error::{Error, Kind, Problem, Result};
use crate::service::Service;
use crate::sites::OwnSite;

/// In so long a picture is sent and its story asked for. What is older than an hour is swept up.
const VALID: Duration = Duration::from_secs(15 * 60);
/// What the limit is called in headers.
const NAME: &str = "uploads";

/// A picture that is going to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"content_type": "image/jpeg", "bytes": 18_874_368}))]
pub(crate) struct NewUpload {
    /// What it is sent as.
    content_type: ContentType,
    /// How many bytes it has, exactly: at most as many as a picture that comes with its story.
    #[schema(minimum = 1)]
    bytes: u64,
}

/// What a picture can be.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[schema(example = "image/jpeg")]
pub(crate) enum ContentType {
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/webp")]
    Webp,
    #[serde(rename = "image/gif")]
    Gif,
}

impl ContentType {
    fn name(self) -> &'static str {
        match self {
            ContentType::Jpeg => "image/jpeg",
            ContentType::Png => "image/png",
            ContentType::Webp => "image/webp",
            ContentType::Gif => "image/gif",
        }
    }
}

/// Where the picture is to be sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload, example = json!({
    "id": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11", "method": "PUT", "url": "https://pictures.example.com/stories/…?X-Amz-Signature=…",
    "headers": {"content-length": "18874368", "content-type": "image/jpeg", "if-none-match": "*"},
    "expires_at": "2026-09-12T14:12:00Z"
}))]
pub(crate) struct UploadView {
    /// What `upload` of a story names it by.
    id: Uuid,
    /// How it is to be sent.
    method: &'static str,
    /// Where to. Whoever has this address may send the picture.
    url: String,
    /// What must be sent along as it is here; programs mostly send `content-length` by themselves.
    headers: BTreeMap<String, String>,
    /// By then it must be sent, and its story asked for.
    expires_at: DateTime<Utc>,
}

/// Asks for an address to which a picture can be sent past this service, straight to where pictures are kept.
#[utoipa::path(post, path = "/v1/uploads", tag = "stories", request_body = NewUpload,
    responses(
        (status = 201, description = "Send it there, then ask for its story with `upload`", body = UploadView),
        (status = 400, description = "`malformed_request`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`cross_site`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`image_too_large` or `body_too_large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_parameter`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`quota_exceeded`: ask for the stories of those that are open first", body = Problem, content_type = "application/problem+json"),
        (status = 501, description = "`uploads_not_offered`: pictures are kept in a folder; send it with the story", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn upload(
    _site: OwnSite,
    caller: Caller,
    wanted: Json<NewUpload>,
    service: Data<Service>,
) -> Result<HttpResponse> {
    let bytes = wanted.bytes;
    if bytes == 0 {
        let message = "`bytes` is 0; say how many bytes the picture has";
        return Err(Error::field("bytes", message));
    }
    check_size("bytes", bytes, service.config.caps.bytes)?;
    let upload = Upload {
        id: Uuid::now_v7(),
        owner: caller.key_id(),
    };
    let key = upload.key(&service).await?;
    let announced = Announced {
        media_type: wanted.content_type.name(),
        bytes,
    };
    let signed = service.state.images.upload_url(&key, announced, VALID);
    let signed = signed.await?.ok_or_else(|| {
        let message = "pictures are kept in a folder here, and nobody can send one there by himself: send it with the story, in the field `image` of a form at POST /v1/stories";
        Error::Refused(Kind::UploadsNotOffered, message.to_owned())
    })?;
    let allowance = open(&service, &caller, upload.id).await?;
    let mut answer = HttpResponse::Created();
    allowance::append(&mut answer, &allowance);
    Ok(answer
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(UploadView {
            id: upload.id,
            method: signed.method,
            url: signed.url,
            headers: signed.headers.into_iter().collect(),
            expires_at: upload.expires_at().unwrap_or_else(Utc::now),
        }))
}

/// Counts one more that the caller has open; how many more he may.
///
/// # Errors
/// `quota_exceeded` or `unavailable`.
async fn open(service: &Service, caller: &Caller, id: Uuid) -> Result<Allowance> {
    let most = service.config.limits.max_open_uploads;
    let until = match caller.store.open_upload(id, VALID, most).await? {
        Opening::Done { left } => {
            return Ok(Allowance {
                name: NAME,
                most,
                left,
                again: None,
            });
        }
        Opening::Full { until } => until,
    };
    let seconds = (until - Utc::now()).num_seconds().max(0).unsigned_abs() + 1;
    Err(Error::Limited {
        kind: Kind::QuotaExceeded,
        message: format!(
            "as many as {most} uploads may be open at once, and are: ask for the stories of pictures that were sent; the time of the first is over in {seconds} s"
        ),
        allowance: Allowance {
            name: NAME,
            most,
            left: 0,
            again: Some(seconds),
        },
    })
}

/// A picture that somebody has sent, or is to send, to the store by himself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upload {
    pub(crate) id: Uuid,
    /// The key that asked for it; another's is not found.
    owner: Option<Uuid>,
}

impl Upload {
    /// The one of this caller that has this id, whether it is there or not.
    ///
    /// # Errors
    /// `invalid_parameter`.
    pub(crate) fn named(id: Option<String>, caller: &Caller) -> Result<Option<Self>> {
        let Some(id) = id else { return Ok(None) };
        let id = Uuid::try_parse(id.trim()).map_err(|_| {
            let message = "`upload` is no id; it is the `id` that POST /v1/uploads answered with";
            Error::field("upload", message)
        })?;
        let owner = caller.key_id();
        Ok(Some(Upload { id, owner }))
    }

    /// What was sent.
    ///
    /// # Errors
    /// `upload_missing`, `upload_expired`, `image_too_large` or `unavailable`.
    pub(crate) async fn bytes(self, service: &Service) -> Result<Bytes> {
        let id = self.id;
        let until = self.expires_at().ok_or_else(|| self.missing())?;
        if until < Utc::now() {
            let message = format!(
                "the time of the upload {id} was over at {}; ask for another one",
                until.format("%FT%TZ")
            );
            return Err(Error::Refused(Kind::UploadExpired, message));
        }
        let key = self.key(service).await?;
        let reading = match service.state.images.open(&key).await {
            Err(pictures::Error::Missing { .. }) => return Err(self.missing()),
            reading => reading?,
        };
        check_size("upload", reading.bytes, service.config.caps.bytes)?;
        Ok(reading.to_end().await?)
    }

    /// Deletes what was sent: its story has a copy. Whoever asks twice at the same moment has two stories told, as he would by
    /// sending the picture twice.
    pub(crate) async fn let_go(self, service: &Service) {
        match self.key(service).await {
            Ok(key) => service.let_go(&key).await,
            Err(error) => tracing::warn!(upload = %self.id, cause = %error, "swept up later"),
        }
        let closed = service.state.store.close_upload(self.id, self.owner);
        if let Err(error) = closed.await {
            tracing::warn!(upload = %self.id, cause = %error, "counted as open until its time is over");
        }
    }

    async fn key(self, service: &Service) -> Result<String> {
        let deployment = Deployment(service.state.store.deployment().await?);
        Ok(deployment.upload(self.owner, self.id))
    }

    /// The id says when it was made; none if it was not made here. One that is made up leads nowhere: nothing is ever sent to
    /// a name that was not signed.
    fn expires_at(self) -> Option<DateTime<Utc>> {
        let (seconds, nanoseconds) = self.id.get_timestamp()?.to_unix();
        let made = DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)?;
        made.checked_add_signed(chrono::TimeDelta::from_std(VALID).ok()?)
    }

    fn missing(self) -> Error {
        let message = format!(
            "there is nothing under the upload {}: nothing was sent to its address yet, its story was asked for already, or it is not yours",
            self.id
        );
        Error::Refused(Kind::UploadMissing, message)
    }
}

/// The most bytes are those of a picture that comes with its story.
fn check_size(field: &str, bytes: u64, most: u64) -> Result<()> {
    if bytes <= most {
        return Ok(());
    }
    Err(Error::Field {
        kind: Kind::ImageTooLarge,
        field: field.to_owned(),
        message: format!(
            "the picture has {bytes} bytes, and this service takes at most {most}; send a smaller version"
        ),
        choices: Vec::new(),
    })
}
