//! What is remembered of callers, so that a poll costs no statement: whether keys are asked for, keys, owners.
//! One for each process. What must stay true: what can change is believed for some seconds only; what is remembered is
//! bounded; and a service that has once had a key never opens again.

mod pace;
mod strangers;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use ipnet::IpNet;
use jobs::{Credential, Key, Owned, Store};
use uuid::Uuid;

use crate::access::Belongs;
use crate::allowance::Allowance;
use crate::error::{Error, Kind, Result};
use pace::Pace;
use strangers::Strangers;

/// For so long a key is believed: after a revocation it works no longer than this.
const FRESH: Duration = Duration::from_secs(3);
/// Between two looks whether there is a first key by now.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A key's use is written down about so often.
const NOTE_EVERY: Duration = Duration::from_secs(60);
/// Keys and owners remembered; beyond it all are forgotten at once, which costs a statement each.
const MOST: usize = 50_000;

/// A person mistypes a key some times, a program that has an old one asks on: neither needs more.
const WRONG_KEYS: u32 = 20;

/// Whom the service asks for a key.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Who may ask")]
pub struct Access {
    /// Ask everybody for a key, also before there is one. Without it a key is asked for once there is one
    /// (`storyteller keys create`), and for good.
    #[arg(long, env = "STORYTELLER_REQUIRE_KEYS")]
    pub require_keys: bool,
    /// Listen elsewhere than on this machine although there is no key yet, so that nothing asks callers who they are until
    /// one is made.
    #[arg(long)]
    pub open_to_everyone: bool,
    /// How many keys that are none one address may show a minute; then it waits (429).
    #[arg(long, env = "STORYTELLER_MAX_WRONG_KEYS", value_name = "N", default_value_t = WRONG_KEYS)]
    pub max_wrong_keys: u32,
    /// The proxies in front of the service, as addresses or networks: what they say in `X-Forwarded-For` about who asks is
    /// believed [default: none].
    #[arg(long = "trusted-proxy", env = "STORYTELLER_TRUSTED_PROXIES", value_name = "NETWORK", value_delimiter = ',',
        value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Access {
    fn default() -> Self {
        Access {
            require_keys: false,
            open_to_everyone: false,
            max_wrong_keys: WRONG_KEYS,
            trusted_proxies: Vec::new(),
        }
    }
}

/// `10.0.0.0/8`, or one address.
fn network(text: &str) -> std::result::Result<IpNet, String> {
    let text = text.trim();
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| one())
        .map_err(|_| "write an address or a network such as 10.0.0.0/8".to_owned())
}

impl Access {
    /// Whether a service may listen at this address.
    ///
    /// # Errors
    /// [`Error::Open`] when other machines reach it and nothing would ask them who they are.
    pub(crate) fn check(&self, address: SocketAddr, has_keys: bool) -> Result<()> {
        let near = address.ip().to_canonical().is_loopback();
        if near || has_keys || self.open_to_everyone {
            return Ok(());
        }
        Err(Error::Open { address })
    }
}

/// A key, and when it was looked up.
type Seen = (Instant, Arc<Key>);

/// What is remembered of callers.
#[derive(Debug)]
pub(crate) struct Known {
    asks: AtomicBool,
    strangers: Strangers,
    looked: Mutex<Option<Instant>>,
    keys: Mutex<HashMap<[u8; 32], Seen>>,
    owners: Mutex<HashMap<Uuid, Uuid>>,
    paces: Mutex<HashMap<(Uuid, &'static str), Pace>>,
}

impl Known {
    pub(crate) fn new(access: &Access) -> Self {
        Known {
            asks: AtomicBool::new(access.require_keys),
            strangers: Strangers::new(access.max_wrong_keys),
            looked: Mutex::default(),
            keys: Mutex::default(),
            owners: Mutex::default(),
            paces: Mutex::default(),
        }
    }

    /// Whether callers are asked for a key.
    pub(crate) async fn asks_for_keys(&self, store: &Store) -> Result<bool> {
        if self.asks.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let looked = *locked(&self.looked);
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return Ok(false);
        }
        let some = store.has_keys().await?;
        if some {
            self.asks.store(true, Ordering::Relaxed);
        } else {
            *locked(&self.looked) = Some(Instant::now());
        }
        Ok(some)
    }

    /// The key of this secret, as it was some seconds ago at most.
    pub(crate) async fn key(
        &self,
        store: &Store,
        credential: &Credential,
    ) -> Result<Option<Arc<Key>>> {
        let hash = credential.hash();
        let known = locked(&self.keys).get(&hash).cloned();
        if let Some((since, key)) = known
            && since.elapsed() < FRESH
        {
            return Ok(Some(key));
        }
        // what is no key is not remembered: whoever guesses would fill the memory
        let Some(key) = store.key_of(credential).await? else {
            locked(&self.keys).remove(&hash);
            return Ok(None);
        };
        let noted = key
            .last_used_at
            .and_then(|at| (Utc::now() - at).to_std().ok());
        if key.void(Utc::now()).is_none() && noted.is_none_or(|since| since > NOTE_EVERY) {
            store.key_used(key.id).await?;
        }
        let key = Arc::new(key);
        bounded(&mut locked(&self.keys)).insert(hash, (Instant::now(), Arc::clone(&key)));
        Ok(Some(key))
    }

