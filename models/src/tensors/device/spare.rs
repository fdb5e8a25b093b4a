//! Whether a core has nothing else to do, so that it can help one that writes a story.
//! What must stay true: it decides who computes and never what, so that a story is the same in any company.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are at work in this process.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// While it lives, a core has work.
#[derive(Debug)]
pub struct AtWork(());

impl AtWork {
    /// From now on.
    pub fn begin() -> Self {
        AT_WORK.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether each that is at work can have a second core.
pub fn is_there() -> bool {
    std::env::var_os("NOSPARE").is_none() && 2 * AT_WORK.load(Ordering::Relaxed).max(1) <= cores()
}

/// The cores that this process may use.
pub fn cores() -> usize {
    // asking the system takes as long as a product
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}
