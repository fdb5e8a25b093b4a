//! Which receivers of webhooks get how many of the places: those that answer quickly, strangers, and slow ones.
//! The dispatcher notes every attempt here and asks before it claims. What must stay true: whatever names callers give,
//! those who answer quickly always find places, and nobody waits for a slow one but who wants to reach it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// As many hosts are remembered; then all are strangers again.
const REMEMBERED: usize = 10_000;

/// What is known of the receivers, and which are being sent to.
#[derive(Debug)]
pub(super) struct Peers {
    slow_after: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Hosts that have answered in time, the last time.
    quick: HashSet<String>,
    /// Hosts that have not.
    slow: HashSet<String>,
    /// Attempts under way, by host.
    sending: HashMap<u64, (String, Instant)>,
    next: u64,
}

/// Who may be sent to next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Known to be quick.
    pub(super) quick: Vec<String>,
    /// Known to be slow.
    pub(super) slow: Vec<String>,
    /// No place for a host that is not known to be quick.
    pub(super) quick_only: bool,
    /// No place for a host that is known to be slow.
    pub(super) no_slow: bool,
}

impl Peers {
    /// Slow is who has not answered for so long.
    pub(super) fn new(slow_after: Duration) -> Self {
        Peers {
            slow_after,
            known: Mutex::default(),
        }
    }

    /// An attempt begins; its number goes to [`Peers::ended`].
    pub(super) fn begun(&self, host: &str) -> u64 {
        let mut known = self.known();
        known.next += 1;
        let number = known.next;
        known
            .sending
            .insert(number, (host.to_owned(), Instant::now()));
        number
    }

    /// An attempt has ended.
    pub(super) fn ended(&self, number: u64) {
        let mut known = self.known();
        let Some((host, begun)) = known.sending.remove(&number) else {
            return;
        };
        if known.quick.len() + known.slow.len() >= REMEMBERED {
            known.quick.clear();
            known.slow.clear();
        }
        if begun.elapsed() < self.slow_after {
            known.slow.remove(&host);
            known.quick.insert(host);
        } else {
            known.quick.remove(&host);
            known.slow.insert(host);
        }
    }

    /// Who may be sent to, if `at_once` attempts may be under way in all: three quarters of the places are for others
    /// than the quick, a quarter for the slow.
    pub(super) fn choice(&self, at_once: usize) -> Choice {
        let mut known = self.known();
        let late: Vec<String> = known
            .sending
            .values()
            .filter(|(_, begun)| begun.elapsed() >= self.slow_after)
            .map(|(host, _)| host.clone())
            .collect();
        for host in late {
            known.quick.remove(&host);
            known.slow.insert(host);
        }
        let count = |is: &dyn Fn(&str) -> bool| {
            let hosts = known.sending.values();
            hosts.filter(|(host, _)| is(host)).count()
        };
        let others = count(&|host| !known.quick.contains(host));
        let slow = count(&|host| known.slow.contains(host));
        Choice {
            quick: known.quick.iter().cloned().collect(),
            slow: known.slow.iter().cloned().collect(),
            quick_only: others >= (at_once * 3).div_ceil(4),
            no_slow: slow >= at_once.div_ceil(4),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // sets and numbers are whole between any two calls, whoever panicked
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_leave_a_quarter_of_the_places_to_the_quick() {
        let peers = Peers::new(Duration::from_secs(3600));
        let first = peers.begun("quick");
        peers.ended(first);
        let strangers: Vec<u64> = (0..6)
            .map(|n| peers.begun(&format!("stranger-{n}")))
            .collect();
        let choice = peers.choice(8);
        assert!(choice.quick_only && !choice.no_slow, "{choice:?}");
        assert_eq!(choice.quick, ["quick"]);
        peers.ended(strangers[0]);
        assert!(!peers.choice(8).quick_only);
    }

    #[test]
    fn who_does_not_answer_is_slow_before_the_attempt_has_ended_and_quick_again_after_a_good_one() {
        let peers = Peers::new(Duration::ZERO);
        let attempts = [peers.begun("slow"), peers.begun("slow")];
        let choice = peers.choice(8);
        assert!(choice.no_slow && !choice.quick_only, "{choice:?}");
        assert_eq!(choice.slow, ["slow"]);
        for attempt in attempts {
            peers.ended(attempt);
        }
        assert!(!peers.choice(8).no_slow, "its places are free again");

        let patient = Peers::new(Duration::from_secs(3600));
        patient.known().slow.insert("slow".to_owned());
        patient.ended(patient.begun("slow"));
        assert_eq!(patient.choice(8).quick, ["slow"]);
    }
}
