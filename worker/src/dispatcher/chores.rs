//! What is done now and then, by whichever process comes first: pictures without a job are put into the trash and deleted,
//! stories whose time is over are forgotten, and so is what accounts no longer need.
//! The dispatcher runs it beside its sending. What must stay true: a chore that fails is logged and done again the
//! next time; it never holds up anything else.

use std::sync::Arc;
use std::time::Duration;

use jobs::Store;
use pictures::Images;
use pictures::images::Deployment;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::orphans::{Tidying, tidy};
use super::retention::forget;
use super::tenancy::{Error, Tenancy, look};

/// How often pictures without a job are looked for, and old stories forgotten, unless it is said otherwise.
const ORPHAN_EVERY_MINUTES: u64 = 60;
const FORGET_EVERY_SECONDS: u64 = 60;
/// How often old sessions and deeds are forgotten.
const HOURLY: Duration = Duration::from_secs(3600);
/// In how many steps stories whose time is over are forgotten at most; what is left has its turn the next time.
const FORGET_STEPS: usize = 100;
/// Rows of sessions and deeds forgotten in one step, more than come in an hour.
const ACCOUNTS_AT_ONCE: u32 = 100_000;
/// Seconds of a day.
const DAY: u64 = 24 * 3600;
/// How often it is seen whether a chore is due, if none comes more often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The chores of the service.
pub struct Chores {
    store: Store,
    images: Arc<dyn Images>,
    options: ChoreOptions,
}

/// How the chores are done.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Chores")]
pub struct ChoreOptions {
    /// Pictures without a job are deleted only if they are at most this share of all, 0 to 1: more mean that this is not
    /// the database that belongs to them, or not the whole of it.
    #[arg(long, env = "STORYTELLER_ORPHAN_SHARE", value_name = "SHARE", default_value_t = Tidying::default().most)]
    pub orphan_share: f64,
    /// For how many days a picture without a job stays before it is deleted.
    #[arg(long, env = "STORYTELLER_ORPHAN_DAYS", value_name = "DAYS", default_value_t = Tidying::default().in_trash.as_secs() / DAY)]
    pub orphan_days: u64,
    /// How often pictures without a job are looked for, in minutes.
    #[arg(long, env = "STORYTELLER_ORPHAN_EVERY_MINUTES", value_name = "MIN", default_value_t = ORPHAN_EVERY_MINUTES,
        value_parser = clap::value_parser!(u64).range(1..=10_080))]
    pub orphan_every_minutes: u64,
    /// How often stories whose time is over (--keep-for) are forgotten, in seconds.
    #[arg(long, env = "STORYTELLER_FORGET_EVERY_SECONDS", value_name = "S", default_value_t = FORGET_EVERY_SECONDS,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub forget_every_seconds: u64,
}

impl Default for ChoreOptions {
    fn default() -> Self {
        let tidying = Tidying::default();
        ChoreOptions {
            orphan_share: tidying.most,
            orphan_days: tidying.in_trash.as_secs() / DAY,
            orphan_every_minutes: ORPHAN_EVERY_MINUTES,
            forget_every_seconds: FORGET_EVERY_SECONDS,
        }
    }
}

impl ChoreOptions {
    fn tidy_every(&self) -> Duration {
        Duration::from_secs(60 * self.orphan_every_minutes)
    }

    /// How often it is seen whether a chore is due.
    fn look_every(&self) -> Duration {
        LOOK_EVERY.min(Duration::from_secs(self.forget_every_seconds))
    }

    fn tidying(&self) -> Tidying {
        Tidying {
            most: self.orphan_share,
            in_trash: Duration::from_secs(self.orphan_days * DAY),
            ..Tidying::default()
        }
    }
}

impl Chores {
    /// The chores on these pictures.
    pub fn new(store: Store, images: Arc<dyn Images>, options: ChoreOptions) -> Self {
        Chores {
            store,
            images,
            options,
        }
    }

    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.look() => {}
            }
            let _ = timeout(self.options.look_every(), shutdown.cancelled()).await;
        }
    }

    async fn look(&self) {
        match self
            .store
            .take_chore("tidy pictures", self.options.tidy_every())
            .await
        {
            Ok(true) => self.tidy().await,
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "could not see whether a chore is due"),
        }
        let forget_every = Duration::from_secs(self.options.forget_every_seconds);
        if let Ok(true) = self.store.take_chore("forget stories", forget_every).await {
            self.forget().await;
        }
        if let Ok(true) = self.store.take_chore("forget accounts", HOURLY).await
            && let Err(error) = self.store.forget_accounts(ACCOUNTS_AT_ONCE).await
        {
            tracing::warn!(%error, "old sessions and deeds are forgotten later");
        }
    }

    /// Whether the pictures are this database's alone, as far as can be seen now.
    async fn are_ours(&self) -> Result<bool, Error> {
        let deployment = Deployment(self.store.deployment().await?);
        Ok(look(&self.store, &*self.images, deployment).await? != Tenancy::Disputed)
    }

    async fn forget(&self) {
        match self.are_ours().await {
            Ok(true) => {}
            // said by `tidy`, once an hour
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "old stories are forgotten later"),
        }
        for _ in 0..FORGET_STEPS {
            match forget(&self.store, &*self.images).await {
                Ok(forgotten) if forgotten.count() == 0 => return,
                Ok(forgotten) => tracing::info!(stories = forgotten.count(), "forgot old stories"),
                Err(error) => {
                    return tracing::warn!(%error, "old stories are forgotten later");
                }
            }
        }
    }

    async fn tidy(&self) {
        match tidy(&self.store, &*self.images, self.options.tidying()).await {
            Ok(tidied) => tracing::info!(?tidied, "looked for pictures without a job"),
            Err(error) => {
                tracing::warn!(%error, "pictures without a job are looked for again later");
            }
        }
    }
}