    /// The key of this secret, shown from this address. Who shows what is none too often waits; whoever was known before does
    /// not, although a neighbour of his may guess.
    ///
    /// # Errors
    /// `rate_limited`, or what the store says.
    pub(crate) async fn shown(
        &self,
        store: &Store,
        credential: &Credential,
        from: Option<IpAddr>,
    ) -> Result<Option<Arc<Key>>> {
        self.may_try(credential, from)?;
        let key = self.key(store, credential).await?;
        if key.is_none() {
            self.strangers.count(from, Instant::now());
        }
        Ok(key)
    }

    /// The key of this secret as it is now: a session goes on for longer than what is remembered.
    ///
    /// # Errors
    /// As [`Known::shown`].
    pub(crate) async fn shown_at_login(
        &self,
        store: &Store,
        credential: &Credential,
        from: Option<IpAddr>,
    ) -> Result<Option<Key>> {
        self.may_try(credential, from)?;
        let key = store.key_of(credential).await?;
        if key.is_none() {
            self.strangers.count(from, Instant::now());
        }
        Ok(key)
    }

    /// Counts something that cannot even be a key.
    ///
    /// # Errors
    /// `rate_limited`.
    pub(crate) fn shown_nonsense(&self, from: Option<IpAddr>) -> Result<()> {
        self.strangers.may_try(from, Instant::now())?;
        self.strangers.count(from, Instant::now());
        Ok(())
    }

    fn may_try(&self, credential: &Credential, from: Option<IpAddr>) -> Result<()> {
        if locked(&self.keys).contains_key(&credential.hash()) {
            return Ok(());
        }
        self.strangers.may_try(from, Instant::now())
    }

    /// Forgets what is believed of this secret.
    pub(crate) fn forget(&self, credential: &Credential) {
        locked(&self.keys).remove(&credential.hash());
    }

    /// Whether this is the key's own. An owner never changes, so what is one's own stays that; everything else is looked up each
    /// time, so that what is another's takes as long as what is not there.
    pub(crate) async fn owns(&self, store: &Store, key: &Key, thing: Belongs) -> Result<bool> {
        let (Belongs::Story(id) | Belongs::Picture(id) | Belongs::Batch(id)) = thing;
        if locked(&self.owners).get(&id) == Some(&key.id) {
            return Ok(true);
        }
        let owned = match thing {
            Belongs::Story(id) | Belongs::Picture(id) => store.story_owner(id).await?,
            Belongs::Batch(id) => store.batch_owner(id).await?,
        };
        let own = owned == Owned::By(key.id);
        if own {
            bounded(&mut locked(&self.owners)).insert(id, key.id);
        }
        Ok(own)
    }

    /// What is left to a key of its own limit, if it has one.
    pub(crate) fn allowance(&self, key: &Key) -> Option<Allowance> {
        let most = key.limits.requests_a_minute?;
        Some(Allowance {
            name: "requests",
            most,
            left: self.left(key, most),
            again: None,
        })
    }

    /// Counts a request of this key, and a submit if it is one. Each server counts by itself.
    ///
    /// # Errors
    /// `rate_limited`.
    pub(crate) fn count(&self, key: &Key, submits: bool) -> Result<()> {
        let requests = key.limits.requests_a_minute;
        let handed_in = key.limits.submits_a_minute.filter(|_| submits);
        for (name, most) in [("requests", requests), ("submits", handed_in)] {
            let Some(most) = most else { continue };
            let mut paces = locked(&self.paces);
            let pace = paces
                .entry((key.id, name))
                .or_insert_with(|| Pace::new(most));
            if let Err(seconds) = pace.take(most, Instant::now()) {
                return Err(Error::Limited {
                    kind: Kind::RateLimited,
                    message: format!(
                        "{} may make {most} {name} a minute; come back in {seconds} s",
                        key.prefix
                    ),
                    allowance: Allowance {
                        name,
                        most,
                        left: 0,
                        again: Some(seconds),
                    },
                });
            }
        }
        Ok(())
    }

    /// How many requests are left to this key of so many a minute.
    pub(crate) fn left(&self, key: &Key, most: u32) -> u32 {
        let paces = locked(&self.paces);
        paces
            .get(&(key.id, "requests"))
            .map_or(most, |pace| pace.left(most, Instant::now()))
    }
}

/// Whole between any two calls, whoever panicked.
fn locked<T>(memory: &Mutex<T>) -> MutexGuard<'_, T> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bounded<K, V>(memory: &mut HashMap<K, V>) -> &mut HashMap<K, V> {
    if memory.len() >= MOST {
        memory.clear();
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_reach_a_service_only_if_it_asks_for_keys_or_is_told_not_to() {
        let address = |text: &str| text.parse().expect("it is one");
        let (closed, open) = (
            Access::default(),
            Access {
                open_to_everyone: true,
                ..Access::default()
            },
        );
        for near in [
            "127.0.0.1:1",
            "127.8.8.8:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(closed.check(address(near), false).is_ok(), "{near}");
        }
        for far in ["0.0.0.0:1", "[::]:1", "192.168.1.2:1", "[fe80::1]:1"] {
            let refused = closed.check(address(far), false).expect_err("it is open");
            assert!(refused.to_string().contains("storyteller keys create"));
            assert!(closed.check(address(far), true).is_ok());
            assert!(open.check(address(far), false).is_ok());
        }
    }
}
