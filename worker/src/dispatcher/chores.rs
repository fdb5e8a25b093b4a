//! What is done now and then, by whichever process comes first: pictures without a job are deleted.
//! The dispatcher runs it beside its sending. What must stay true: a chore that fails is logged and done again the
//! next time; it never holds up anything else.

use std::sync::Arc;
use std::time::Duration;

use jobs::Store;
use pictures::Images;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::orphans::tidy;

/// How often pictures without a job are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// No submit takes as long between its picture and its row.
const ORPHAN_AGE: Duration = Duration::from_secs(3600);
/// How often it is seen whether a chore is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The chores of the service.
pub struct Chores {
    store: Store,
    images: Arc<dyn Images>,
}

impl Chores {
    /// The chores on these pictures.
    pub fn new(store: Store, images: Arc<dyn Images>) -> Self {
        Chores { store, images }
    }

    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.look() => {}
            }
            let _ = timeout(LOOK_EVERY, shutdown.cancelled()).await;
        }
    }

    async fn look(&self) {
        match self.store.take_chore("tidy pictures", TIDY_EVERY).await {
            Ok(true) => self.tidy().await,
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "could not see whether a chore is due"),
        }
    }

    async fn tidy(&self) {
        match tidy(&self.store, &*self.images, ORPHAN_AGE).await {
            Ok(tidied) => tracing::info!(?tidied, "looked for pictures without a job"),
            Err(error) => {
                tracing::warn!(%error, "pictures without a job are looked for again later");
            }
        }
    }
}
