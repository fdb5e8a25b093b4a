//! `storyteller migrate`: brings the tables of a database to this version, once for all programs of the service.
//! Before an upgrade of the distributed service; `serve` does it by itself.

use std::process::ExitCode;

use clap::Args;
use jobs::{RuleOptions, Store};

use crate::commands::runtime::block_on;

/// What `migrate` takes.
#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// The Postgres that all parts of the service share.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: String,
}

impl Migrate {
    /// Returns when every table is of this version.
    ///
    /// # Errors
    /// When the database does not answer or a migration fails; it can be called again.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let store = Store::connect(&self.database_url, RuleOptions::default().rules()).await?;
            store.migrate().await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
