//! The whole service in one process: API and worker over an embedded Postgres and a directory of pictures.
//! `storyteller serve` and the system tests call [`all_in_one`]; whoever calls it brings the socket, the engine
//! and the stop signal. What must stay true: it ends only when every part has ended, and Postgres ends last.

pub mod client;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use api::ApiState;
use embedded::{EmbeddedPostgres, Settings};
use jobs::{Queue, QueueOptions, RuleOptions, Store, StyleEntry};
use operation::Health;
use outbound::{Client, FetchOptions, Secrets, WebhookOptions};
use pictures::{ImageOptions, Images};
use tokio_util::sync::CancellationToken;
use worker::dispatcher::{ChoreOptions, Chores};
use worker::{Backends, Dispatcher, EngineFactory, Sending, WorkOptions, dispatcher};

/// What the service in one process runs on.
#[derive(Clone, Debug)]
pub struct AllInOne {
    /// Where pictures and the database are kept.
    pub data: PathBuf,
    /// Where set-up put what it fetched.
    pub cache: PathBuf,
    /// A Postgres to use instead of starting one.
    pub database_url: Option<String>,
    /// The folder of the Postgres programs, if they are not to be looked for.
    pub postgres_bin: Option<PathBuf>,
    /// Where workers hear of jobs, if not from Postgres.
    pub queue: QueueOptions,
    /// Where pictures are kept, if not with the data.
    pub images: ImageOptions,
    /// How webhooks are signed, if not with a secret kept with the data.
    pub webhooks: WebhookOptions,
    /// Whom webhooks and `image_url` may reach.
    pub fetch: FetchOptions,
    /// How stories are told.
    pub work: WorkOptions,
    /// What the HTTP side allows.
    pub api: api::Config,
    /// How jobs live.
    pub rules: RuleOptions,
    /// Where callers reach it: what webhooks name.
    pub public_url: Option<String>,
    /// What is done now and then.
    pub chores: ChoreOptions,
    /// Name and styles of the bundle that will tell, known before its networks are loaded; else what told before this start
    /// counts until then, and a story that an older bundle told may be taken for one of today's.
    pub bundle: Option<(String, Vec<StyleEntry>)>,
}

/// Why the service could not run or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder cannot be used.
    #[error("cannot use the data folder {}: {cause}", folder.display())]
    Data {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The database or the queue could not be reached.
    #[error(transparent)]
    Jobs(#[from] jobs::Error),
    /// The pictures have no place.
    #[error(transparent)]
    Pictures(#[from] pictures::Error),
    /// What reaches out could not be set up.
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    /// Postgres could not be started or stopped.
    #[error(transparent)]
    Embedded(#[from] embedded::Error),
    /// The HTTP side ended with an error.
    #[error("the HTTP service: {0}")]
    Api(#[from] api::Error),
    /// The worker ended with an error.
    #[error("the worker: {0}")]
    Worker(#[from] worker::Error),
}

/// Runs API and worker until `shutdown` is cancelled or one of them fails; then drains both and stops Postgres.
///
/// # Errors
/// When a part does not start, or ends with an error of its own.
pub async fn all_in_one(
    settings: AllInOne,
    engine: EngineFactory,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let data = |cause| Error::Data {
        folder: settings.data.clone(),
        cause,
    };
    std::fs::create_dir_all(&settings.data).map_err(data)?;
    if let Some(url) = &settings.database_url {
        let parts = Parts::open(&settings, url).await?;
        return parts.serve(settings, engine, listener, shutdown).await;
    }
    let postgres = EmbeddedPostgres::start(Settings {
        data: settings.data.clone(),
        cache: settings.cache.clone(),
        programs: settings.postgres_bin.clone(),
    })
    .await?;
    let served = match Parts::open(&settings, &postgres.url()).await {
        Ok(parts) => parts.serve(settings, engine, listener, shutdown).await,
        Err(error) => Err(error),
    };
    postgres.stop().await?;
    served
}

/// What API, worker and dispatcher stand on.
struct Parts {
    store: Store,
    queue: Arc<dyn Queue>,
    images: Arc<dyn Images>,
    fetch: Client,
    secrets: Secrets,
}

impl Parts {
    async fn open(settings: &AllInOne, database: &str) -> Result<Self, Error> {
        let store = Store::connect(database, settings.rules.rules()).await?;
        store.migrate().await?;
        if let Some((bundle, styles)) = &settings.bundle {
            store.register_styles(bundle, styles).await?;
        }
        let prefetch = settings.work.prefetch();
        let folder = settings.data.join("images");
        Ok(Self {
            queue: settings.queue.open(store.clone(), prefetch),
            images: settings.images.open(Some(folder)).await?,
            fetch: settings.fetch.client()?,
            secrets: settings
                .webhooks
                .secrets_or_in(&settings.data.join("webhook.secret"))?,
            store,
        })
    }

    async fn serve(
        self,
        settings: AllInOne,
        engine: EngineFactory,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let Self {
            store,
            queue,
            images,
            fetch,
            secrets,
        } = self;
        let sending = Sending {
            public_url: settings.public_url,
            ..Sending::new(secrets, fetch.clone())
        };
        let health = Health::new();
        let dispatching = dispatcher::run(
            Some(Dispatcher::new(sending, store.clone())),
            Chores::new(store.clone(), Arc::clone(&images), settings.chores),
            health.clone(),
            shutdown.clone(),
        );
        let state = ApiState {
            store: store.clone(),
            queue: Arc::clone(&queue),
            images: Arc::clone(&images),
            fetch,
            health: health.clone(),
        };
        let backends = Backends {
            store: store.clone(),
            queue,
            images,
            health,
        };
        let config = settings.work.config();
        let http = settings.api;
        let api = async {
            let served = api::run(http, state, listener, shutdown.clone()).await;
            shutdown.cancel();
            served.map_err(Error::from)
        };
        let work = async {
            let worked = worker::run(config, backends, engine, shutdown.clone()).await;
            // without its worker the service would take pictures and never tell one
            shutdown.cancel();
            worked.map_err(Error::from)
        };
        let (served, worked, ()) = tokio::join!(api, work, dispatching);
        store.close().await;
        worked.and(served)
    }
}
