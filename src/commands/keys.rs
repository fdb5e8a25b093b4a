//! `storyteller keys`: the keys of callers, on the database itself, because whoever may reach that may do anything anyhow.
//! The work is `operation::keys`; here stands which database is meant. What must stay true: it works beside a running service
//! and without one, and a database that was not running does not go on running.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use embedded::{EmbeddedPostgres, Settings};
use jobs::{RuleOptions, Store};
use operation::keys::KeysCommand;

use crate::commands::place::{Data, cache_or};
use crate::commands::runtime::block_on;

/// What `keys` takes; where they are can be said before or after the verb.
#[derive(Args, Debug)]
#[command(mut_args(|arg| arg.global(true)))]
pub(crate) struct Keys {
    /// The Postgres of the service [default: the one that `serve` has with its data, started for the moment if it is not
    /// running].
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Where that data is.
    #[command(flatten)]
    data: Data,
    /// Where set-up put what it fetched [default: ~/.cache/storyteller].
    #[arg(long, env = "STORYTELLER_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
    /// The folder of the Postgres programs to start [default: found on this machine, or the one set-up fetched].
    #[arg(long, env = "STORYTELLER_POSTGRES_BIN", value_name = "DIR")]
    postgres_bin: Option<PathBuf>,
    /// What to do.
    #[command(flatten)]
    command: KeysCommand,
}

impl Keys {
    /// Prints what was asked for.
    ///
    /// # Errors
    /// When there is no database to be reached, or no such key.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            if let Some(url) = &self.database_url {
                return on(url, self.command).await;
            }
            let data = self.data.folder()?;
            if let Some(url) = EmbeddedPostgres::running(&data).await? {
                return on(&url, self.command).await;
            }
            let postgres = EmbeddedPostgres::start(Settings {
                data,
                cache: cache_or(self.cache.as_deref())?,
                programs: self.postgres_bin,
            })
            .await?;
            let done = on(&postgres.url(), self.command).await;
            postgres.stop().await?;
            done
        })
    }
}

async fn on(url: &str, command: KeysCommand) -> anyhow::Result<ExitCode> {
    let store = Store::connect(url, RuleOptions::default().rules()).await?;
    store.migrate().await?;
    command.run(&store).await?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
