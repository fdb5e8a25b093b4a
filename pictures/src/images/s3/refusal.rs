//! Why an S3 server did not do what was asked: its own code and words, what it means, and what an operator can do.
//! Every call in `s3.rs` turns its error into one. What must stay true: a bucket that is gone is never taken for a
//! picture that is gone, or every waiting job would fail instead of waiting.

use std::fmt;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// What the server, or the way to it, said.
#[derive(Debug)]
pub(super) struct Refusal {
    status: Option<u16>,
    code: Option<String>,
    said: String,
}

/// What a refusal means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The name is in use.
    Taken,
    /// Somebody writes the same name at this moment: come again.
    Conflict,
    /// There is no such object.
    Missing,
    /// Anything else: the store cannot be used now.
    Other,
}

impl Refusal {
    pub(super) fn of<E>(error: SdkError<E, HttpResponse>) -> Refusal
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let code = error.code().map(str::to_owned);
        let said = match error.message() {
            Some(message) => message.to_owned(),
            None => causes(&error),
        };
        Refusal { status, code, said }
    }

    pub(super) fn other(said: &str) -> Refusal {
        Refusal {
            status: None,
            code: None,
            said: said.to_owned(),
        }
    }

    pub(super) fn reason(&self) -> Reason {
        match (self.status, self.code.as_deref()) {
            (_, Some("NoSuchBucket")) => Reason::Other,
            (Some(412), _) | (_, Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists")) => {
                Reason::Taken
            }
            // an upload in parts that is gone may have been completed by a try whose answer was lost: trying again tells
            (Some(409), _) | (_, Some("NoSuchUpload")) => Reason::Conflict,
            // the answer to HEAD has no body, so no code
            (_, Some("NoSuchKey" | "NotFound")) | (Some(404), None) => Reason::Missing,
            _ => Reason::Other,
        }
    }

    fn remedy(&self) -> &'static str {
        match (self.status, self.code.as_deref()) {
            (_, Some("NoSuchBucket")) | (Some(404), _) => {
                "make the bucket, or name another with S3_BUCKET"
            }
            (Some(401 | 403), _) => {
                "compare AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION with the server's, and the clocks"
            }
            (Some(507), _) => "the server's disk is full",
            (Some(_), _) => "the server's log says more",
            (None, _) => "see that the server runs, and compare S3_ENDPOINT",
        }
    }
}

/// An error and what lies beneath it, in words only.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        said = format!("{said}: {inner}");
        cause = inner.source();
    }
    said
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(status) = self.status {
            write!(formatter, "{status} ")?;
        }
        if let Some(code) = &self.code {
            write!(formatter, "{code} ")?;
        }
        write!(formatter, "{} ({})", self.said, self.remedy())
    }
}
