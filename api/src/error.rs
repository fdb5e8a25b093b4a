//! What can go wrong between a caller and the service, and what the caller is told.
//! Every handler returns [`Error`]; this file is the only place where it becomes a status code and an RFC 9457
//! `application/problem+json` body. What must stay true: the cause of a 5xx is logged here once and never sent,
//! and every `type` a caller can meet is in [`kind::Kind`].

pub mod kind;
mod quota;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use jobs::QueueLimit;
use pictures::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::allowance::{self, Allowance};
pub use kind::Kind;

/// The media type of every error answer (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// In so many seconds what stands in the way may be gone.
const SOON: u64 = 2;

/// What `api` functions answer.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request was not answered as asked: a variant for each reaction of the caller.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One field of the request is wrong, missing or unknown.
    #[error("{message}")]
    Field {
        /// `unknown_style`, an `image_…` kind or `invalid_parameter`.
        kind: Kind,
        /// The field's name.
        field: String,
        /// What is wrong with it and what would be right.
        message: String,
        /// For an unknown style: the names there are.
        choices: Vec<String>,
    },
    /// The request as a whole cannot be taken; the sentence says why and what to do.
    #[error("{1}")]
    Refused(Kind, String),
    /// As many stories wait as are taken, or their pictures are as large together.
    #[error("{limit}; come back in {retry_after} s")]
    Full {
        /// What is reached.
        limit: QueueLimit,
        /// In how many seconds there should be room.
        retry_after: u64,
    },
    /// The caller has had what his key allows for now.
    #[error("{message}")]
    Limited {
        /// `rate_limited`, `quota_exceeded` or `too_many_waits`.
        kind: Kind,
        /// Of what, and until when.
        message: String,
        /// As the headers say it.
        allowance: Allowance,
    },
    /// The path exists, but not with this method.
    #[error("this address answers {allow} only")]
    Method {
        /// The methods there are, as in the `Allow` header.
        allow: &'static str,
    },
    /// The picture has no such bytes.
    #[error("the picture has {bytes} bytes, and the range that was asked for lies behind them")]
    Range {
        /// How many it has.
        bytes: u64,
    },
    /// Something the service stands on does not answer; the same request may work in a moment.
    #[error("{what} does not answer: {cause}")]
    Unavailable {
        /// What the caller may know: "the database", "the picture store".
        what: &'static str,
        /// For the log only.
        cause: String,
    },
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
    /// The service could not be started on its socket, or stopped serving it.
    #[error("cannot serve on the socket: {0}")]
    Socket(#[from] std::io::Error),
    /// Others can reach the service, and nothing would ask them who they are.
    #[error(
        "{address} can be reached from other machines, and there is no key yet to ask callers for: make one with `storyteller keys create --name NAME`, or listen on 127.0.0.1, or say --open-to-everyone"
    )]
    Open {
        /// Where it was to listen.
        address: std::net::SocketAddr,
    },
}

