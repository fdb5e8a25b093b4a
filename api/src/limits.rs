//! How much is done at once, and how long somebody waits for his turn.
//! `lib.rs` makes the [`Turns`] of a service, handlers take them before they take anything else. What must stay true: no
//! memory is spent on a request that has no turn, nobody waits for one for ever, and of what is fetched for callers one
//! slow host gets only some of the places.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Kind, Result};

/// How much is done, at once and at all.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Connections at once; more are not accepted until one ends.
    #[arg(long, env = "STORYTELLER_MAX_CONNECTIONS", value_name = "N", default_value_t = Limits::default().max_connections)]
    pub max_connections: usize,
    /// Event streams and waits of one caller at once (a key; without keys an address other than this machine's); more are
    /// refused (429), so that one caller does not hold all connections.
    #[arg(long, env = "STORYTELLER_MAX_WAITS", value_name = "N", default_value_t = Limits::default().max_waits)]
    pub max_waits: usize,
    /// Pictures and texts received at once. Each takes up to 20 MiB of memory (a text 16 MiB) until it is stored; a batch
    /// counts as four.
    #[arg(long, env = "STORYTELLER_MAX_UPLOADS", value_name = "N", default_value_t = Limits::default().max_uploads)]
    pub max_uploads: usize,
    /// Pictures that one key may have announced at `POST /v1/uploads` and not asked the story of, each for a quarter of an
    /// hour; without keys all callers together. Each takes up to 20 MiB at the S3 server until it is swept up, an hour
    /// after it was sent.
    #[arg(long, env = "STORYTELLER_MAX_OPEN_UPLOADS", value_name = "N", default_value_t = Limits::default().max_open_uploads, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_open_uploads: u32,
    /// In how many seconds a picture or text must have come in full; 15 s without a byte end it as well.
    #[arg(long, env = "STORYTELLER_UPLOAD_SECONDS", value_name = "S", default_value_t = Limits::default().upload_seconds)]
    pub upload_seconds: u64,
    /// Pictures fetched from `image_url` at once, each for 20 s at most.
    #[arg(long, env = "STORYTELLER_MAX_FETCHES", value_name = "N", default_value_t = Limits::default().max_fetches)]
    pub max_fetches: usize,
    /// As many of them from one host.
    #[arg(long, env = "STORYTELLER_MAX_FETCHES_A_HOST", value_name = "N", default_value_t = Limits::default().max_fetches_a_host)]
    pub max_fetches_a_host: usize,
    /// How many seconds a request waits for its turn before it is told to come again later (503).
    #[arg(long, env = "STORYTELLER_TURN_SECONDS", value_name = "S", default_value_t = Limits::default().turn_seconds)]
    pub turn_seconds: u64,
    /// Tell every story anew, also one that is known already or that is just being told for somebody else.
    #[arg(long, env = "STORYTELLER_TELL_ANEW")]
    pub tell_anew: bool,
}

impl Default for Limits {
    /// With 16 uploads and 16 fetches of 20 MiB and a gigabyte for decoding the service stays below 2 GiB.
    fn default() -> Self {
        Limits {
            max_connections: 1024,
            max_waits: 256,
            max_uploads: 16,
            // an album at once, and 3 GiB of one key's at most before they are swept up
            max_open_uploads: 32,
            upload_seconds: 120,
            max_fetches: 16,
            max_fetches_a_host: 4,
            turn_seconds: 10,
            tell_anew: false,
        }
    }
}

/// Whose turn it is to send, and for whom is fetched.
#[derive(Debug)]
pub(crate) struct Turns {
    patience: Duration,
    uploads: Semaphore,
    most_uploads: usize,
    fetches: Semaphore,
    most_a_host: usize,
    /// Fetches under way or waiting for their place, by host.
    hosts: Mutex<HashMap<String, usize>>,
    host_freed: Notify,
}

/// A fetch that is under way. Dropping it ends it.
pub(crate) struct Fetch<'a> {
    _share: Share<'a>,
    _place: SemaphorePermit<'a>,
}

/// One of the places of a host.
struct Share<'a> {
    turns: &'a Turns,
    host: String,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut hosts = self.turns.hosts();
        if let Some(busy) = hosts.get_mut(&self.host) {
            *busy -= 1;
            if *busy == 0 {
                hosts.remove(&self.host);
            }
        }
        drop(hosts);
        self.turns.host_freed.notify_waiters();
    }
}

