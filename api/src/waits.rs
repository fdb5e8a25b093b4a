//! How many event streams and waits one caller has open at once.
//! The handlers that keep a connection take a [`Place`] before they do. What must stay true: no caller holds all connections of
//! the service, a place is free again however its answer ends, and only callers who wait just now are remembered.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::allowance::Allowance;
use crate::error::{Error, Kind, Result};
use crate::origin::network;

/// What the limit is called in headers.
const NAME: &str = "waits";
/// A wait ends after a minute, a stream with its story: some end all the time.
const RETRY: u64 = 5;

/// Who waits: a key, or an address where nobody is asked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Key(Uuid),
    Address(IpAddr),
}

type Open = Arc<Mutex<HashMap<Who, usize>>>;

/// The streams and waits of all callers.
#[derive(Debug)]
pub(crate) struct Waits {
    most: usize,
    open: Open,
}

/// One of them. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Place {
    open: Open,
    who: Who,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        if let Some(count) = open.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.who);
            }
        }
    }
}

impl Waits {
    /// With so many at once for each caller.
    pub(crate) fn new(most: usize) -> Self {
        Waits {
            most: most.max(1),
            open: Open::default(),
        }
    }

    /// A place to wait in. Whoever asks from this machine without a key has no number of his own: it may be a proxy that the
    /// service was not told of, with everybody behind it.
    ///
    /// # Errors
    /// `too_many_waits`.
    pub(crate) fn enter(&self, key: Option<Uuid>, from: Option<IpAddr>) -> Result<Option<Place>> {
        let who = match (key, from) {
            (Some(key), _) => Who::Key(key),
            (None, Some(address)) if !address.is_loopback() => Who::Address(network(address)),
            (None, _) => return Ok(None),
        };
        self.place(who).map(Some)
    }

    fn place(&self, who: Who) -> Result<Place> {
        let mut open = locked(&self.open);
        let count = open.get(&who).copied().unwrap_or_default();
        if count >= self.most {
            return Err(self.refusal());
        }
        open.insert(who, count + 1);
        Ok(Place {
            open: Arc::clone(&self.open),
            who,
        })
    }

    fn refusal(&self) -> Error {
        let most = self.most;
        Error::Limited {
            kind: Kind::TooManyWaits,
            message: format!(
                "you have {most} event streams and waits open, which is the most one caller may have; end one, or ask without `wait`"
            ),
            allowance: Allowance {
                name: NAME,
                most: u32::try_from(most).unwrap_or(u32::MAX),
                left: 0,
                again: Some(RETRY),
            },
        }
    }
}

/// Numbers are whole between any two calls, whoever panicked.
fn locked(open: &Open) -> MutexGuard<'_, HashMap<Who, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_so_many_places_and_each_is_free_again_when_it_is_left() {
        let waits = Waits::new(2);
        let (one, other) = (Who::Key(Uuid::from_u128(1)), Who::Key(Uuid::from_u128(2)));
        let held = [waits.place(one).unwrap(), waits.place(one).unwrap()];
        assert_eq!(waits.place(one).unwrap_err().kind(), Kind::TooManyWaits);
        let others = waits.place(other).unwrap();
        drop(held);
        drop(waits.place(one).unwrap());
        drop(others);
        let left = locked(&waits.open).len();
        assert_eq!(left, 0, "who has gone is forgotten");
    }
}