/// The body of an error answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "/problems/unknown_style", "title": "There is no such style", "status": 422,
    "detail": "there is no style `romanse`; did you mean `romance`? `GET /v1/styles` describes them all",
    "retryable": false, "field": "style", "choices": ["adventure", "romance"]
}))]
pub struct Problem {
    /// Which problem it is: `/problems/{kind}`, from the closed list at `GET /problems`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The kind in a few words; the same for every occurrence.
    pub title: String,
    /// The HTTP status once more.
    pub status: u16,
    /// What happened this time and what to do about it.
    pub detail: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The field of the request that is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the field may be, where that is a short list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

impl Error {
    /// A field that is missing, unknown or out of range.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Field {
            kind: Kind::InvalidParameter,
            field: field.into(),
            message: message.into(),
            choices: Vec::new(),
        }
    }

    /// Something about the picture.
    pub fn image(kind: Kind, message: impl Into<String>) -> Self {
        Error::Field {
            kind,
            field: "image".to_owned(),
            message: message.into(),
            choices: Vec::new(),
        }
    }

    /// A story that nobody has, or that is another's.
    pub(crate) fn no_story(id: Uuid) -> Self {
        Error::Refused(Kind::NotFound, format!("there is no story {id}"))
    }

    /// A story whose owner has taken it back.
    pub(crate) fn removed() -> Self {
        let message = "picture and story were removed at their owner's wish";
        Error::Refused(Kind::DataRemoved, message.to_owned())
    }

    /// The entry of the closed list.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Error::Field { kind, .. } | Error::Refused(kind, _) | Error::Limited { kind, .. } => {
                *kind
            }
            Error::Full { .. } => Kind::QueueFull,
            Error::Method { .. } => Kind::MethodNotAllowed,
            Error::Range { .. } => Kind::RangeNotSatisfiable,
            Error::Unavailable { .. } => Kind::Unavailable,
            Error::Internal(_) | Error::Socket(_) | Error::Open { .. } => Kind::Internal,
        }
    }

    /// What the caller is told.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let kind = self.kind();
        let detail = match self {
            Error::Unavailable { what, .. } => {
                format!("{what} does not answer just now; try again in a moment")
            }
            Error::Internal(_) | Error::Socket(_) | Error::Open { .. } => {
                "the service failed; its log has the cause under the request id of this answer"
                    .to_owned()
            }
            told => told.to_string(),
        };
        let (field, choices) = match self {
            Error::Field { field, choices, .. } => (Some(field.clone()), choices.clone()),
            _ => (None, Vec::new()),
        };
        Problem {
            type_: kind.uri(),
            title: kind.title().to_owned(),
            status: kind.status().as_u16(),
            detail,
            retryable: kind.retryable(),
            field,
            choices,
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.kind().status()
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        // what is not offered has not failed
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            tracing::error!(kind = self.kind().name(), cause = %self, "a request failed");
        }
        let mut answer = HttpResponse::build(status);
        answer.insert_header((CONTENT_TYPE, PROBLEM_JSON));
        if let Error::Method { allow } = self {
            answer.insert_header((ALLOW, *allow));
        }
        if let Error::Range { bytes } = self {
            answer.insert_header((CONTENT_RANGE, format!("bytes */{bytes}")));
        }
        if self.kind() == Kind::Unauthorized {
            answer.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"storyteller\""));
        }
        if let Error::Limited { allowance, .. } = self {
            allowance::append(&mut answer, allowance);
        }
        if let Error::Full { limit, retry_after } = self {
            allowance::say_full(&mut answer, *limit, *retry_after);
            answer.insert_header((RETRY_AFTER, *retry_after));
        } else if self.kind().retryable() {
            let seconds = match self {
                Error::Limited { allowance, .. } => allowance.again.unwrap_or(SOON),
                _ => SOON,
            };
            answer.insert_header((RETRY_AFTER, seconds));
        }
        let body = serde_json::to_string(&self.problem())
            .expect("a problem is strings, numbers and truth values: all of them have JSON");
        answer.body(body)
    }
}

impl From<jobs::Error> for Error {
    fn from(error: jobs::Error) -> Self {
        match error {
            jobs::Error::Unavailable { place, .. } => Error::Unavailable {
                what: place,
                cause: error.to_string(),
            },
            other => Error::Internal(other.to_string()),
        }
    }
}

impl From<pictures::Error> for Error {
    fn from(error: pictures::Error) -> Self {
        match error {
            pictures::Error::Unavailable { place, .. } => Error::Unavailable {
                what: place,
                cause: error.to_string(),
            },
            pictures::Error::TooLarge { bytes, .. } => {
                let message = format!("the picture has {bytes} bytes, more than are kept");
                Error::image(Kind::ImageTooLarge, message)
            }
            pictures::Error::Missing { .. } => Error::Refused(
                Kind::NotFound,
                "the picture of this story has been removed".to_owned(),
            ),
            other => Error::Internal(other.to_string()),
        }
    }
}

impl From<jobs::FieldProblem> for Error {
    fn from(problem: jobs::FieldProblem) -> Self {
        let message = problem.to_string();
        Error::field(problem.field, message)
    }
}

/// A picture that is not taken.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Unreadable(_) => Kind::ImageUnreadable,
            Refusal::TooLarge(_) => Kind::ImageTooLarge,
            Refusal::Animated => Kind::ImageAnimated,
        };
        Error::image(kind, refusal.to_string())
    }
}
