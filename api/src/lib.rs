//! The HTTP service: takes pictures, shows stories, says what is wrong, and serves the page.
//! `storyteller serve` runs it beside a worker, the `api` program alone. What must stay true: it reaches jobs and
//! pictures only through the `jobs` crate, never loads a network, and an accepted story is never lost by it.

mod deliveries;
pub mod error;
mod etag;
mod fields;
mod form;
pub mod health;
mod nearest;
mod openapi;
mod page;
pub mod problems;
mod requests;
mod routes;
mod sites;
mod source;
mod stories;
mod styles;
mod submit;
pub mod view;
mod wait;

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{App, HttpServer, middleware};
use jobs::{Queue, Store};
use operation::Health;
use outbound::Client;
use pictures::Caps;
use pictures::Images;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use error::Error;
pub use sites::Hosts;

/// Connections that are still busy after so many seconds of a stop are cut; waits end at once, so few are.
const STOP_PATIENCE: u64 = 10;
/// Pictures decoded at the same time: each may need 200 MB for a moment.
const DECODERS: usize = 4;
/// Pictures fetched for callers at the same time: each may take 20 s and 20 MiB.
const FETCHERS: usize = 8;
/// Threads that answer; the work is in the database and on the blocking pool.
const ANSWERERS: usize = 2;

/// What the service allows.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The largest picture.
    pub caps: Caps,
    /// The names under which the service may be asked.
    pub hosts: Hosts,
}

/// What the service stands on.
#[derive(Clone)]
pub struct ApiState {
    /// The jobs.
    pub store: Store,
    /// The workers' doorbell.
    pub queue: Arc<dyn Queue>,
    /// The pictures.
    pub images: Arc<dyn Images>,
    /// Fetches what callers name, and knows whom webhooks may reach.
    pub fetch: Client,
    /// What the other parts of this process say about themselves.
    pub health: Health,
}

/// Everything a handler may need.
pub(crate) struct Service {
    config: Config,
    state: ApiState,
    shutdown: CancellationToken,
    decoding: Semaphore,
    fetching: Semaphore,
}

/// Serves on `listener` until `shutdown`: then no new connections are taken, waits are answered at once and
/// requests under way are finished.
///
/// # Errors
/// [`Error::Socket`] when the socket cannot be served.
pub async fn run(
    config: Config,
    state: ApiState,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let service = Data::new(Service {
        config,
        state,
        shutdown: shutdown.clone(),
        decoding: Semaphore::new(DECODERS),
        fetching: Semaphore::new(FETCHERS),
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(service.clone())
            .wrap(middleware::from_fn(requests::around))
            .configure(routes::all)
    })
    .on_connect(sites::note_address)
    .workers(ANSWERERS)
    .shutdown_timeout(STOP_PATIENCE)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    let stopper = tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.stop(true).await;
    });
    let served = server.await;
    stopper.abort();
    Ok(served?)
}
