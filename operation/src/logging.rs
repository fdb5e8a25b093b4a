//! Where log lines go and how they look: always on standard error, so that standard output carries only what was asked
//! for; text on a terminal, one JSON object a line elsewhere, where a collector reads them. `demo` alone logs into a file.
//! Every program flattens [`Logging`] into its options and starts it first thing.

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use tracing_subscriber::layer::{Layered, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::traces;

/// What a service logs unless told otherwise; a statement that sqlx finds slow is worth a line, each one is not.
pub const SERVICE: &str = "info,sqlx=warn";

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line an event; coloured on a terminal.
    Text,
    /// One JSON object an event, for log collectors.
    Json,
}

/// The logging options that every program takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Logging {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as `worker=debug,warn`.
    #[arg(
        long,
        global = true,
        env = "STORYTELLER_LOG",
        value_name = "FILTER",
        help_heading = "Logging"
    )]
    pub log: Option<String>,
    /// How a log line looks [default: text on a terminal, json elsewhere].
    #[arg(
        long,
        global = true,
        env = "STORYTELLER_LOG_FORMAT",
        value_enum,
        help_heading = "Logging"
    )]
    pub log_format: Option<LogFormat>,
    /// Send traces to this collector of OpenTelemetry, such as http://127.0.0.1:4318 (OTLP over HTTP) [default: none are made].
    #[arg(
        long,
        global = true,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        help_heading = "Logging"
    )]
    pub otlp_endpoint: Option<String>,
}

/// Where the lines go and how they look.
type Lines = Box<dyn Layer<Layered<EnvFilter, Registry>> + Send + Sync>;

impl Logging {
    /// Starts logging for the whole process into a file that is begun anew; for programs whose terminal belongs to a person.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start_into(&self, default: &str, file: &Path) -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let lines = fmt::layer()
            .with_ansi(false)
            .with_writer(Mutex::new(File::create(file)?));
        self.begin(
            default,
            match self.log_format.unwrap_or(LogFormat::Text) {
                LogFormat::Text => lines.with_target(false).compact().boxed(),
                LogFormat::Json => lines.json().boxed(),
            },
        );
        Ok(())
    }

    /// Starts logging for the whole process, with the filter `default` if none is asked for; a second call changes
    /// nothing.
    pub fn start(&self, default: &str) {
        let terminal = std::io::stderr().is_terminal();
        let lines = fmt::layer().with_writer(std::io::stderr);
        let otherwise = if terminal {
            LogFormat::Text
        } else {
            LogFormat::Json
        };
        self.begin(
            default,
            match self.log_format.unwrap_or(otherwise) {
                LogFormat::Text => lines
                    .with_ansi(terminal)
                    .with_target(false)
                    .compact()
                    .boxed(),
                LogFormat::Json => lines.json().boxed(),
            },
        );
    }

    fn begin(&self, default: &str, lines: Lines) {
        let filter = EnvFilter::new(self.log.as_deref().unwrap_or(default));
        let collector = self.otlp_endpoint.as_deref();
        let collector = collector.map(str::trim).filter(|url| !url.is_empty());
        let (traces, refused) = match collector.map(traces::layer).transpose() {
            Ok(traces) => (traces, None),
            Err(refused) => (None, Some(refused)),
        };
        // a second subscriber is refused by tracing, and the first one keeps its place: which is what we want
        let _ = tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .with(traces)
            .try_init();
        if let Some(error) = refused {
            tracing::error!(%error, "the service goes on without traces");
        }
    }
}
