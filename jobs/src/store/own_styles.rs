//! The names of the bundle's own styles, as they were read a moment ago: every submit asks whether its style is one of them, and
//! they change when a worker with another bundle starts.
//! `styles.rs` asks and tells. What must stay true: only a yes is remembered. Who asks for another style, perhaps one that
//! was added this moment, is answered by the database.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::job::StyleEntry;

/// A style of a bundle that has just left is told by nobody: the worker says so then instead of the API.
const KEPT: Duration = Duration::from_secs(1);

/// The names, and when they were read.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<Option<(Instant, HashSet<String>)>>);

impl Latest {
    pub(super) fn learn(&self, styles: &[StyleEntry]) {
        let names = styles.iter().map(|style| style.name.clone()).collect();
        *self.lock() = Some((Instant::now(), names));
    }

    /// Whether all of these are among them, as far as is known without asking.
    pub(super) fn has(&self, names: &[String]) -> bool {
        self.lock().as_ref().is_some_and(|(read, known)| {
            read.elapsed() < KEPT && names.iter().all(|name| known.contains(name))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, HashSet<String>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_never_a_no_and_what_is_known_is_a_yes_for_a_moment() {
        let latest = Latest::default();
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert!(!latest.has(&names(&["sea"])));
        let style = |name: &str| StyleEntry {
            name: name.to_owned(),
            description: String::new(),
            passages: 0,
            source: String::new(),
        };
        latest.learn(&[style("sea"), style("gothic")]);
        assert!(latest.has(&names(&["sea", "gothic"])) && latest.has(&[]));
        assert!(!latest.has(&names(&["sea", "mine"])));
        if let Some((read, _)) = &mut *latest.lock() {
            *read -= KEPT;
        }
        assert!(!latest.has(&names(&["sea"])));
    }
}
