//! How tests wait: for something that happens by itself, with a deadline, never for time to pass.
//! What must stay true: a wait in vain fails and says what it waited for.

use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between looks: what is waited for takes milliseconds or seconds.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until there is an answer.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
