//! The closed list of problem `type`s, with the status, title and meaning of each.
//! `GET /problems` shows it, every error answer and every failed job names one of it, the OpenAPI document
//! refers to it. What must stay true: a name never changes its meaning, because programs branch on it.

use actix_web::http::StatusCode;

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

/// What is known about a kind.
struct Entry {
    kind: Kind,
    name: &'static str,
    status: StatusCode,
    retryable: bool,
    title: &'static str,
    meaning: &'static str,
}

/// The list itself, in the order of [`Kind`].
const ENTRIES: &[Entry] = &[
    Entry {
        kind: Kind::InvalidParameter,
        name: "invalid_parameter",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: false,
        title: "A field is not as it should be",
        meaning: "A field is missing, unknown, given twice or out of its range. `field` names it, `detail` says what it may be.",
    },
    Entry {
        kind: Kind::UnknownStyle,
        name: "unknown_style",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: false,
        title: "There is no such style",
        meaning: "The bundle of this service has no style of this name. `choices` lists the names there are.",
    },
    Entry {
        kind: Kind::ImageUnreadable,
        name: "image_unreadable",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: false,
        title: "The picture cannot be read",
        meaning: "The file is empty, cut off, broken, or not a JPEG, PNG, WebP or GIF. Its name and declared type do not matter, its bytes do.",
    },
    Entry {
        kind: Kind::ImageTooLarge,
        name: "image_too_large",
        status: StatusCode::PAYLOAD_TOO_LARGE,
        retryable: false,
        title: "The picture is too large",
        meaning: "The picture has more bytes or pixels than this service takes, or is far longer than wide. Send a smaller version.",
    },
    Entry {
        kind: Kind::ImageAnimated,
        name: "image_animated",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: false,
        title: "The picture moves",
        meaning: "Only still pictures are told. Send one frame.",
    },
    Entry {
        kind: Kind::FetchBlocked,
        name: "fetch_blocked",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: false,
        title: "The picture's address is not reached",
        meaning: "`image_url`, or what it redirects to, is no public address on the web; this service reaches no others for callers.",
    },
    Entry {
        kind: Kind::FetchFailed,
        name: "fetch_failed",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: true,
        title: "The picture could not be fetched",
        meaning: "The server behind `image_url` did not answer in time, or answered with an error. Check the address, or send the picture itself.",
    },
    Entry {
        kind: Kind::MalformedRequest,
        name: "malformed_request",
        status: StatusCode::BAD_REQUEST,
        retryable: false,
        title: "The request cannot be understood",
        meaning: "The body is cut off or is not the multipart form it claims to be, or a header or query has an impossible value.",
    },
    Entry {
        kind: Kind::UnsupportedMediaType,
        name: "unsupported_media_type",
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        retryable: false,
        title: "The body is not a form",
        meaning: "Send multipart/form-data with the picture in the field `image` (for a style, the text in `text`), or application/json.",
    },
    Entry {
        kind: Kind::BodyTooLarge,
        name: "body_too_large",
        status: StatusCode::PAYLOAD_TOO_LARGE,
        retryable: false,
        title: "The request is too large",
        meaning: "The whole body is larger than a picture of the largest size with its fields can be.",
    },
    Entry {
        kind: Kind::BodyTooSlow,
        name: "body_too_slow",
        status: StatusCode::REQUEST_TIMEOUT,
        retryable: true,
        title: "The request took too long to arrive",
        meaning: "The body stopped in the middle, or did not come in full within the time of this service.",
    },
    Entry {
        kind: Kind::NotFound,
        name: "not_found",
        status: StatusCode::NOT_FOUND,
        retryable: false,
        title: "There is nothing here",
        meaning: "No story has this id, no style this name, or no such address exists.",
    },
    Entry {
        kind: Kind::MethodNotAllowed,
        name: "method_not_allowed",
        status: StatusCode::METHOD_NOT_ALLOWED,
        retryable: false,
        title: "Not with this method",
        meaning: "The address exists, but not with this method. `Allow` lists those it has.",
    },
    Entry {
        kind: Kind::RangeNotSatisfiable,
        name: "range_not_satisfiable",
        status: StatusCode::RANGE_NOT_SATISFIABLE,
        retryable: false,
        title: "The picture is shorter",
        meaning: "`Range` asks for bytes behind the end of the picture. `Content-Range` says how many it has.",
    },
    Entry {
        kind: Kind::CrossSite,
        name: "cross_site",
        status: StatusCode::FORBIDDEN,
        retryable: false,
        title: "Not from another site's page",
        meaning: "A browser sent this for a page of another site. Programs are not affected; people use the page of this service.",
    },
    Entry {
        kind: Kind::UnknownHost,
        name: "unknown_host",
        status: StatusCode::MISDIRECTED_REQUEST,
        retryable: false,
        title: "This service has another name",
        meaning: "`Host` names neither this machine nor one of the names that the service was started with (--public-host).",
    },
    Entry {
        kind: Kind::Unauthorized,
        name: "unauthorized",
        status: StatusCode::UNAUTHORIZED,
        retryable: false,
        title: "Say who you are",
        meaning: "This service asks for a key, and none that is good came: send `Authorization: Bearer KEY`. Whoever runs it makes one with `storyteller keys create`.",
    },
    Entry {
        kind: Kind::ScopeMissing,
        name: "scope_missing",
        status: StatusCode::FORBIDDEN,
        retryable: false,
        title: "The key may not do this",
        meaning: "Looking takes a key that may `read`, everything else one that may `write`. Ask for another key.",
    },
    Entry {
        kind: Kind::AlreadyFinished,
        name: "already_finished",
        status: StatusCode::CONFLICT,
        retryable: false,
        title: "The story has already ended",
        meaning: "A story that has been told or has failed cannot be cancelled any more, and one that has been told cannot be tried again.",
    },
    Entry {
        kind: Kind::NotTold,
        name: "not_told",
        status: StatusCode::CONFLICT,
        retryable: false,
        title: "There is no story",
        meaning: "What was asked for exists for stories that are told: wait for the end of this one, or retry it if it failed.",
    },
    Entry {
        kind: Kind::DataRemoved,
        name: "data_removed",
        status: StatusCode::GONE,
        retryable: false,
        title: "The story was taken back",
        meaning: "Picture, story and captions were removed at their owner's wish. Only when it was asked for and what became of it is still known.",
    },
    Entry {
        kind: Kind::IdempotencyKeyReused,
        name: "idempotency_key_reused",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: false,
        title: "The key belongs to another request",
        meaning: "The same Idempotency-Key came with a different picture or different fields before. Use a new key for a new story.",
    },
    Entry {
        kind: Kind::RequestInProgress,
        name: "request_in_progress",
        status: StatusCode::CONFLICT,
        retryable: true,
        title: "The first request is still under way",
        meaning: "A request with this Idempotency-Key is still being answered. Send it again after Retry-After: the answer is that one's.",
    },
    Entry {
        kind: Kind::StyleExists,
        name: "style_exists",
        status: StatusCode::CONFLICT,
        retryable: false,
        title: "The name is taken",
        meaning: "Another style has this name already. Choose another one, or remove the style first if it was added here.",
    },
    Entry {
        kind: Kind::QueueFull,
        name: "queue_full",
        status: StatusCode::TOO_MANY_REQUESTS,
        retryable: true,
        title: "The queue is full",
        meaning: "As many stories wait as this service accepts, or their pictures are as large together as it keeps. Come back after Retry-After.",
    },
    Entry {
        kind: Kind::RateLimited,
        name: "rate_limited",
        status: StatusCode::TOO_MANY_REQUESTS,
        retryable: true,
        title: "Too many requests in a minute",
        meaning: "The key has made as many requests, or submits, as it may in a minute. Come back after Retry-After.",
    },
    Entry {
        kind: Kind::QuotaExceeded,
        name: "quota_exceeded",
        status: StatusCode::TOO_MANY_REQUESTS,
        retryable: true,
        title: "The key has had its share",
        meaning: "As many stories of this key wait, or were handed in today (UTC), as it may have. Come back after Retry-After.",
    },
    Entry {
        kind: Kind::TooManyWaits,
        name: "too_many_waits",
        status: StatusCode::TOO_MANY_REQUESTS,
        retryable: true,
        title: "Too many waits at once",
        meaning: "The caller has as many event streams and waits open as one may have. End one, or come back after Retry-After.",
    },
    Entry {
        kind: Kind::Busy,
        name: "busy",
        status: StatusCode::SERVICE_UNAVAILABLE,
        retryable: true,
        title: "Too much at once",
        meaning: "As many pictures are received, or fetched from this host, as the service takes at once. Come back after Retry-After.",
    },
    Entry {
        kind: Kind::Unavailable,
        name: "unavailable",
        status: StatusCode::SERVICE_UNAVAILABLE,
        retryable: true,
        title: "Not just now",
        meaning: "The database, the picture store or the worker does not answer. The same request may work in a moment.",
    },
    Entry {
        kind: Kind::Internal,
        name: "internal",
        status: StatusCode::INTERNAL_SERVER_ERROR,
        retryable: false,
        title: "The service failed",
        meaning: "A fault of the service. Its log has the cause under the request id of the answer.",
    },
    Entry {
        kind: Kind::ImageMissing,
        name: "image_missing",
        status: StatusCode::INTERNAL_SERVER_ERROR,
        retryable: false,
        title: "The stored picture is gone",
        meaning: "In a failed job: the picture was not where it was kept, or is not the one that was sent. Send it again.",
    },
    Entry {
        kind: Kind::WorkerLost,
        name: "worker_lost",
        status: StatusCode::SERVICE_UNAVAILABLE,
        retryable: true,
        title: "The worker was lost",
        meaning: "In a failed job: the worker died each time it told this story.",
    },
    Entry {
        kind: Kind::OutOfMemory,
        name: "out_of_memory",
        status: StatusCode::SERVICE_UNAVAILABLE,
        retryable: true,
        title: "Not enough memory",
        meaning: "In a failed job: the story did not fit the memory of the device even alone. A narrower beam needs less.",
    },
    Entry {
        kind: Kind::TextUnusable,
        name: "text_unusable",
        status: StatusCode::UNPROCESSABLE_ENTITY,
        retryable: false,
        title: "The text cannot become a style",
        meaning: "In a style that failed: its text is too short, in another language than the bundle's, or no prose. The message has the figures.",
    },
    Entry {
        kind: Kind::ModelError,
        name: "model_error",
        status: StatusCode::INTERNAL_SERVER_ERROR,
        retryable: true,
        title: "The networks failed",
        meaning: "In a failed job: the networks could not tell this story.",
    },
    Entry {
        kind: Kind::StorageUnavailable,
        name: "storage_unavailable",
        status: StatusCode::SERVICE_UNAVAILABLE,
        retryable: true,
        title: "The storage did not answer",
        meaning: "In a failed job: pictures or results could not be read or written for too long.",
    },
    Entry {
        kind: Kind::DeadlinePassed,
        name: "deadline_passed",
        status: StatusCode::GATEWAY_TIMEOUT,
        retryable: true,
        title: "The deadline has passed",
        meaning: "In an expired job: the deadline of the request passed before any work was done on it.",
    },
    Entry {
        kind: Kind::Other,
        name: "other",
        status: StatusCode::INTERNAL_SERVER_ERROR,
        retryable: false,
        title: "Something that this version does not know",
        meaning: "Only in `error` of a job: a newer version of the service has ended it in a way that this one has no name for. The message says more.",
    },
];

mod facts;
#[cfg(test)]
mod tests;
