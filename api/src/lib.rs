#![doc = include_str!("../README.md")]

mod access;
mod admission;
mod allowance;
mod batches;
mod callers;
mod connections;
mod cookies;
mod cors;
mod deliveries;
mod docs;
pub mod error;
mod etag;
mod events;
mod explain;
mod feed;
mod fields;
mod form;
mod gallery;
pub mod health;
mod image;
mod keeping;
mod known;
mod limits;
mod nearest;
mod openapi;
mod origin;
mod page;
mod paging;
pub mod problems;
pub mod reading;
mod repeated;
mod requests;
mod reuse;
mod routes;
mod seen;
mod service;
mod session;
mod sites;
mod source;
mod stories;
mod styles;
mod submit;
mod uploads;
pub mod view;
mod wait;
mod waits;

use std::future::ready;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{ServiceFactoryExt as _, map_config};
use actix_web::dev::{AppConfig, Server, fn_service};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, middleware};
use tokio_util::sync::CancellationToken;

pub use allowance::Allowance;
use connections::Connection;
pub use error::Error;
use feed::Feed;
pub use known::Access as AccessOptions;
use known::Known;
pub use limits::Limits;
use limits::Turns;
use repeated::Running;
use service::Service;
pub use service::{ApiState, Config};
pub use sites::Hosts;
use waits::Waits;

/// Connections that are still busy after so many seconds of a stop are cut; waits end at once, so few are.
const STOP_PATIENCE: u64 = 10;
/// Who has not read all of his answer, or has not sent all of his body, has so long when the connection is to end.
const PARTING: Duration = Duration::from_secs(1);
/// Threads that answer; the work is in the database and on the blocking pool.
const ANSWERERS: usize = 2;

/// Serves on `listener` until `shutdown`: then it is not ready, and after the wait of the configuration no new connections
/// are taken, waits are answered at once and requests under way are finished.
///
/// # Errors
/// [`Error::Open`] when others can reach it and there is no key to ask for, [`Error::Socket`] when the socket cannot be served.
pub async fn run(
    config: Config,
    state: ApiState,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let address = listener.local_addr()?;
    config
        .access
        .check(address, state.store.has_keys().await?)?;
    let closing = CancellationToken::new();
    let stop_wait = config.stop_wait;
    let feed = Feed::new(state.store.clone());
    let news = tokio::spawn(feed.clone().run(closing.clone()));
    let service = Data::new(Service {
        turns: Turns::new(&config.limits),
        waits: Waits::new(config.limits.max_waits),
        running: Running::default(),
        known: Known::new(&config.access),
        config,
        state,
        feed,
        stopping: shutdown.clone(),
        shutdown: closing.clone(),
    });
    let server = server(&service, listener)?;
    let handle = server.handle();
    let stopper = tokio::spawn(async move {
        shutdown.cancelled().await;
        tracing::info!(wait = ?stop_wait, "not ready any more; the listener closes after the wait");
        tokio::time::sleep(stop_wait).await;
        closing.cancel();
        handle.stop(true).await;
    });
    let served = server.await;
    stopper.abort();
    news.abort();
    Ok(served?)
}

/// What actix's own `HttpServer` puts together, on our connections.
fn server(service: &Data<Service>, listener: TcpListener) -> std::io::Result<Server> {
    let Config {
        keep_alive,
        head_patience,
        answer_patience,
        ..
    } = service.config;
    let connections = service.config.limits.max_connections;
    let hosts = Data::new(service.config.hosts.clone());
    let service = service.clone();
    let builder = Server::build()
        .workers(ANSWERERS)
        // the limit is each worker's own
        .max_concurrent_connections(connections.div_ceil(ANSWERERS))
        .shutdown_timeout(STOP_PATIENCE)
        .disable_signals();
    let draining = builder.graceful_shutdown_signal();
    let factory = move || {
        let app = App::new()
            .app_data(service.clone())
            .app_data(hosts.clone())
            .wrap(middleware::from_fn(callers::around))
            .wrap(middleware::Compress::default())
            .wrap(cors::around(&service.config.hosts.cors_origin))
            .wrap(middleware::from_fn(requests::around))
            .configure(routes::all);
        let draining = draining.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(head_patience)
            .client_disconnect_timeout(PARTING)
            .on_connect_ext(Connection::note)
            .h1(map_config(app, |_| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let from = stream.peer_addr().ok();
            ready(Ok((
                Connection::new(stream, keep_alive + head_patience, answer_patience),
                from,
            )))
        })
        .and_then(http)
    };
    Ok(builder.listen("api", listener, factory)?.run())
}
