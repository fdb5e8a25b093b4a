//! The program `worker`: one worker of the distributed service, on a Postgres that others use as well.
//! `storyteller serve` has a worker inside and does not need it. What must stay true: a signal drains, a second one
//! ends at once, and either way no job is lost.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use jobs::{Directory, Health, PostgresQueue, Rules, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use worker::{Config, Places};

/// Tells the stories of the jobs in a Postgres database.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// The database that holds the jobs.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: String,
    /// The folder of the pictures, the same as the API's.
    #[arg(long, env = "STORYTELLER_PICTURES", value_name = "DIR")]
    pictures: PathBuf,
    /// The bundle of weights to tell with.
    #[arg(
        long,
        env = "STORYTELLER_BUNDLE",
        value_name = "DIR",
        default_value = "models/bundles/starter"
    )]
    bundle: PathBuf,
    /// Where what can be made again is kept (image encoder, caption vectors).
    #[arg(long, env = "STORYTELLER_CACHE", value_name = "DIR")]
    cache: PathBuf,
    /// Where to compute: cpu, cuda, cuda:N, or auto for a GPU if there is one.
    #[arg(
        long,
        env = "STORYTELLER_DEVICE",
        value_name = "DEVICE",
        default_value = "auto"
    )]
    device: String,
    /// How many stories are told together at most.
    #[arg(
        long,
        env = "STORYTELLER_MAX_BATCH",
        value_name = "N",
        default_value_t = 8
    )]
    max_batch: usize,
    /// How many seconds a stop waits for running stories before it leaves them to other workers.
    #[arg(
        long,
        env = "STORYTELLER_DRAIN_SECONDS",
        value_name = "S",
        default_value_t = 60
    )]
    drain_seconds: u64,
    /// This worker's name in the log of attempts [default: worker- and the process id].
    #[arg(long, env = "STORYTELLER_WORKER_NAME", value_name = "NAME")]
    name: Option<String>,
}

fn main() -> anyhow::Result<()> {
    // before any thread exists: the allocator's settings hold for the whole process
    models::device::keep_large_blocks();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work())
}

async fn work() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let settings = Settings::parse();
    let store = Store::connect(&settings.database_url, Rules::default()).await?;
    store.migrate().await?;
    let places = Places {
        queue: Arc::new(PostgresQueue::new(store.clone())),
        store,
        images: Arc::new(
            Directory::open(&settings.pictures).context("the folder of the pictures")?,
        ),
        health: Health::new(),
    };
    let factory = worker::engine::storyteller::factory(
        settings.bundle.clone(),
        settings.cache.clone(),
        settings.device.clone(),
    );
    let shutdown = CancellationToken::new();
    tokio::spawn(listen(shutdown.clone()));
    worker::run(config(settings), places, factory, shutdown).await?;
    Ok(())
}

fn config(settings: Settings) -> Config {
    let config = Config {
        drain: Duration::from_secs(settings.drain_seconds),
        ..Config::with_max_batch(settings.max_batch)
    };
    match settings.name {
        Some(name) => Config { name, ..config },
        None => config,
    }
}

/// Drains at the first signal; ends the process at the second.
async fn listen(shutdown: CancellationToken) {
    stop_signal().await;
    tracing::info!("stopping: the running batch is finished, the rest is given back");
    shutdown.cancel();
    stop_signal().await;
    tracing::warn!("stopped at once by a second signal; other workers take over within seconds");
    std::process::exit(130);
}

/// Waits for Ctrl-C or SIGTERM.
async fn stop_signal() {
    let mut terminate = signal(SignalKind::terminate())
        .expect("the runtime handles signals: it was built with all drivers");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
