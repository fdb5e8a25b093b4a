//! Why the embedded Postgres did not start or stop, one variant per reaction of the operator.
//! Every function of this crate that reaches a disk or a process returns it. What must stay true: the text says what was
//! attempted and what to do.

use std::path::PathBuf;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the embedded Postgres did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// What should not have happened: a bug.
    #[error("cannot {doing}: {cause}")]
    Unexpected {
        /// What was attempted.
        doing: &'static str,
        /// What was said.
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
