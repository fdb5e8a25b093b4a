//! Why a client or a secret could not be made from what an operator has set.
//! What goes wrong with one request is a [`crate::FetchError`] instead, because callers read it. What must stay true: the
//! text names the setting or the file, and what would be right.

use std::path::PathBuf;

/// The result of what is set up here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// The option or variable.
        setting: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The disk did not do what was asked with the file of the secret.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Disk {
        /// What was attempted.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// What should not have happened: the machine has no certificates that can be read, or there is a bug.
    #[error("cannot {doing}: {cause}")]
    Unexpected {
        /// What was attempted.
        doing: &'static str,
        /// What the library said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
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
