//! The names of the bundle's own styles, as they were read a moment ago: every submit asks whether its style is one of them, and
//! they change when a worker with another bundle starts.
//! Submits ask; `styles.rs` tells. What must stay true: only a yes is remembered. Who asks for another style, perhaps one that
//! was added this moment, is answered by the database.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Store;
use crate::error::Result;
use crate::job::StyleEntry;

/// A style of a bundle that has just left is told by nobody: the worker says so then instead of the API.
const KEPT: Duration = Duration::from_secs(1);

/// The names, and when they were read.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<Option<(Instant, HashSet<String>)>>);

impl Latest {
    pub(super) fn learn(&self, styles: &[StyleEntry]) {
        let names = styles.iter().map(|style| style.name.clone()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), names));
    }

    fn has(&self, names: &[String]) -> bool {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().is_some_and(|(read, known)| {
            read.elapsed() < KEPT && names.iter().all(|name| known.contains(name))
        })
    }
}

impl Store {
    /// Whether all of these are styles of the bundle itself, as far as is known without asking.
    pub(super) fn are_of_the_bundle(&self, names: &[String]) -> bool {
        self.own_styles.has(names)
    }

    /// Whether all of these can be asked for; true as long as no worker has said which can.
    ///
    /// # Errors
    /// `Unavailable` or `Unexpected`.
    pub async fn knows_styles(&self, names: &[String]) -> Result<bool> {
        if self.are_of_the_bundle(names) {
            return Ok(true);
        }
        let Some(catalogue) = self.styles().await? else {
            return Ok(true);
        };
        let known: HashSet<&str> = catalogue.styles.iter().map(|s| s.name.as_str()).collect();
        Ok(names.iter().all(|name| known.contains(name.as_str())))
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
        if let Some((read, _)) = &mut *latest.0.lock().unwrap_or_else(PoisonError::into_inner) {
            *read -= KEPT;
        }
        assert!(!latest.has(&names(&["sea"])));
    }
}
