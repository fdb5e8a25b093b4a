//! The jobs that this worker holds: how far each is, and whether its lease still stands.
//! Intake takes holds, the engine writes progress into them, the heartbeat reads them. What must stay true: a hold
//! is listed from its claim until its outcome is written, and one that is lost is never heard of again.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jobs::{Beat, Lease, Stage};
use tokio::sync::OwnedSemaphorePermit;

/// One claimed job.
#[derive(Debug)]
pub(crate) struct Hold {
    /// Goes with every word about the job.
    pub(crate) lease: Lease,
    /// When it was claimed.
    pub(crate) since: Instant,
    lost: AtomicBool,
    stage: Mutex<Option<Stage>>,
    /// Room for one more job once the hold is dropped.
    _room: OwnedSemaphorePermit,
}

impl Hold {
    /// Whether the job was cancelled or taken away: nobody wants its result.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Says how far the job is; the next heartbeat passes it on.
    pub(crate) fn set_stage(&self, stage: Stage) {
        *locked(&self.stage) = Some(stage);
    }
}

/// All claimed jobs of this worker.
#[derive(Debug, Default)]
pub(crate) struct Held {
    holds: Mutex<HashMap<Lease, Arc<Hold>>>,
}

impl Held {
    /// Lists a job that was just claimed.
    pub(crate) fn take(&self, lease: Lease, room: OwnedSemaphorePermit) -> Arc<Hold> {
        let hold = Arc::new(Hold {
            lease,
            since: Instant::now(),
            lost: AtomicBool::new(false),
            stage: Mutex::new(None),
            _room: room,
        });
        locked(&self.holds).insert(lease, hold.clone());
        hold
    }

    /// Forgets a job whose outcome is written.
    pub(crate) fn release(&self, lease: Lease) {
        locked(&self.holds).remove(&lease);
    }

    /// A sign of life for every job, with its progress if there is any since the last one.
    pub(crate) fn beats(&self) -> Vec<Beat> {
        let beat = |hold: &Arc<Hold>| Beat {
            lease: hold.lease,
            stage: locked(&hold.stage).take(),
        };
        locked(&self.holds).values().map(beat).collect()
    }

    /// Marks the jobs of these beats that do not stand any more as lost, and answers with them.
    pub(crate) fn keep(&self, beats: &[Beat], standing: &HashSet<Lease>) -> Vec<Lease> {
        let mut holds = locked(&self.holds);
        let gone = beats
            .iter()
            .map(|beat| beat.lease)
            .filter(|lease| !standing.contains(lease));
        gone.filter(|lease| {
            holds
                .remove(lease)
                .inspect(|hold| hold.lost.store(true, Ordering::Relaxed))
                .is_some()
        })
        .collect()
    }
}

/// What is kept under these locks is whole between any two calls, whoever panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
