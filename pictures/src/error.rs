//! What can go wrong where pictures are kept; the API and the worker turn it into their own.
//! What must stay true: an error says what was attempted and what to do, and its cause is never shown to callers.

use std::path::PathBuf;

/// The result of everything that reaches a place for pictures.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the place for pictures did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The place cannot be reached now; the same call may work later.
    #[error("{place} cannot be reached while trying to {doing}: {cause}")]
    Unavailable {
        /// The folder or the server.
        place: &'static str,
        /// What was attempted.
        doing: &'static str,
        /// What the system or the server said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What should not have happened: a bug.
    #[error("cannot {doing}: {cause}")]
    Unexpected {
        /// What was attempted.
        doing: &'static str,
        /// What the library said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no picture of this name.
    #[error("there is no picture `{key}`")]
    Missing {
        /// The name that was asked for.
        key: String,
    },
    /// There is a picture of this name already; pictures are never overwritten.
    #[error("there is a picture `{key}` already, and pictures are never overwritten")]
    Exists {
        /// The name that was to be used.
        key: String,
    },
    /// More bytes than any picture of ours has.
    #[error(
        "the picture `{key}` has {bytes} bytes, and at most {most} are kept: it was not put here by this service"
    )]
    TooLarge {
        /// Its name.
        key: String,
        /// Its size.
        bytes: u64,
        /// The largest that is kept.
        most: u64,
    },
    /// The name cannot be the name of a picture.
    #[error(
        "`{key}` cannot name a picture: use 1 to 128 of a–z, 0–9, `-`, `_` and `.`, not starting with a dot"
    )]
    Key {
        /// The name that was given.
        key: String,
    },
    /// A setting cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// The option or variable.
        setting: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The folder of the pictures cannot be used at all.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Disk {
        /// What was attempted.
        doing: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

impl Error {
    /// Whether the same call may work later without anybody changing anything in this program.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Error::Unavailable { .. })
    }

    pub(crate) fn unexpected(
        doing: &'static str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Error::Unexpected {
            doing,
            cause: cause.into(),
        }
    }
}
