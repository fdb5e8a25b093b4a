//! Where log lines go and how they look: always on standard error, so that standard output carries only what was asked
//! for; text on a terminal, one JSON object a line elsewhere, where a collector reads them. `demo` alone logs into a file.
//! Every program flattens [`Logging`] into its options and starts it first thing.

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Mutex;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

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
}

impl Logging {
    /// Starts logging for the whole process into a file that is begun anew; for programs whose terminal belongs to a person.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start_into(&self, default: &str, file: &Path) -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let filter = EnvFilter::new(self.log.as_deref().unwrap_or(default));
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(Mutex::new(File::create(file)?));
        let _ = match self.log_format.unwrap_or(LogFormat::Text) {
            LogFormat::Text => lines.with_target(false).compact().try_init(),
            LogFormat::Json => lines.json().try_init(),
        };
        Ok(())
    }

    /// Starts logging for the whole process, with the filter `default` if none is asked for; a second call changes
    /// nothing.
    pub fn start(&self, default: &str) {
        let filter = EnvFilter::new(self.log.as_deref().unwrap_or(default));
        let terminal = std::io::stderr().is_terminal();
        let lines = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        let otherwise = if terminal {
            LogFormat::Text
        } else {
            LogFormat::Json
        };
        // a second subscriber is refused by tracing, and the first one keeps its place: which is what we want
        let _ = match self.log_format.unwrap_or(otherwise) {
            LogFormat::Text => lines
                .with_ansi(terminal)
                .with_target(false)
                .compact()
                .try_init(),
            LogFormat::Json => lines.json().try_init(),
        };
    }
}
