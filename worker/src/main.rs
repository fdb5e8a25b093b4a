//! The program `worker`: one worker of the distributed service, on a Postgres that others use as well.
//! `storyteller serve` has a worker inside and does not need it. What must stay true: a signal drains, a second one
//! ends at once, and either way no job is lost.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use jobs::fetch::FetchOptions;
use jobs::webhook::WebhookOptions;
use jobs::{Health, ImageOptions, QueueOptions, Rules, Store};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use worker::{Config, Dispatcher, Places, Sending, dispatcher};

/// Tells the stories of the jobs in a Postgres database.
#[derive(Debug, Parser)]
#[command(version)]
struct Settings {
    /// The database that holds the jobs.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: String,
    /// Where pictures are, the same as the API's.
    #[command(flatten)]
    images: ImageOptions,
    /// Who rings for jobs, the same as the API's.
    #[command(flatten)]
    queue: QueueOptions,
    /// How webhooks are signed; without a secret this process sends none.
    #[command(flatten)]
    webhooks: WebhookOptions,
    /// Whom webhooks may reach.
    #[command(flatten)]
    fetch: FetchOptions,
    /// Only send webhooks and do chores; tell no stories.
    #[arg(long)]
    dispatch_only: bool,
    /// The bundle of weights to tell with.
    #[arg(
        long,
        env = "STORYTELLER_BUNDLE",
        value_name = "DIR",
        default_value = "models/bundles/starter"
    )]
    bundle: PathBuf,
    /// Where what can be made again is kept (image encoder, caption vectors).
    #[arg(
        long,
        env = "STORYTELLER_CACHE",
        value_name = "DIR",
        required_unless_present = "dispatch_only"
    )]
    cache: Option<PathBuf>,
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
        queue: settings.queue.open(store.clone(), prefetch(&settings)),
        store,
        images: settings.images.open(None).context("the pictures")?,
        health: Health::new(),
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(listen(shutdown.clone()));
    let dispatching = dispatching(&settings, &places, &shutdown)?;
    if settings.dispatch_only {
        dispatching.await;
        return Ok(());
    }
    let factory = worker::engine::storyteller::factory(
        settings.bundle.clone(),
        settings.cache.clone().context("--cache is missing")?,
        settings.device.clone(),
    );
    let worked = async {
        let worked = worker::run(config(settings), places, factory, shutdown.clone()).await;
        // a worker that cannot work ends, and is started again by whoever watches it
        shutdown.cancel();
        worked
    };
    let (worked, ()) = tokio::join!(worked, dispatching);
    Ok(worked?)
}

/// One running batch and one prepared one; who only sends webhooks is delivered no jobs.
fn prefetch(settings: &Settings) -> u16 {
    if settings.dispatch_only {
        return 0;
    }
    u16::try_from(2 * settings.max_batch).unwrap_or(u16::MAX)
}

/// The dispatcher beside the worker, or alone; nothing at all if there is no secret to sign with.
fn dispatching(
    settings: &Settings,
    places: &Places,
    shutdown: &CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let secrets = settings.webhooks.webhook_secret.clone();
    if secrets.is_none() && settings.dispatch_only {
        bail!("there is nothing to sign webhooks with: set STORYTELLER_WEBHOOK_SECRET");
    }
    let client = settings.fetch.client()?;
    let (places, shutdown) = (places.clone(), shutdown.clone());
    Ok(async move {
        match secrets.map(|secrets| Sending::new(secrets, client)) {
            Some(sending) => {
                let dispatcher = Dispatcher::new(sending, places.store);
                dispatcher::run(dispatcher, places.images, places.health, shutdown).await;
            }
            None => tracing::info!(
                "no webhooks are sent from here: there is no STORYTELLER_WEBHOOK_SECRET"
            ),
        }
    })
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
