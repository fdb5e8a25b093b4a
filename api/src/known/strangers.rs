//! Who shows keys that are none: an address that does so again and again is made to wait.
//! The door and the login count here. What must stay true: a caller who was known before is never made to wait by his
//! neighbours, whoever tries is told for how long, and what is remembered is bounded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::pace::Pace;
use crate::allowance::Allowance;
use crate::error::{Error, Kind, Result};
use crate::origin::network;

/// Addresses remembered: some hundred kilobytes. Beyond it those that have waited long enough are forgotten, then all.
const MOST: usize = 10_000;
/// What the limit is called in headers.
const NAME: &str = "wrong_keys";

/// The addresses that have shown what is no key lately.
#[derive(Debug)]
pub(super) struct Strangers {
    most: u32,
    paces: Mutex<HashMap<IpAddr, Pace>>,
}

impl Strangers {
    /// With so many wrong keys a minute.
    pub(super) fn new(most: u32) -> Self {
        Strangers {
            most: most.max(1),
            paces: Mutex::default(),
        }
    }

    /// Whether an address may try a key at all.
    ///
    /// # Errors
    /// `rate_limited` if it has shown too many wrong ones.
    pub(super) fn may_try(&self, address: Option<IpAddr>, now: Instant) -> Result<()> {
        let paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = address.and_then(|address| paces.get(&network(address)));
        match pace.and_then(|pace| pace.wait(self.most, now)) {
            Some(seconds) => Err(self.refusal(seconds)),
            None => Ok(()),
        }
    }

    /// Counts a wrong key.
    pub(super) fn count(&self, address: Option<IpAddr>, now: Instant) {
        let Some(network) = address.map(network) else {
            return;
        };
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= MOST && !paces.contains_key(&network) {
            paces.retain(|_, pace| pace.left(self.most, now) < self.most);
            if paces.len() >= MOST {
                paces.clear();
            }
        }
        let pace = paces.entry(network).or_insert_with(|| Pace::new(self.most));
        // whether there was one left is for the next try to say
        let _ = pace.take(self.most, now);
    }

    fn refusal(&self, seconds: u64) -> Error {
        let most = self.most;
        Error::Limited {
            kind: Kind::RateLimited,
            message: format!(
                "from where you ask came {most} keys that are none; come back in {seconds} s with one that is"
            ),
            allowance: Allowance {
                name: NAME,
                most,
                left: 0,
                again: Some(seconds),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    fn at(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    #[test]
    fn who_shows_too_many_wrong_keys_waits_and_others_do_not() {
        let (strangers, now) = (Strangers::new(3), Instant::now());
        let (guesser, other) = (at("203.0.113.7"), at("203.0.113.8"));
        for _ in 0..3 {
            assert!(strangers.may_try(guesser, now).is_ok());
            strangers.count(guesser, now);
        }
        let refused = strangers.may_try(guesser, now).unwrap_err();
        let Error::Limited { allowance, .. } = refused else {
            panic!("{refused}")
        };
        assert_eq!((allowance.left, allowance.again), (0, Some(20)));
        assert!(strangers.may_try(other, now).is_ok());
        let later = now + Duration::from_secs(20);
        assert!(strangers.may_try(guesser, later).is_ok());
    }

    #[test]
    fn all_addresses_of_one_network_are_one() {
        let (strangers, now) = (Strangers::new(1), Instant::now());
        strangers.count(at("2001:db8:1:2::1"), now);
        assert!(strangers.may_try(at("2001:db8:1:2:ffff::9"), now).is_err());
        assert!(strangers.may_try(at("2001:db8:1:3::1"), now).is_ok());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (strangers, now) = (Strangers::new(1), Instant::now());
        for number in 0..(MOST as u32 * 2 + 5) {
            strangers.count(Some(IpAddr::V4(number.into())), now);
        }
        assert!(strangers.paces.lock().unwrap().len() <= MOST);
    }
}