impl Turns {
    pub(crate) fn new(limits: &Limits) -> Self {
        Turns {
            patience: Duration::from_secs(limits.turn_seconds),
            uploads: Semaphore::new(limits.max_uploads.max(1)),
            most_uploads: limits.max_uploads.max(1),
            fetches: Semaphore::new(limits.max_fetches.max(1)),
            most_a_host: limits.max_fetches_a_host.max(1),
            hosts: Mutex::default(),
            host_freed: Notify::new(),
        }
    }

    /// Waits for the turn to send a body.
    ///
    /// # Errors
    /// `busy`.
    pub(crate) async fn upload(&self) -> Result<SemaphorePermit<'_>> {
        self.uploads(1).await
    }

    /// Waits for the turn to send as much as so many bodies, or as all that there may be at once.
    ///
    /// # Errors
    /// `busy`.
    pub(crate) async fn uploads(&self, bodies: usize) -> Result<SemaphorePermit<'_>> {
        let bodies = bodies.min(self.most_uploads);
        let places = u32::try_from(bodies).unwrap_or(u32::MAX);
        taken(
            self.uploads.acquire_many(places),
            Instant::now() + self.patience,
        )
        .await
    }

    /// Waits for the turn to fetch from this host.
    ///
    /// # Errors
    /// `busy`.
    pub(crate) async fn fetch(&self, host: &str) -> Result<Fetch<'_>> {
        let until = Instant::now() + self.patience;
        // first a place of the host's, so that those who wait for a slow one take up no others
        let share = timeout_at(until, self.share(host)).await;
        Ok(Fetch {
            _share: share.map_err(|_| busy())?,
            _place: taken(self.fetches.acquire(), until).await?,
        })
    }

    async fn share(&self, host: &str) -> Share<'_> {
        loop {
            let mut freed = std::pin::pin!(self.host_freed.notified());
            // before the look, or what is freed right after it would be missed
            freed.as_mut().enable();
            if let Some(share) = self.try_share(host) {
                return share;
            }
            freed.await;
        }
    }

    fn try_share(&self, host: &str) -> Option<Share<'_>> {
        let mut hosts = self.hosts();
        let busy = hosts.entry(host.to_owned()).or_default();
        if *busy >= self.most_a_host {
            return None;
        }
        *busy += 1;
        Some(Share {
            turns: self,
            host: host.to_owned(),
        })
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // numbers are whole between any two calls, whoever panicked
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn taken<'a>(
    place: impl Future<Output = std::result::Result<SemaphorePermit<'a>, AcquireError>>,
    until: Instant,
) -> Result<SemaphorePermit<'a>> {
    match timeout_at(until, place).await {
        Ok(place) => place.map_err(|closed| Error::Internal(closed.to_string())),
        Err(_) => Err(busy()),
    }
}

fn busy() -> Error {
    Error::Refused(
        Kind::Busy,
        "as much is done at once as this service can do; come again in a moment".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(turn_seconds: u64) -> Turns {
        Turns::new(&Limits {
            max_fetches: 4,
            max_fetches_a_host: 2,
            max_uploads: 1,
            turn_seconds,
            ..Limits::default()
        })
    }

    #[tokio::test]
    async fn a_slow_host_gets_its_share_and_others_get_theirs() {
        let turns = turns(0);
        let slow = [turns.fetch("slow").await, turns.fetch("slow").await];
        let refused = turns.fetch("slow").await.err().map(|error| error.kind());
        assert_eq!(refused, Some(Kind::Busy));
        let other = turns.fetch("other").await;
        assert!(slow.iter().all(Result::is_ok) && other.is_ok());
        drop(slow);
        assert!(
            turns.fetch("slow").await.is_ok(),
            "its places are free again"
        );
        drop(other);
        assert!(
            turns.hosts().is_empty(),
            "hosts of the past take up no memory"
        );
    }

    #[tokio::test]
    async fn those_who_wait_for_a_slow_host_take_no_place_of_others() {
        let turns = turns(3600);
        let slow = [turns.fetch("slow").await, turns.fetch("slow").await];
        let mut waiting = std::pin::pin!(turns.fetch("slow"));
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("it has places only when one of the two is done"),
            () = std::future::ready(()) => {}
        }
        assert!(turns.fetch("other").await.is_ok() && turns.fetch("third").await.is_ok());
        drop(slow);
        assert!(waiting.await.is_ok());
    }
}
