//! Why a worker cannot go on; [`crate::run`] ends with it, and whoever started the worker reads the text.
//! What must stay true: nothing here is about a single job, and no job is lost by it.

use std::time::Duration;

/// The exit code of a process whose engine hangs for good.
pub const HUNG: u8 = 70;

/// Why a worker ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The networks could not be loaded.
    #[error("the networks cannot be loaded: {0}")]
    Engine(String),
    /// The system gives no thread for the engine.
    #[error("cannot start the engine's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The engine's thread ended although nobody asked it to.
    #[error(
        "the engine's thread ended by itself: restart the worker; its jobs are taken over by then"
    )]
    EngineGone,
    /// The engine has not moved for so long that it will not move again.
    #[error(
        "the engine has not moved for {} s: this process ends with code {HUNG}, to be started again by whoever watches it",
        silent.as_secs()
    )]
    Hung {
        /// For how long.
        silent: Duration,
    },
    /// The database refuses what every worker must do.
    #[error(transparent)]
    Jobs(#[from] jobs::Error),
}
