//! News of the jobs that somebody waits for: one look at all of them for everybody in this process.
//! Waits and streams subscribe. What must stay true: however many wait, the database is asked once a second and when it
//! says itself that something has changed; whoever waits asks nothing until there is news for him.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobs::{Standing, State, Store};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two looks at everything: what the database says can be lost, and a place in the queue moves without a word.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is known of a job that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// How it stands.
    pub(crate) standing: Standing,
    /// While it is queued: how many are told before it.
    pub(crate) place: Option<u64>,
}

type Watched = HashMap<Uuid, watch::Sender<Option<News>>>;

/// The subscriptions of this process. Clones are the same feed.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    store: Store,
    watched: Arc<Mutex<Watched>>,
}

/// One who waits for news of a job.
#[derive(Debug)]
pub(crate) struct Watch(watch::Receiver<Option<News>>);

impl Watch {
    /// Returns with the next news that are of interest, or that the job is there no more.
    pub(crate) async fn until(&mut self, interesting: impl Fn(&News) -> bool) -> Option<News> {
        loop {
            if self.0.changed().await.is_err() {
                // the feed has ended with the service, which ends all waits by itself
                return std::future::pending().await;
            }
            let news = self.0.borrow_and_update().clone();
            if news.as_ref().is_none_or(&interesting) {
                return news;
            }
        }
    }
}

impl Feed {
    /// A feed nobody has subscribed to; [`Feed::run`] brings the news.
    pub(crate) fn new(store: Store) -> Self {
        Feed {
            store,
            watched: Arc::default(),
        }
    }

    /// Subscribes to a job. Look at it after that, not before, or a change in between is missed.
    pub(crate) fn watch(&self, job: Uuid) -> Watch {
        let mut watched = self.watched();
        let sender = watched
            .entry(job)
            .or_insert_with(|| watch::Sender::new(None));
        Watch(sender.subscribe())
    }

    /// Brings news until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut changes = self.store.changes();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = looks.tick() => self.look_at_all().await,
                changed = changes.recv() => match changed {
                    Ok(job) => self.look(&with_those_behind(job, &mut changes)).await,
                    Err(RecvError::Lagged(_)) => self.look_at_all().await,
                    // the listening side lives as long as the store, of which this has a clone
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// Looks at those of these jobs that somebody waits for.
    async fn look(&self, changed: &HashSet<Uuid>) {
        let jobs: Vec<Uuid> = {
            let watched = self.watched();
            changed
                .iter()
                .filter(|job| watched.contains_key(job))
                .copied()
                .collect()
        };
        if !jobs.is_empty() {
            self.tell(&jobs, None).await;
        }
    }

    /// Looks at everything that somebody waits for, and at the queue if any of it is in there.
    async fn look_at_all(&self) {
        let (jobs, some_queued) = {
            let mut watched = self.watched();
            watched.retain(|_, sender| sender.receiver_count() > 0);
            let queued = |sender: &watch::Sender<Option<News>>| {
                let news = sender.borrow();
                // of a job that nobody has looked at it is not known
                news.as_ref()
                    .is_none_or(|news| news.standing.state == State::Queued)
            };
            let some_queued = watched.values().any(queued);
            (watched.keys().copied().collect::<Vec<_>>(), some_queued)
        };
        if jobs.is_empty() {
            return;
        }
        let line = if some_queued {
            match self.store.waiting_order().await {
                Ok(line) => line,
                Err(cause) => return tracing::debug!(%cause, "no news: the queue cannot be seen"),
            }
        } else {
            HashMap::new()
        };
        self.tell(&jobs, Some(&line)).await;
    }

    /// Tells those who wait for these jobs what is new; without a line, places stay what they were.
    async fn tell(&self, jobs: &[Uuid], line: Option<&HashMap<Uuid, u64>>) {
        let standings = match self.store.standings(jobs).await {
            Ok(standings) => standings,
            Err(cause) => return tracing::debug!(%cause, "no news: the jobs cannot be seen"),
        };
        let mut standings: HashMap<Uuid, Standing> = standings
            .into_iter()
            .map(|standing| (standing.id, standing))
            .collect();
        let watched = self.watched();
        for job in jobs {
            let Some(sender) = watched.get(job) else {
                continue;
            };
            let standing = standings.remove(job);
            sender.send_if_modified(|before| {
                let known = before.as_ref().and_then(|news| news.place);
                let news = standing.map(|standing| News {
                    place: line
                        .map_or(known, |line| line.get(job).copied())
                        .filter(|_| standing.state == State::Queued),
                    standing,
                });
                let new = *before != news;
                *before = news;
                new
            });
        }
    }

    /// What is kept under the lock is whole between any two calls, whoever panicked.
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This job and all that have changed meanwhile: one look serves them all.
fn with_those_behind(job: Uuid, changes: &mut broadcast::Receiver<Uuid>) -> HashSet<Uuid> {
    let mut changed = HashSet::from([job]);
    loop {
        match changes.try_recv() {
            Ok(job) => {
                changed.insert(job);
            }
            // what was lost is found by the next look at everything
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => return changed,
        }
    }
}
