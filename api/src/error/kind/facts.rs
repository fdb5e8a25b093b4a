//! What is known about a kind, looked up in the list.
//! `error.rs` and `problems.rs` ask. What must stay true: every kind of a job's error is in the list under its own name.

use actix_web::http::StatusCode;
use jobs::ErrorKind;

use super::{ENTRIES, Entry, Kind};

impl Kind {
    /// Every kind there is, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Kind> {
        ENTRIES.iter().map(|entry| entry.kind)
    }

    /// The kind of a job's error.
    #[must_use]
    pub fn of_job(kind: ErrorKind) -> Kind {
        match kind {
            ErrorKind::ImageUnreadable => Kind::ImageUnreadable,
            ErrorKind::ImageTooLarge => Kind::ImageTooLarge,
            ErrorKind::ImageAnimated => Kind::ImageAnimated,
            ErrorKind::ImageMissing => Kind::ImageMissing,
            ErrorKind::UnknownStyle => Kind::UnknownStyle,
            ErrorKind::InvalidParameter => Kind::InvalidParameter,
            ErrorKind::WorkerLost => Kind::WorkerLost,
            ErrorKind::OutOfMemory => Kind::OutOfMemory,
            ErrorKind::TextUnusable => Kind::TextUnusable,
            ErrorKind::ModelError => Kind::ModelError,
            ErrorKind::StorageUnavailable => Kind::StorageUnavailable,
            ErrorKind::DeadlinePassed => Kind::DeadlinePassed,
            ErrorKind::Other => Kind::Other,
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Kind> {
        Kind::all().find(|kind| kind.name() == name)
    }

    /// The name programs branch on.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The `type` of a problem: a reference to the kind's own page.
    #[must_use]
    pub fn uri(self) -> String {
        format!("/problems/{}", self.name())
    }

    /// The status of an answer with this problem; for the kinds of failed jobs the one they would have.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.entry().status
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn retryable(self) -> bool {
        self.entry().retryable
    }

    /// The kind in a few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// When it happens and what to do.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    fn entry(self) -> &'static Entry {
        &ENTRIES[self as usize]
    }
}
