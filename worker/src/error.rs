//! Why a worker cannot go on; [`crate::run`] ends with it, and whoever started the worker reads the text.
//! What must stay true: nothing here is about a single job, and no job is lost by it.

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
    /// The database refuses what every worker must do.
    #[error(transparent)]
    Jobs(#[from] jobs::Error),
}
