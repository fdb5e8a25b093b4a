//! The program `worker`: one worker of the distributed service, on a Postgres that others use as well.
//! `storyteller serve` has a worker inside and does not need it. What must stay true: a signal drains, a second one
//! ends at once, and either way no job is lost.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};
use jobs::{QueueOptions, RuleOptions, Store};
use operation::logging::SERVICE;
use operation::signals::{drain_on_signal, end_with};
use operation::{Health, Logging, Status, status};
use outbound::FetchOptions;
use outbound::WebhookOptions;
use pictures::ImageOptions;
use tokio_util::sync::CancellationToken;
use worker::dispatcher::{ChoreOptions, Chores};
use worker::{Backends, Config, Dispatcher, EngineFactory, Sending, WorkOptions, dispatcher};

/// Tells the stories of the jobs in a Postgres database.
#[derive(Debug, Parser)]
#[command(version, subcommand_negates_reqs = true)]
struct Settings {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// Logging.
    #[command(flatten)]
    logging: Logging,
    /// The database that holds the jobs.
    #[arg(
        long,
        env = "DATABASE_URL",
        value_name = "URL",
        hide_env_values = true,
        required = true
    )]
    database_url: Option<String>,
    /// Where pictures are, the same as the API's.
    #[command(flatten)]
    images: ImageOptions,
    /// Where jobs are heard of, the same as the API's.
    #[command(flatten)]
    queue: QueueOptions,
    /// How webhooks are signed; without a secret this process sends none.
    #[command(flatten)]
    webhooks: WebhookOptions,
    /// Whom webhooks may reach.
    #[command(flatten)]
    fetch: FetchOptions,
    /// How jobs live.
    #[command(flatten)]
    rules: RuleOptions,
    /// Where callers reach the API, such as https://stories.example: what webhooks name.
    #[arg(long, env = "STORYTELLER_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// What is done now and then.
    #[command(flatten)]
    chores: ChoreOptions,
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
    /// How it works.
    #[command(flatten)]
    work: WorkOptions,
    /// Answer `/livez`, `/readyz` and `/metrics` here [default: nowhere].
    #[arg(long, env = "STORYTELLER_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// This worker's name in the log of attempts [default: worker- and the process id, in a container its host name].
    #[arg(long, env = "STORYTELLER_WORKER_NAME", value_name = "NAME")]
    name: Option<String>,
}

/// What the program does instead of working.
#[derive(Debug, Subcommand)]
enum Instead {
    /// Ask the worker or dispatcher of this machine whether it is ready, for health checks: exit code 0 if it is.
    Health {
        /// Where it listens.
        #[arg(long, env = "STORYTELLER_LISTEN", value_name = "ADDRESS")]
        listen: SocketAddr,
    },
    /// Make what can be made again in the cache (caption vectors), so that workers start in seconds.
    Prepare,
}

fn main() -> anyhow::Result<ExitCode> {
    // before any thread exists: the allocator's settings hold for the whole process
    models::tensors::device::keep_large_blocks();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(begin()).or_else(|error| {
        let _ = writeln!(std::io::stderr(), "Error: {error:#}");
        end_with(1)
    })
}

