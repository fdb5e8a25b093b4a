//! How a service ends: the first signal drains, the second one ends the process at once.
//! Every program of the service starts [`drain_on_signal`]. What must stay true: whoever presses Ctrl-C twice, or whose
//! supervisor loses its patience, is not kept waiting, no accepted job is lost by it, and whatever still computes is
//! ended with the process, not by the libraries that it uses.

use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What shells say of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Cancels `shutdown` at the first signal and ends the process at the second.
pub async fn drain_on_signal(shutdown: CancellationToken) {
    stop_signal().await;
    tracing::info!("stopping: what runs is finished, nothing new is begun");
    shutdown.cancel();
    stop_signal().await;
    tracing::warn!("ended at once by a second signal; what was running is done again");
    end_with(INTERRUPTED);
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

/// Ends the process with this code, now, whatever its threads are doing.
///
/// The usual way out first runs the exit handlers of C++ libraries. libtorch's take its own state apart under a thread
/// that still computes, which then panics, and a thread that is stuck keeps them from coming to their end.
pub fn end_with(code: u8) -> ! {
    // what is still buffered for a pipe; nobody is left to be told if it is closed
    let _ = std::io::stdout().flush();
    signal_hook::low_level::exit(code.into())
}
