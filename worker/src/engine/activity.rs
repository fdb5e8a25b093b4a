//! Whether the engine still moves: its thread says so, the heartbeat asks.
//! What must stay true: an engine that has nothing to do is never silent.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When the engine last gave a sign of life, if it is at work.
#[derive(Debug, Default)]
pub(crate) struct Activity(Mutex<Option<Instant>>);

impl Activity {
    /// How long an engine at work has said nothing.
    pub(crate) fn silent_for(&self) -> Duration {
        self.last().map_or(Duration::ZERO, |last| last.elapsed())
    }

    pub(super) fn set(&self, last: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
