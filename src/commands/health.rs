//! `storyteller health`: asks a running service whether it is ready. For container health checks and scripts.
//! Exit code 0 means ready; the words are the service's own.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::commands::command_line::block_on;
use storyteller::client::Client;

/// What `health` takes.
#[derive(Args, Debug)]
pub(crate) struct Health {
    /// The service to ask.
    #[arg(
        long,
        env = "STORYTELLER_SERVER",
        default_value = "http://127.0.0.1:7878",
        value_name = "URL"
    )]
    server: String,
}

impl Health {
    /// Prints the service's own words; exit code 0 if it is ready, 1 if not.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let (ready, words) = block_on(async { Ok(Client::new(&self.server)?.ready().await?) })?;
        writeln!(std::io::stdout(), "{words}")?;
        Ok(if ready {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
