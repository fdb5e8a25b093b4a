//! Which service is asked, and how its answers are printed.
//! Every command that is a client of a service takes one of these. What must stay true: with `--json` each line of standard output is one
//! JSON value, in the shapes of the HTTP API.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use reqwest::Url;
use serde::Serialize;
use storyteller::client::{Client, address};

/// Which service.
#[derive(Args, Clone, Debug)]
pub(crate) struct Server {
    /// The service to ask.
    #[arg(
        long,
        env = "STORYTELLER_SERVER",
        default_value = "http://127.0.0.1:7878",
        value_name = "URL",
        value_parser = address
    )]
    server: Url,
    /// Who asks.
    #[command(flatten)]
    who: Who,
}

/// The key with which a service is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct Who {
    /// A file with the key to ask with, if the service asks for one; or the key itself in the variable STORYTELLER_KEY. There
    /// is no option for the key itself: every user of the machine can see the arguments of a program, and shells keep them.
    #[arg(long, env = "STORYTELLER_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Who {
    /// A connection to this service.
    ///
    /// # Errors
    /// When the file cannot be read, or no HTTP client can be set up on this machine.
    pub(crate) fn client(&self, server: &str) -> anyhow::Result<Client> {
        let said = std::env::var("STORYTELLER_KEY").ok();
        let key = match &self.key_file {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                Some(text.with_context(|| format!("cannot read the key in {}", file.display()))?)
            }
            None => said,
        };
        let key = key.map(|key| key.trim().to_owned());
        Ok(Client::new(server)?.with_key(key.filter(|key| !key.is_empty())))
    }
}

/// Which service, and how its answers are printed.
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    /// The service.
    #[command(flatten)]
    server: Server,
    /// Print JSON, one value a line.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Server {
    /// A connection to it.
    ///
    /// # Errors
    /// When no HTTP client can be set up on this machine.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        self.who.client(self.server.as_str())
    }
}

impl Asked {
    /// A connection to the service.
    ///
    /// # Errors
    /// As [`Server::client`].
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        self.server.client()
    }

    /// Prints a value as JSON, or as its words.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn print(
        &self,
        value: &impl Serialize,
        words: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(value)?)?;
        } else {
            writeln!(out, "{}", words())?;
        }
        Ok(())
    }
}
