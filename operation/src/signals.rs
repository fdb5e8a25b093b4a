//! How a service ends: the first signal drains, the second one ends the process at once.
//! Every program of the service starts [`drain_on_signal`]. What must stay true: whoever presses Ctrl-C twice, or whose
//! supervisor loses its patience, is not kept waiting, and no accepted job is lost by it.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whatever libraries do when a process ends takes less.
const LAST_PATIENCE: Duration = Duration::from_secs(5);
/// What shells say of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Cancels `shutdown` at the first signal and ends the process at the second.
pub async fn drain_on_signal(shutdown: CancellationToken) {
    stop_signal().await;
    tracing::info!("stopping: what runs is finished, nothing new is begun");
    shutdown.cancel();
    stop_signal().await;
    tracing::warn!("ended at once by a second signal; what was running is done again");
    std::process::exit(INTERRUPTED);
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn stop_signal() {
    let mut terminate = signal(SignalKind::terminate())
        .expect("the runtime handles signals: it was built with all drivers");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Ends the process with this code although a thread of it is stuck in a library, which may keep the usual way out from
/// coming to its end.
pub fn end_with(code: u8) -> ! {
    std::thread::spawn(|| {
        std::thread::sleep(LAST_PATIENCE);
        std::process::abort();
    });
    std::process::exit(code.into())
}
