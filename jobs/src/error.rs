//! What can go wrong with the places where jobs live, one variant per reaction of the caller.
//! Every function of this crate that reaches a database or a broker returns it. What must stay true:
//! the text says what was attempted and what to do; the cause is kept for the log and never shown to callers.

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store or the queue did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The place cannot be reached now; the same call may work later.
    #[error("{place} cannot be reached while trying to {doing}: {cause}")]
    Unavailable {
        /// The database or the broker.
        place: &'static str,
        /// What was attempted.
        doing: &'static str,
        /// What the system or the driver said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement or a row is not what this version expects: a bug, or another version's database.
    #[error("cannot {doing}: {cause}")]
    Unexpected {
        /// What was attempted.
        doing: &'static str,
        /// What the driver or the reader said.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
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
