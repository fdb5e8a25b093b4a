//! Reads the multipart form of a submit, or its JSON, into the bytes of files and named texts, within limits.
//! `submit.rs`, `batches/submitting.rs` and `styles/adding.rs` call it. What must stay true: nothing is kept beyond the
//! limits, every field but the file of a batch comes once, and a body that is refused is still read to its end (within reason), or the caller would see a broken
//! connection instead of the answer; but nobody is waited for who sends nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::error::{Error, Kind, Result};
use crate::service::Service;

/// A text field longer than this is no number, name or set of labels that we know.
const LONGEST_TEXT: usize = 16 * 1024;
/// The fields beside the picture, their headers and boundaries.
const BESIDE_PICTURE: usize = 256 * 1024;
/// Names of fields are words; longer ones would only end in the refusal.
const LONGEST_NAME: usize = 64;
/// Who asks to be told of the end must not wait for it in vain because a program left the address out.
const NEVER_EMPTY: &str = "webhook_url";
/// More fields than a request can have.
const MOST_FIELDS: usize = 64;
/// A body of which nothing comes for so long has been given up by its sender.
const STALLED: Duration = Duration::from_secs(15);
/// How much of a refused body is read, in bodies of the largest allowed size, and for how long.
const REFUSED_BODIES: usize = 4;
const REFUSED_PATIENCE: Duration = Duration::from_secs(10);

/// The one field of a form that is a file, or is there once for each of several.
#[derive(Clone, Copy, Debug)]
pub struct FileField {
    /// Its name.
    pub name: &'static str,
    /// The most bytes it may have.
    pub most: usize,
    /// How often it may come. One that is too large is a fault of the whole form only if there may be no other.
    pub count: usize,
    /// The most bytes that all of them may have.
    pub together: usize,
    /// What is said about more.
    pub too_large: fn(usize) -> Error,
    /// In which time the whole form must have come.
    pub time: Duration,
}

impl FileField {
    /// A file that comes once, of at most so many bytes.
    pub(crate) fn single(
        service: &Service,
        name: &'static str,
        most: usize,
        too_large: fn(usize) -> Error,
    ) -> Self {
        FileField {
            name,
            most,
            count: 1,
            together: most,
            too_large,
            time: Duration::from_secs(service.config.limits.upload_seconds),
        }
    }

    /// The field that is the picture.
    pub(crate) fn picture(service: &Service) -> Self {
        Self::single(
            service,
            "image",
            service.config.caps.bytes as usize,
            |most| {
                let most = most / (1024 * 1024);
                let message = format!(
                    "the picture has more than {most} MiB, which is the most this service takes"
                );
                Error::image(Kind::ImageTooLarge, message)
            },
        )
    }
}

/// What a form held, or a JSON object in its place.
#[derive(Debug, Default)]
pub struct FormBody {
    /// The bytes of each file, or what is said about one that is too large.
    pub files: Vec<Result<Bytes>>,
    /// Every other field: texts of a form, or members of a JSON object.
    pub fields: Map<String, Value>,
}

/// The body of one request, shared by the form's reader and by the one who empties it after a refusal.
#[derive(Clone)]
struct Body {
    payload: Rc<RefCell<Payload>>,
    read: Rc<Cell<usize>>,
    limit: usize,
}

impl FormBody {
    /// Takes out the file of a form that has one at most.
    pub(crate) fn take_file(&mut self) -> Option<Bytes> {
        self.files.pop()?.ok()
    }

