//! The closed list of problem `type`s, with the status, title and meaning of each.
//! `GET /problems` shows it, every error answer and every failed job names one of it, the OpenAPI document
//! refers to it. What must stay true: a name never changes its meaning, because programs branch on it.

use entries::{ENTRIES, Entry};

/// A `type` a caller can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A field is missing, unknown, twice there or out of range.
    InvalidParameter,
    /// The style is not in the bundle.
    UnknownStyle,
    /// The picture is broken, empty or not a picture.
    ImageUnreadable,
    /// The picture has too many bytes or pixels, or is too narrow.
    ImageTooLarge,
    /// The picture moves.
    ImageAnimated,
    /// The address of the picture leads where callers may not reach through us.
    FetchBlocked,
    /// The address of the picture led to no picture.
    FetchFailed,
    /// There is no such upload of this caller's, or nothing has been sent to it.
    UploadMissing,
    /// The time in which a story could be asked for with this upload is over.
    UploadExpired,
    /// Pictures are kept where callers cannot send them by themselves.
    UploadsNotOffered,
    /// The body is cut off or is not the form it claims to be.
    MalformedRequest,
    /// The body is not a form.
    UnsupportedMediaType,
    /// The whole body is over the limit.
    BodyTooLarge,
    /// The body has not come in full in time.
    BodyTooSlow,
    /// No such story or address.
    NotFound,
    /// The address has no such method.
    MethodNotAllowed,
    /// The picture has fewer bytes than the range begins after.
    RangeNotSatisfiable,
    /// A page of another site made a browser send it.
    CrossSite,
    /// The request is for a name that this service does not have.
    UnknownHost,
    /// No good key came with the request.
    Unauthorized,
    /// The key may not do this.
    ScopeMissing,
    /// The job has already ended another way.
    AlreadyFinished,
    /// There is no story yet.
    NotTold,
    /// The owner has taken the story back.
    DataRemoved,
    /// The `Idempotency-Key` came with another request before.
    IdempotencyKeyReused,
    /// A request with the same `Idempotency-Key` is still being answered.
    RequestInProgress,
    /// Another style has the name.
    StyleExists,
    /// The queue is at its configured depth.
    QueueFull,
    /// The key has asked too often in a minute.
    RateLimited,
    /// The key has handed in as much as it may.
    QuotaExceeded,
    /// The caller has as many streams and waits open as one may.
    TooManyWaits,
    /// As much is done at once as can be.
    Busy,
    /// The database or the picture store does not answer.
    Unavailable,
    /// A fault of ours.
    Internal,
    /// In a failed job: the stored picture is gone.
    ImageMissing,
    /// In a failed job: its workers died every time.
    WorkerLost,
    /// In a failed job: it did not fit the device's memory.
    OutOfMemory,
    /// In a failed job: the text cannot become a style.
    TextUnusable,
    /// In a failed job: the networks could not tell it.
    ModelError,
    /// In a failed job: pictures or results could not be read or written.
    StorageUnavailable,
    /// In an expired job: nobody came before its deadline.
    DeadlinePassed,
    /// In a job that a newer version of the service has ended.
    Other,
}

mod entries;
mod facts;
#[cfg(test)]
mod tests;
