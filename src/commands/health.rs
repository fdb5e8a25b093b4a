//! `storyteller health`: asks a running service whether it is ready. For container health checks and scripts.
//! Exit code 0 means ready; the words are the service's own.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::commands::asking::Server;
use crate::commands::runtime::block_on;

/// What `health` takes.
#[derive(Args, Debug)]
pub(crate) struct Health {
    /// The service to ask.
    #[command(flatten)]
    server: Server,
}

impl Health {
    /// Prints the service's own words; exit code 0 if it is ready, 1 if not.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let (ready, words) = block_on(async { Ok(self.server.client()?.ready().await?) })?;
        writeln!(std::io::stdout(), "{words}")?;
        Ok(if ready {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
