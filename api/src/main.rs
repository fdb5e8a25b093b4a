//! The API alone, for a service spread over several machines: workers run elsewhere on the same database.
//! Everything is set by options or the environment (`--help` is the reference). What must stay true: it listens
//! beyond this machine only if it asks callers for keys, or if told in as many words not to.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use api::{AccessOptions, ApiState, Config, Hosts, Limits};
use clap::{Parser, Subcommand};
use jobs::{QueueOptions, RuleOptions, Store};
use operation::keys::KeysCommand;
use operation::logging::SERVICE;
use operation::signals::drain_on_signal;
use operation::{Health, Logging};
use outbound::FetchOptions;
use pictures::ImageOptions;
use tokio_util::sync::CancellationToken;

/// The HTTP service of the storyteller, without workers.
#[derive(Parser, Debug)]
#[command(version, subcommand_negates_reqs = true)]
struct Options {
    #[command(subcommand)]
    question: Option<Question>,
    /// Logging.
    #[command(flatten)]
    logging: Logging,
    /// The Postgres that all parts of the service share.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        required = true
    )]
    database_url: Option<String>,
    /// Where pictures are, the same as the workers'.
    #[command(flatten)]
    images: ImageOptions,
    /// Where workers hear of jobs, the same as the workers'.
    #[command(flatten)]
    queue: QueueOptions,
    /// Whom callers may make this service reach.
    #[command(flatten)]
    fetch: FetchOptions,
    /// Where to listen.
    #[arg(
        long,
        env = "STORYTELLER_LISTEN",
        default_value = "127.0.0.1:7878",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Whom it asks for a key.
    #[command(flatten)]
    access: AccessOptions,
    /// The names under which it may be asked.
    #[command(flatten)]
    hosts: Hosts,
    /// How jobs live.
    #[command(flatten)]
    rules: RuleOptions,
    /// How much is done at once.
    #[command(flatten)]
    limits: Limits,
    /// For how many seconds a stop only says that it is not ready, before connections are refused: longer than whoever
    /// sends requests here needs to notice.
    #[arg(
        long,
        env = "STORYTELLER_STOP_WAIT_SECONDS",
        value_name = "S",
        default_value_t = 5
    )]
    stop_wait_seconds: u64,
}

/// What the program does instead of serving.
#[derive(Subcommand, Debug)]
enum Question {
    /// Ask the service of this machine whether it is ready, for health checks: exit code 0 if it is.
    Health {
        /// Where it listens.
        #[arg(
            long,
            env = "STORYTELLER_LISTEN",
            default_value = "127.0.0.1:7878",
            value_name = "ADDRESS"
        )]
        listen: SocketAddr,
    },
    /// Make, list and revoke the keys of callers, and see who did what.
    Keys {
        /// The database.
        #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
        database_url: String,
        /// What to do.
        #[command(flatten)]
        command: KeysCommand,
    },
    /// Bring the tables of the database to this version, once for all programs of the service.
    Migrate {
        /// The database.
        #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
        database_url: String,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    match options.question {
        Some(Question::Health { listen }) => {
            let (ready, words) = operation::health::ask(listen).await?;
            writeln!(std::io::stdout(), "{words}")?;
            Ok(ExitCode::from(u8::from(!ready)))
        }
        Some(Question::Migrate { database_url }) => {
            options.logging.start(SERVICE);
            let store = Store::connect(&database_url, RuleOptions::default().rules()).await?;
            store.migrate().await?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Question::Keys {
            database_url,
            command,
        }) => {
            options.logging.start(SERVICE);
            let store = Store::connect(&database_url, RuleOptions::default().rules()).await?;
            store.wait_for_tables().await?;
            command.run(&store).await?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let served = serve(options).await;
            operation::traces::flush();
            served.map(|()| ExitCode::SUCCESS)
        }
    }
}

async fn serve(options: Options) -> anyhow::Result<()> {
    options.logging.start(SERVICE);
    let listener = TcpListener::bind(options.listen)
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let database = options.database_url.context("--database-url is missing")?;
    let store = Store::connect(&database, options.rules.rules()).await?;
    store.wait_for_tables().await?;
    let state = ApiState {
        queue: options.queue.open(store.clone(), 0),
        images: options.images.open(None).await?,
        fetch: options.fetch.client()?,
        health: Health::new(),
        store,
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(drain_on_signal(shutdown.clone()));
    tracing::info!(address = %listener.local_addr()?, "listening");
    let config = Config {
        hosts: options.hosts,
        access: options.access,
        limits: options.limits,
        stop_wait: Duration::from_secs(options.stop_wait_seconds),
        ..Config::default()
    };
    api::run(config, state, listener, shutdown).await?;
    Ok(())
}
