//! What a database says of itself to whoever wonders why the service does not run: `storyteller doctor`.
//! One connection and no pool: a pool tries again and again and then says only that it was in vain. What must stay true: nothing
//! is changed, it ends within its time, and what it answers with holds no password.

use std::str::FromStr as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::migrating::{Tables, tables};
use super::row::{DATABASE, failed};
use crate::error::{Error, Result};

/// A server that answers at all does so in milliseconds.
const PATIENCE: Duration = Duration::from_secs(8);
const DOING: &str = "look at it";

/// What was seen.
#[derive(Clone, Debug)]
pub struct Look {
    /// Which database of which server, without a password.
    pub place: String,
    /// Such as `15.14`.
    pub version: String,
    /// Such as 15.
    pub major: i32,
    /// Whether what is said to it is encrypted on the way.
    pub encrypted: bool,
    /// Whether it is on this machine.
    pub here: bool,
    /// By how much its clock is ahead of this machine's.
    pub ahead: TimeDelta,
    /// How the tables stand.
    pub tables: Tables,
    /// The id that the database was given when its tables were made.
    pub deployment: Option<Uuid>,
    /// How many connections it has.
    pub connections: i64,
    /// How many it takes.
    pub most_connections: i64,
}

/// Looks at the database at `url`.
///
/// # Errors
/// `Unavailable` if nobody answers in time, `Unexpected` if the address cannot be read or the server refuses.
pub async fn look(url: &str) -> Result<Look> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| failed("read the address of the database", error))?
        .application_name("storyteller");
    let late = |late: tokio::time::error::Elapsed| Error::Unavailable {
        place: DATABASE,
        doing: DOING,
        cause: late.into(),
    };
    let looked = tokio::time::timeout(PATIENCE, look_at(&options)).await;
    looked.map_err(late)?.map_err(|error| failed(DOING, error))
}

async fn look_at(options: &PgConnectOptions) -> sqlx::Result<Look> {
    let mut one = options.connect().await?;
    let before = Utc::now();
    let said = sqlx::query!(
        r#"select current_setting('server_version') as "version!",
            current_setting('server_version_num')::int / 10000 as "major!",
            coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as "encrypted!",
            clock_timestamp() as "clock!",
            (select count(*) from pg_stat_activity where backend_type = 'client backend') as "connections!",
            current_setting('max_connections')::bigint as "most!""#
    )
    .fetch_one(&mut one)
    .await?;
    let ahead = ahead(said.clock, before, Utc::now());
    let tables = tables(&mut one).await?;
    let deployment = match tables {
        Tables::Fit { .. } => deployment(&mut one).await?,
        _ => None,
    };
    // what it says as it goes is of no interest
    let _ = one.close().await;
    Ok(Look {
        place: place(options),
        version: said.version,
        major: said.major,
        encrypted: said.encrypted,
        here: is_here(options),
        ahead,
        tables,
        deployment,
        connections: said.connections,
        most_connections: said.most,
    })
}

async fn deployment(one: &mut PgConnection) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("select id from deployment")
        .fetch_optional(one)
        .await
}

/// The server looked at its clock somewhere between two looks at ours: what lies between them is no difference.
fn ahead(theirs: DateTime<Utc>, before: DateTime<Utc>, after: DateTime<Utc>) -> TimeDelta {
    if theirs < before {
        theirs - before
    } else if theirs > after {
        theirs - after
    } else {
        TimeDelta::zero()
    }
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("its default database");
    match options.get_socket() {
        Some(folder) => format!("{database} at {}", folder.display()),
        None => format!(
            "{database} at {}:{}",
            options.get_host(),
            options.get_port()
        ),
    }
}

fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let loopback = host
        .trim_matches(['[', ']'])
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    options.get_socket().is_some() || host.starts_with('/') || host == "localhost" || loopback
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_time_that_asking_takes_is_no_difference_of_clocks() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert_eq!(ahead(at(11), at(10), at(12)), TimeDelta::zero());
        assert_eq!(ahead(at(70), at(10), at(12)).num_seconds(), 58);
        assert_eq!(ahead(at(4), at(10), at(12)).num_seconds(), -6);
    }

    #[test]
    fn a_place_is_named_without_its_password() {
        let named = |url: &str| {
            let options = PgConnectOptions::from_str(url).unwrap();
            (place(&options), is_here(&options))
        };
        let away = "postgres://me:secret@db.example:6543/stories";
        assert_eq!(
            named(away),
            ("stories at db.example:6543".to_owned(), false)
        );
        assert!(named("postgres://me:secret@127.0.0.1/stories").1);
        assert!(named("postgres://me:secret@[::1]/stories").1);
        assert!(named("postgres:///stories?host=/run/postgresql&user=me").1);
    }
}
