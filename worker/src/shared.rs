//! What all parts of one worker share: where jobs and pictures are, what is leased, who is told about trouble.
//! [`crate::run`] makes it. What must stay true: every part is reported under its own name, by one place in the code.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jobs::{Queue, Store};
use operation::Health;
use pictures::Images;
use tokio::sync::{Semaphore, watch};

use crate::config::Config;
use crate::engine::activity::Activity;
use crate::leases::Leases;

/// The worker's own entry in the health: loading, hung, stopping.
pub(crate) const WORKER: &str = "worker";
/// The entry of the queue and the database behind it.
pub(crate) const QUEUE: &str = "queue";
/// The entry of the signs of life.
pub(crate) const HEARTBEAT: &str = "heartbeat";
/// The entry of the picture store.
pub(crate) const IMAGES: &str = "images";

/// Where a worker's jobs and pictures are, and whom it tells about trouble.
#[derive(Clone)]
pub struct Backends {
    /// The truth about jobs, already migrated.
    pub store: Store,
    /// Where jobs come from.
    pub queue: Arc<dyn Queue>,
    /// Where their pictures are.
    pub images: Arc<dyn Images>,
    /// Shown in `/readyz`.
    pub health: Health,
}

/// The common ground of intake, batching and heartbeat.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) backends: Backends,
    pub(crate) leases: Leases,
    pub(crate) activity: Arc<Activity>,
    /// The bundle that the engine tells with.
    pub(crate) bundle: String,
    /// The names of the styles that the engine knows.
    pub(crate) styles: BTreeSet<String>,
    /// How many jobs were claimed and are not yet prepared.
    pub(crate) coming: watch::Sender<usize>,
    /// A job could not get its picture: intake asks the picture store before it claims more.
    pub(crate) images_doubted: AtomicBool,
    /// What is left of the memory for pictures, in MiB.
    pub(crate) memory: Arc<Semaphore>,
    /// The engine has said nothing for too long: intake claims nothing, the heart beats no more.
    pub(crate) hung: watch::Sender<bool>,
}

impl Shared {
    /// Whether the engine counts as hung.
    pub(crate) fn is_hung(&self) -> bool {
        *self.hung.borrow()
    }

    /// One job that was claimed is prepared, or will never be.
    pub(crate) fn has_come(&self) {
        self.coming
            .send_modify(|coming| *coming = coming.saturating_sub(1));
    }

    /// Waits that grow while something is out of reach.
    pub(crate) fn pauses(&self) -> Pauses {
        Pauses::of(&self.config)
    }
}

/// Waits that double from trouble to trouble and start anew after a success.
#[derive(Debug)]
pub(crate) struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// The waits that a worker was configured with.
    pub(crate) fn of(config: &Config) -> Self {
        Pauses {
            first: config.first_pause,
            longest: config.longest_pause,
            next: config.first_pause,
        }
    }

    /// Waits, longer than the last time.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.longest);
    }

    /// All is well again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}
