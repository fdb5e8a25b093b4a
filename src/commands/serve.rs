//! `storyteller serve`: API, worker and database in one process, on this machine only.
//! Ctrl-C (or SIGTERM) drains: the running stories are finished, the rest stays queued for the next start.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use operation::signals::{drain_on_signal, end_with};
use outbound::FetchOptions;
use outbound::WebhookOptions;
use storyteller::AllInOne;
use tokio_util::sync::CancellationToken;

use crate::commands::place::{Locations, Weights};
use crate::commands::runtime::block_on;

/// What `serve` takes.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(
        long,
        env = "STORYTELLER_LISTEN",
        default_value = "127.0.0.1:7878",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// What the service runs on.
    #[command(flatten)]
    service: ServiceOptions,
}

/// What the service runs on.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServiceOptions {
    /// Where weights are.
    #[command(flatten)]
    weights: Weights,
    /// What keeps its data.
    #[command(flatten)]
    places: Locations,
    /// How webhooks are signed [default: with a secret kept with the data].
    #[command(flatten)]
    webhooks: WebhookOptions,
    /// Whom webhooks and `image_url` may reach.
    #[command(flatten)]
    fetch: FetchOptions,
    /// How stories are told.
    #[command(flatten)]
    work: worker::WorkOptions,
    /// The names under which it may be asked.
    #[command(flatten)]
    hosts: api::Hosts,
    /// Whom it asks for a key.
    #[command(flatten)]
    access: api::AccessOptions,
    /// How much is done at once.
    #[command(flatten)]
    limits: api::Limits,
    /// For how many seconds a stop only says that it is not ready, before connections are refused.
    #[arg(
        long,
        env = "STORYTELLER_STOP_WAIT_SECONDS",
        value_name = "S",
        default_value_t = 0
    )]
    stop_wait_seconds: u64,
    /// How jobs live.
    #[command(flatten)]
    rules: jobs::RuleOptions,
    /// Where callers reach the service, such as https://stories.example: what webhooks name [default: where it listens].
    #[arg(long, env = "STORYTELLER_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// What is done now and then.
    #[command(flatten)]
    chores: worker::dispatcher::ChoreOptions,
}

impl ServiceOptions {
    /// Where the service keeps what is its own.
    ///
    /// # Errors
    /// When neither the flag nor `HOME` says where.
    pub(crate) fn data_folder(&self) -> anyhow::Result<PathBuf> {
        self.places.data.folder()
    }

    /// The service, ready to be awaited; it ends when `shutdown` is cancelled and all is drained.
    ///
    /// # Errors
    /// When bundle, cache or data folder cannot be found.
    pub(crate) fn start(
        &self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> anyhow::Result<impl Future<Output = Result<(), storyteller::Error>> + Send + use<>> {
        let bundle = self.weights.bundle()?;
        let cache = self.weights.cache()?;
        originals::fetched::prepare(&bundle, &cache)?;
        let listens = format!("http://{}", listener.local_addr()?);
        let public_url = self.public_url.clone().unwrap_or(listens);
        let told_by = worker::engine::storyteller::catalogue(&bundle)?;
        let service = AllInOne {
            bundle: Some(told_by),
            data: self.places.data.folder()?,
            cache: cache.clone(),
            database_url: self.places.database_url.clone(),
            postgres_bin: self.places.postgres_bin.clone(),
            queue: self.places.queue.clone(),
            images: self.places.images.clone(),
            webhooks: self.webhooks.clone(),
            fetch: self.fetch.clone(),
            work: self.work.clone(),
            api: api::Config {
                hosts: self.hosts.clone(),
                access: self.access.clone(),
                limits: self.limits.clone(),
                stop_wait: Duration::from_secs(self.stop_wait_seconds),
                ..api::Config::default()
            },
            rules: self.rules.clone(),
            public_url: Some(public_url),
            chores: self.chores.clone(),
        };
        let engine =
            worker::engine::storyteller::factory(bundle, cache, self.weights.device.clone());
        Ok(storyteller::all_in_one(service, engine, listener, shutdown))
    }
}

impl Serve {
    /// Serves until a signal asks it to stop.
    ///
    /// # Errors
    /// When the port is taken, a part does not start, or a part fails while running.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let listener = TcpListener::bind(self.listen).with_context(|| {
            format!(
                "cannot listen on {}: choose another with --listen",
                self.listen
            )
        })?;
        announce(listener.local_addr()?)?;
        block_on(async {
            let shutdown = CancellationToken::new();
            let service = self.service.start(listener, shutdown.clone())?;
            tokio::spawn(drain_on_signal(shutdown));
            match service.await {
                Err(error @ storyteller::Error::Worker(worker::Error::Hung { .. })) => {
                    tracing::error!(%error, "this process ends");
                    end_with(worker::HUNG);
                }
                served => served?,
            }
            operation::traces::flush();
            // a story that outlasted the drain is still being computed; it has been given back
            end_with(0)
        })
    }
}

fn announce(address: SocketAddr) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "The page is at http://{address} · stop with Ctrl-C")?;
    out.flush()
}