    /// Takes a field out as a text; `null` is as good as not given.
    pub(crate) fn take_text(&mut self, name: &str) -> Option<String> {
        match self.fields.remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// Reads the form of a request.
    ///
    /// # Errors
    /// `unsupported_media_type`, `malformed_request`, `body_too_large`, `invalid_parameter`, or what is said about a file
    /// that is too large.
    pub async fn read(
        request: &HttpRequest,
        payload: Payload,
        file: FileField,
    ) -> Result<FormBody> {
        let body = Body::of(payload, &file);
        let reading = async {
            match announced(request) {
                Some(length) if length > body.limit => Err(too_large(body.limit)),
                _ if is_json(request) => body.clone().json().await,
                _ => {
                    let parts = Multipart::new(request.headers(), body.clone().stream());
                    FormBody::read_fields(parts, file).await
                }
            }
        };
        let form = timeout(file.time, reading).await;
        let form = form.unwrap_or_else(|_| Err(too_slow()));
        let form = form.and_then(FormBody::storable);
        match &form {
            // there is nobody to be given the chance to finish
            Err(error) if error.kind() == Kind::BodyTooSlow => {}
            Err(_) => body.empty().await,
            Ok(_) => {}
        }
        form
    }

    /// The form, if the database can keep its texts.
    fn storable(self) -> Result<FormBody> {
        match self.fields.iter().find(|(_, value)| has_nul(value)) {
            Some((name, _)) => {
                let message = format!("`{name}` has a NUL character, which cannot be stored");
                Err(Error::field(name, message))
            }
            None => Ok(self),
        }
    }

    /// Reads the form of a request that has been refused already and keeps nothing of it, so that its sender gets to
    /// hear why.
    pub(crate) async fn refuse(payload: Payload, file: FileField) {
        Body::of(payload, &file).empty().await;
    }

    async fn read_fields(mut parts: Multipart, file: FileField) -> Result<FormBody> {
        let mut form = FormBody::default();
        while let Some(part) = next(&mut parts).await? {
            let mut part = part.map_err(refusal)?;
            let name = part.name().unwrap_or_default().to_owned();
            check_name(&name, form.fields.len())?;
            if name == file.name {
                let bytes = collect(&mut part, file.most).await?;
                form.add_file(file, bytes.ok_or_else(|| (file.too_large)(file.most)))?;
                continue;
            }
            let text = collect(&mut part, LONGEST_TEXT).await?.ok_or_else(|| {
                Error::field(
                    &*name,
                    format!("`{name}` is longer than {LONGEST_TEXT} bytes"),
                )
            })?;
            let text = String::from_utf8(text.into())
                .map_err(|_| Error::field(&*name, format!("`{name}` is not text in UTF-8")))?;
            // forms on the web send every field, empty or not, and some say how they are encoded (RFC 7578 §4.6)
            if (text.is_empty() && name != NEVER_EMPTY) || name == "_charset_" {
                continue;
            }
            if form.fields.insert(name.clone(), text.into()).is_some() {
                return Err(Error::field(&*name, format!("`{name}` is given twice")));
            }
        }
        Ok(form)
    }

    fn add_file(&mut self, field: FileField, bytes: Result<Bytes>) -> Result<()> {
        let FileField { name, count, .. } = field;
        if self.files.len() == count {
            let message = match count {
                1 => format!("the form has `{name}` twice; send one a request"),
                _ => format!("the form has `{name}` more than {count} times"),
            };
            return Err(Error::field(name, message));
        }
        match bytes {
            Err(too_large) if count == 1 => return Err(too_large),
            bytes => self.files.push(bytes),
        }
        Ok(())
    }
}

impl Body {
    fn of(payload: Payload, file: &FileField) -> Self {
        Body {
            payload: Rc::new(RefCell::new(payload)),
            read: Rc::new(Cell::new(0)),
            limit: file.together + BESIDE_PICTURE,
        }
    }

    fn stream(self) -> impl Stream<Item = std::result::Result<Bytes, PayloadError>> {
        stream::poll_fn(move |context| {
            let next = self.payload.borrow_mut().poll_next_unpin(context);
            next.map(|chunk| {
                chunk.map(|chunk| {
                    let chunk = chunk?;
                    self.read.set(self.read.get() + chunk.len());
                    if self.read.get() > self.limit {
                        Err(PayloadError::Overflow)
                    } else {
                        Ok(chunk)
                    }
                })
            })
        })
    }