async fn begin() -> anyhow::Result<ExitCode> {
    let settings = Settings::parse();
    settings.logging.start(SERVICE);
    match settings.instead {
        Some(Instead::Health { listen }) => {
            let (ready, words) = operation::health::ask(listen).await?;
            writeln!(std::io::stdout(), "{words}")?;
            return Ok(ExitCode::from(u8::from(!ready)));
        }
        // loading them makes what is missing
        Some(Instead::Prepare) => drop(factory(&settings)?().map_err(anyhow::Error::msg)?),
        None => match work(settings).await {
            Err(error) if is_hung(&error) => {
                tracing::error!(%error, "this process ends");
                end_with(worker::HUNG);
            }
            worked => {
                operation::traces::flush();
                worked?;
                // a story that outlasted the drain is still being computed; it has been given back
                end_with(0);
            }
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a thread of this process is stuck, so that it cannot end as usual.
fn is_hung(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<worker::Error>();
    matches!(cause, Some(worker::Error::Hung { .. }))
}

async fn work(settings: Settings) -> anyhow::Result<()> {
    let database = settings.database_url.as_deref();
    let database = database.context("--database-url is missing")?;
    let store = Store::connect(database, settings.rules.rules()).await?;
    store.wait_for_tables().await?;
    let backends = Backends {
        queue: settings.queue.open(store.clone(), prefetch(&settings)),
        store,
        images: settings.images.open(None).await.context("the pictures")?,
        health: Health::new(),
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(drain_on_signal(shutdown.clone()));
    let answering = answering(&settings, &backends, &shutdown)?;
    let working = tell_and_send(settings, backends, shutdown);
    tokio::select! {
        worked = working => worked,
        answered = answering => {
            answered.context("health and metrics")?;
            bail!("the listener for health and metrics ended by itself")
        }
    }
}

async fn tell_and_send(
    settings: Settings,
    backends: Backends,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let dispatching = dispatching(&settings, &backends, &shutdown)?;
    if settings.dispatch_only {
        dispatching.await;
        return Ok(());
    }
    let factory = factory(&settings)?;
    let worked = async {
        let worked = worker::run(config(settings), backends, factory, shutdown.clone()).await;
        // a worker that cannot work ends, and is started again by whoever watches it
        shutdown.cancel();
        worked
    };
    let (worked, ()) = tokio::join!(worked, dispatching);
    Ok(worked?)
}

fn factory(settings: &Settings) -> anyhow::Result<EngineFactory> {
    Ok(worker::engine::storyteller::factory(
        settings.bundle.clone(),
        settings.cache.clone().context("--cache is missing")?,
        settings.device.clone(),
    ))
}

/// The listener for health and metrics, open at once; without an address it waits for nothing, for ever.
fn answering(
    settings: &Settings,
    backends: &Backends,
    shutdown: &CancellationToken,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let bind =
        |address| TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"));
    let listener = settings.listen.map(bind).transpose()?;
    let status = Status {
        store: backends.store.clone(),
        health: backends.health.clone(),
        shutdown: shutdown.clone(),
    };
    Ok(async move {
        match listener {
            Some(listener) => Ok(status::run(status, listener).await?),
            None => std::future::pending().await,
        }
    })
}

/// One running batch and one prepared one; who only sends webhooks is delivered no jobs.
fn prefetch(settings: &Settings) -> u16 {
    if settings.dispatch_only {
        return 0;
    }
    settings.work.prefetch()
}

/// The dispatcher beside the worker, or alone; if there is no secret to sign with, only its chores.
fn dispatching(
    settings: &Settings,
    backends: &Backends,
    shutdown: &CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let secrets = settings.webhooks.webhook_secret.clone();
    if secrets.is_none() && settings.dispatch_only {
        bail!("there is nothing to sign webhooks with: set STORYTELLER_WEBHOOK_SECRET");
    }
    let client = settings.fetch.client()?;
    let (backends, shutdown) = (backends.clone(), shutdown.clone());
    let chores = Chores::new(
        backends.store.clone(),
        backends.images.clone(),
        settings.chores.clone(),
    );
    let sending = secrets.map(|secrets| Sending {
        public_url: settings.public_url.clone(),
        ..Sending::new(secrets, client)
    });
    if sending.is_none() {
        tracing::info!("no webhooks are sent from here: there is no STORYTELLER_WEBHOOK_SECRET");
    }
    let dispatcher = sending.map(|sending| Dispatcher::new(sending, backends.store));
    Ok(dispatcher::run(
        dispatcher,
        chores,
        backends.health,
        shutdown,
    ))
}

fn config(settings: Settings) -> Config {
    let config = settings.work.config();
    // in containers every process has the number 1, and the machine's name tells them apart
    let in_container = || {
        std::env::var("HOSTNAME")
            .ok()
            .filter(|_| std::process::id() == 1)
    };
    let name = settings
        .name
        .or_else(|| in_container().map(|host| format!("worker-{host}")));
    match name {
        Some(name) => Config { name, ..config },
        None => config,
    }
}
