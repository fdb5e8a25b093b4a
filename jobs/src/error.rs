//! What can go wrong with the places where jobs live, one variant per reaction of the caller.
//! Every function of this crate that reaches a database, a disk or a process returns it. What must stay true:
//! the text says what was attempted and what to do; the cause is kept for the log and never shown to callers.

use std::path::PathBuf;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store, the queue, the pictures or the embedded Postgres did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The place cannot be reached now; the same call may work later.
    #[error("{place} cannot be reached while trying to {doing}: {cause}")]
    Unavailable {
        /// The database or the picture store.
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
    /// There is no picture of this name.
    #[error("there is no picture `{key}`")]
    ImageMissing {
        /// The name that was asked for.
        key: String,
    },
    /// There is a picture of this name already; pictures are never overwritten.
    #[error("there is a picture `{key}` already, and pictures are never overwritten")]
    ImageExists {
        /// The name that was to be used.
        key: String,
    },
    /// More bytes than any picture of ours has.
    #[error(
        "the picture `{key}` has {bytes} bytes, and at most {} are kept: it was not put here by this service",
        crate::images::LARGEST
    )]
    ImageTooLarge {
        /// Its name.
        key: String,
        /// Its size.
        bytes: u64,
    },
    /// A setting cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// The option or variable.
        setting: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The name cannot be the name of a picture.
    #[error(
        "`{key}` cannot name a picture: use 1 to 128 of a–z, 0–9, `-`, `_` and `.`, not starting with a dot"
    )]
    ImageKey {
        /// The name that was given.
        key: String,
    },
    /// No Postgres programs were found.
    #[error(
        "no Postgres found: looked in {looked}. Run `make setup`, or name a folder that has `postgres` and `initdb` in STORYTELLER_POSTGRES_BIN"
    )]
    NoPostgres {
        /// Every place that was looked at.
        looked: String,
    },
    /// Another running service uses this data folder.
    #[error("the database in {} is in use by another running service (process {process}): stop it first, or choose another data folder", folder.display())]
    DataInUse {
        /// The folder of the database.
        folder: PathBuf,
        /// The process that uses it.
        process: i32,
    },
    /// The data folder was written by another major version of Postgres.
    #[error("the database in {} was made by Postgres {found}, but {} is Postgres {have}: name a Postgres {found} in STORYTELLER_POSTGRES_BIN, or choose another data folder", folder.display(), programs.display())]
    OtherVersion {
        /// The folder of the database.
        folder: PathBuf,
        /// The major version that wrote it.
        found: String,
        /// The programs that were found.
        programs: PathBuf,
        /// Their major version.
        have: String,
    },
    /// A program of Postgres did not do its work.
    #[error("{what}: {said}")]
    Postgres {
        /// What it was to do.
        what: String,
        /// The last lines it wrote.
        said: String,
    },
    /// The disk did not do what was asked while setting up the embedded Postgres.
    #[error("cannot {doing} {}: {cause}", path.display())]
    Disk {
        /// What was attempted.
        doing: &'static str,
        /// The file or folder.
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
