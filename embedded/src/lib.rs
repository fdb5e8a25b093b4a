#![doc = include_str!("../README.md")]

mod error;
mod place;
mod programs;
mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use error::{Error, Result};
pub use programs::find_programs;

use place::Place;
use programs::Programs;
use server::{Running, Server};

/// Before a Postgres that ended by itself is started again: its memory has to be given back first.
const REST: Duration = Duration::from_secs(1);

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

/// A running Postgres, started again if it ends by itself. [`EmbeddedPostgres::stop`] ends it and waits for that;
/// dropping it ends it in the background, and so does the death of this process.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    address: PgConnectOptions,
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<Result<()>>,
}

impl EmbeddedPostgres {
    /// Makes the database if there is none, ends what a killed service left running, and starts the server.
    /// Returns once it answers. Lives no longer than the tokio runtime it is called on.
    ///
    /// # Errors
    /// `NoPostgres`, `DataInUse`, `OtherVersion`, `Postgres` or `Disk`.
    pub async fn start(settings: Settings) -> Result<Self> {
        let server = tokio::task::spawn_blocking(move || prepare(&settings))
            .await
            .map_err(|panic| Error::unexpected("prepare the database", panic))??;
        let (address, socket) = (server.address().clone(), server.socket());
        let running = server.start().await?;
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(keep(server, running, stopped));
        Ok(EmbeddedPostgres {
            address,
            socket,
            stop,
            keeper,
        })
    }

    /// The address of the server that a running service has on this data folder, password included; none if none answers.
    ///
    /// # Errors
    /// `Disk`.
    pub async fn running(data: &Path) -> Result<Option<String>> {
        let Some((password, sockets)) = place::seen_from_outside(data)? else {
            return Ok(None);
        };
        let address = server::address_in(&sockets).password(&password);
        let Ok(connection) = address.connect().await else {
            return Ok(None);
        };
        // what it says as it goes is of no interest
        let _ = connection.close().await;
        Ok(Some(address.to_url_lossy().to_string()))
    }

    /// The address for whoever connects, password included.
    pub fn url(&self) -> String {
        self.address.to_url_lossy().to_string()
    }

    /// The socket it listens on.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Ends the server in order: open transactions are rolled back, everything committed is on the disk.
    ///
    /// # Errors
    /// `Postgres` if it had to be killed.
    pub async fn stop(self) -> Result<()> {
        // if nobody listens the keeper has ended, and says why
        let _ = self.stop.send(());
        self.keeper
            .await
            .map_err(|panic| Error::unexpected("stop the database", panic))?
    }
}

fn prepare(settings: &Settings) -> Result<Server> {
    let place = Place::open(&settings.data)?;
    let version = place.version()?;
    let programs = Programs::find(
        settings.programs.as_deref(),
        &settings.cache,
        version.as_deref(),
    )?;
    if let Some(found) = version.filter(|version| *version != programs.major) {
        return Err(Error::OtherVersion {
            folder: place.cluster(),
            found,
            programs: programs.folder,
            have: programs.major,
        });
    }
    let mut server = Server::new(place, programs)?;
    server.end_orphan()?;
    server.make_database()?;
    Ok(server)
}

/// Waits for the wish to stop, and starts a server that ended without one again.
async fn keep(
    server: Server,
    mut running: Running,
    mut stopped: oneshot::Receiver<()>,
) -> Result<()> {
    loop {
        tokio::select! {
            _ = &mut stopped => return server.stop(running).await,
            status = running.ended() => tracing::error!(?status, "Postgres ended by itself and is started again"),
        }
        running.dismiss_guardian().await;
        running = loop {
            if tokio::time::timeout(REST, &mut stopped).await.is_ok() {
                return Ok(());
            }
            match server.start().await {
                Ok(running) => break running,
                Err(error) => tracing::error!(%error, "Postgres does not start again yet"),
            }
        };
    }
}