    /// Reads fields that came as JSON.
    async fn json(self) -> Result<FormBody> {
        let mut bytes = BytesMut::new();
        let mut chunks = Box::pin(self.stream());
        while let Some(chunk) = next(&mut chunks).await? {
            let chunk = chunk.map_err(|error| refusal(MultipartError::Payload(error)))?;
            if bytes.len() + chunk.len() > BESIDE_PICTURE {
                return Err(too_large(BESIDE_PICTURE));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let fields: Map<String, Value> = serde_json::from_slice(text).map_err(|error| {
            Error::Refused(
                Kind::MalformedRequest,
                format!("the body is no JSON object with the fields of a story: {error}"),
            )
        })?;
        for (number, name) in fields.keys().enumerate() {
            check_name(name, number)?;
        }
        Ok(FormBody {
            files: Vec::new(),
            fields,
        })
    }

    /// Reads what is left, so that the refusal reaches a caller who writes before reading.
    async fn empty(self) {
        let mut left = self.limit.saturating_mul(REFUSED_BODIES);
        let drained = async {
            while let Some(Ok(chunk)) =
                stream::poll_fn(|context| self.payload.borrow_mut().poll_next_unpin(context))
                    .next()
                    .await
            {
                left = left.saturating_sub(chunk.len());
                if left == 0 {
                    break;
                }
            }
        };
        if timeout(REFUSED_PATIENCE, drained).await.is_err() {
            tracing::debug!("a refused body took too long; its connection is given up");
        }
    }
}

/// The bytes of a part, or nothing if there are more than `most`.
async fn collect(part: &mut Field, most: usize) -> Result<Option<Bytes>> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = next(part).await? {
        let chunk = chunk.map_err(refusal)?;
        if bytes.len() + chunk.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.freeze()))
}

/// The next piece of a body that goes on coming.
async fn next<S: Stream + Unpin>(stream: &mut S) -> Result<Option<S::Item>> {
    timeout(STALLED, stream.next())
        .await
        .map_err(|_| too_slow())
}

fn check_name(name: &str, number: usize) -> Result<()> {
    if name.len() > LONGEST_NAME {
        let short: String = name.chars().take(LONGEST_NAME / 2).collect();
        let message =
            format!("there is no field `{short}…`: names have up to {LONGEST_NAME} bytes");
        return Err(Error::field(short, message));
    }
    if number >= MOST_FIELDS {
        let message = format!("there are more than {MOST_FIELDS} fields, and none needs so many");
        return Err(Error::Refused(Kind::MalformedRequest, message));
    }
    Ok(())
}

/// Whether a text of this value has a character that Postgres keeps in no text.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn announced(request: &HttpRequest) -> Option<usize> {
    request
        .headers()
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn is_json(request: &HttpRequest) -> bool {
    let declared = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = declared.and_then(|declared| declared.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn too_large(limit: usize) -> Error {
    let most = limit / 1024;
    Error::Refused(
        Kind::BodyTooLarge,
        format!(
            "the request has more than {most} KiB, which is the most this service takes; send a smaller file"
        ),
    )
}

fn too_slow() -> Error {
    Error::Refused(
        Kind::BodyTooSlow,
        "the body has not come in full in time; send it again, or a smaller one".to_owned(),
    )
}

fn refusal(error: MultipartError) -> Error {
    match error {
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible => Error::Refused(
            Kind::UnsupportedMediaType,
            "send multipart/form-data with the picture in the field `image` (for a style, the text in `text`), or application/json".to_owned(),
        ),
        MultipartError::Payload(PayloadError::Overflow) => Error::Refused(
            Kind::BodyTooLarge,
            "the request is larger than a file of the largest size with its fields can be"
                .to_owned(),
        ),
        MultipartError::Incomplete | MultipartError::Payload(PayloadError::Incomplete(_)) => {
            Error::Refused(
                Kind::MalformedRequest,
                "the form ends in the middle: send it again".to_owned(),
            )
        }
        other => Error::Refused(
            Kind::MalformedRequest,
            format!("the form cannot be read: {other}"),
        ),
    }
}
