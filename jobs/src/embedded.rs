//! A real Postgres as a child of this process, so that one command needs no server.
//! The service in one process starts it before and stops it after everything else. What must stay true: only the
//! owner of the data folder can log in, a commit survives a crash, and a service that was killed leaves nothing
//! behind that keeps the next one from starting.

use std::path::{Path, PathBuf};

use crate::error::Result;

/// Where the database lives and which programs run it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service's data folder; the database goes into `postgres` below it.
    pub data: PathBuf,
    /// Where set-up put what it fetched; the programs may be in `postgres/bin` below it.
    pub cache: PathBuf,
    /// The folder of the programs, if it is not to be looked for.
    pub programs: Option<PathBuf>,
}

/// A running Postgres. [`EmbeddedPostgres::stop`] ends it in order; dropping it ends it at once, as a crash would.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    url: String,
}

impl EmbeddedPostgres {
    /// Makes the database if there is none, ends what a killed service left running, and starts the server.
    /// Returns once it answers.
    ///
    /// # Errors
    /// `NoPostgres`, `DataInUse`, `OtherVersion`, `Postgres` or `Disk`.
    pub async fn start(_settings: Settings) -> Result<Self> {
        unimplemented!()
    }

    /// The address for [`crate::Store::connect`], password included.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Ends the server in order: open transactions are rolled back, everything committed is on the disk.
    ///
    /// # Errors
    /// `Postgres` if it had to be killed.
    pub async fn stop(self) -> Result<()> {
        unimplemented!()
    }
}

/// The folder of the Postgres programs: `chosen`, else `STORYTELLER_POSTGRES_BIN`, else the newest Debian one,
/// else the one on `PATH`, else what set-up fetched into `cache`.
///
/// # Errors
/// `NoPostgres` with every place looked at.
pub fn find_programs(_chosen: Option<&Path>, _cache: &Path) -> Result<PathBuf> {
    unimplemented!()
}
