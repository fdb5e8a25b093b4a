//! The tables brought to this version, and waited for.
//! `storyteller migrate`, `api migrate` and `storyteller serve` migrate, the programs of the distributed service wait. What
//! must stay true: one process migrates at a time and no limit on time cuts it off half-way; whoever waits for his turn
//! holds no snapshot that an index in the making would wait for; and a program goes on with tables that are newer than it.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::PgExecutor;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::Store;
use super::row::failed;
use crate::error::{Error, Result};

const DOING: &str = "bring the tables to this version";
/// Whoever migrates holds this lock of the database; any number will do that nothing else uses.
const MIGRATING: i64 = 0x5354_4f52_5900;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Looks between two words about it.
const SAY_EVERY: u32 = 50;
/// What Postgres says of a table that is not there.
const NO_TABLE: &str = "42P01";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("../migrations");
    // a newer version has been here: by the rules of migrations/README.md its tables have all that this one needs
    migrator.set_ignore_missing(true);
    // locked here, see above
    migrator.set_locking(false);
    migrator
}

impl Store {
    /// Brings the tables to this version, if they are not. Several processes may ask for it at once: one does it.
    ///
    /// # Errors
    /// `Unavailable`, or `Unexpected` if a migration that was taken before has been changed since.
    pub async fn migrate(&self) -> Result<()> {
        let said = |error| failed(DOING, error);
        // an index of a large table takes longer than any statement of everyday
        let options = self.database.options();
        let options = options.options([("statement_timeout", "0")]);
        // one connection: the lock is its own, and ends with it whatever comes of this
        let one = PgPoolOptions::new().max_connections(1);
        let one = one.connect_with(options).await.map_err(said)?;
        while !lock(&one).await.map_err(said)? {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let migrated = migrator().run(&one).await;
        one.close().await;
        match migrated {
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                Err(said(error))
            }
            other => other.map_err(|error| Error::unexpected(DOING, error)),
        }
    }

    /// Waits until the tables have all that this version needs, for ever if nobody brings them there.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn wait_for_tables(&self) -> Result<()> {
        let mut looks = 0;
        while !self.has_tables().await? {
            if looks % SAY_EVERY == 0 {
                tracing::warn!(
                    "the database is of an older version: `storyteller migrate` brings it to this one"
                );
            }
            looks += 1;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Whether the tables have all that this version needs.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn has_tables(&self) -> Result<bool> {
        let said = |error| failed("see which version the tables have", error);
        let tables = tables(&self.database).await.map_err(said)?;
        Ok(matches!(tables, Tables::Fit { .. }))
    }
}

/// How the tables of a database stand to what this version needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// There are none of ours.
    None,
    /// Some of what this version needs is not there yet.
    Behind {
        /// How many migrations are still to be taken.
        missing: usize,
    },
    /// All that this version needs is there.
    Fit {
        /// Whether there is more, which a newer version has made.
        newer: bool,
    },
}

pub(super) async fn tables(one: impl PgExecutor<'_>) -> sqlx::Result<Tables> {
    // not checked when this is built, because the table is the migrator's own
    let taken = sqlx::query_scalar::<_, i64>("select version from _sqlx_migrations where success");
    let taken: BTreeSet<i64> = match taken.fetch_all(one).await {
        Ok(taken) => taken.into_iter().collect(),
        Err(sqlx::Error::Database(said)) if said.code().as_deref() == Some(NO_TABLE) => {
            return Ok(Tables::None);
        }
        Err(error) => return Err(error),
    };
    let own: BTreeSet<i64> = migrator().iter().map(|own| own.version).collect();
    Ok(match own.difference(&taken).count() {
        0 => Tables::Fit {
            newer: !taken.is_subset(&own),
        },
        missing if missing == own.len() => Tables::None,
        missing => Tables::Behind { missing },
    })
}

async fn lock(one: &PgPool) -> std::result::Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "mine!""#, MIGRATING)
        .fetch_one(one)
        .await
}
