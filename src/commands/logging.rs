//! Where log lines go and how they look: pretty on a terminal, JSON when asked, always on standard error,
//! so that standard output carries only what a command was asked for.
//! Called once, first thing in `main`.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// One readable line an event; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object an event, for log collectors.
    Json,
}

/// The logging options every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Logging {
    /// What to log: a level (error, warn, info, debug, trace) or a filter such as `worker=debug,warn`.
    #[arg(
        long,
        global = true,
        env = "STORYTELLER_LOG",
        value_name = "FILTER",
        help_heading = "Logging"
    )]
    pub(crate) log: Option<String>,
    /// How a log line looks.
    #[arg(
        long,
        global = true,
        env = "STORYTELLER_LOG_FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Logging"
    )]
    pub(crate) log_format: LogFormat,
}

/// Starts logging for the whole process; a second call changes nothing.
pub(crate) fn start(options: &Logging) {
    let filter = EnvFilter::new(
        options
            .log
            .as_deref()
            .unwrap_or("warn,storyteller=info,worker=info,api=info,jobs=info,pictures=info,outbound=info,embedded=info,operation=info"),
    );
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second subscriber is refused by tracing; the first one keeps its place, which is what we want.
    let _ = match options.log_format {
        LogFormat::Text => lines
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .compact()
            .try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
