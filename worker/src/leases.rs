//! The jobs that this worker holds under a lease: how far each is, and whether its lease still stands.
//! Intake takes them on, the engine writes progress into them, the heartbeat reads them. What must stay true: a job is
//! listed for as long as anybody here has its [`Leased`], and when the last one lets go, however that comes about, its
//! place in the list, its room and its message at the queue are given up together.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use jobs::{Beat, Lease, Said, Stage, Ticket};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

/// One claimed job, until its end.
#[derive(Debug)]
pub(crate) struct Leased {
    /// Goes with every word about the job.
    pub(crate) lease: Lease,
    /// Names the job in every line of the log that is about it, and is part of the trace of whoever handed it in.
    pub(crate) span: Span,
    /// When it was claimed.
    pub(crate) since: Instant,
    lost: AtomicBool,
    stage: Mutex<Option<Stage>>,
    /// What nobody has been told yet.
    said: Mutex<Vec<Said>>,
    /// Of the queue: given up with the lease, which may be over before this is dropped.
    ticket: Mutex<Ticket>,
    /// Room for one more job once this is dropped.
    _room: OwnedSemaphorePermit,
    /// And for what its picture takes.
    memory: Mutex<Option<OwnedSemaphorePermit>>,
    listed: Arc<Mutex<Listed>>,
}

type Listed = HashMap<Lease, Weak<Leased>>;

/// The jobs of these leases, for a line of the log that is about all of them.
pub(crate) fn names(leases: impl IntoIterator<Item = Lease>) -> String {
    let jobs = leases.into_iter().map(|lease| lease.job.to_string());
    jobs.collect::<Vec<_>>().join(" ")
}

impl Leased {
    /// Whether the job was cancelled or taken away: nobody wants its result.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Nobody wants its result from now on. The queue need not wait until the engine has noticed.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        drop(std::mem::take(&mut *locked(&self.ticket)));
    }

    /// Keeps the room that its picture takes until the job's end.
    pub(crate) fn keep(&self, memory: OwnedSemaphorePermit) {
        *locked(&self.memory) = Some(memory);
    }

    /// Says how far the job is; the next heartbeat passes it on.
    pub(crate) fn set_stage(&self, stage: Stage) {
        *locked(&self.stage) = Some(stage);
    }
}

impl Leased {
    /// Says what has become known of the job; the next heartbeat passes it on.
    pub(crate) fn say(&self, said: Said) {
        locked(&self.said).push(said);
    }

    /// What is still to be passed on, for whoever writes the end of the job.
    pub(crate) fn unsaid(&self) -> Vec<Said> {
        std::mem::take(&mut *locked(&self.said))
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        locked(&self.listed).remove(&self.lease);
    }
}

/// All claimed jobs of this worker.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    listed: Arc<Mutex<Listed>>,
}

impl Leases {
    /// Lists a job that was just claimed.
    pub(crate) fn take(
        &self,
        lease: Lease,
        span: Span,
        ticket: Ticket,
        room: OwnedSemaphorePermit,
    ) -> Arc<Leased> {
        let leased = Arc::new(Leased {
            lease,
            span,
            since: Instant::now(),
            lost: AtomicBool::new(false),
            stage: Mutex::new(None),
            said: Mutex::default(),
            ticket: Mutex::new(ticket),
            _room: room,
            memory: Mutex::new(None),
            listed: self.listed.clone(),
        });
        locked(&self.listed).insert(lease, Arc::downgrade(&leased));
        leased
    }

    /// Those whose lease stands as far as is known here.
    pub(crate) fn standing(&self) -> Vec<Arc<Leased>> {
        // upgraded under the lock, looked at and let go of outside it: letting go of the last one takes the lock
        let listed: Vec<_> = locked(&self.listed)
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        listed
            .into_iter()
            .filter(|leased| !leased.is_lost())
            .collect()
    }

    /// A sign of life for every job, with its progress if there is any since the last one.
    pub(crate) fn beats(&self) -> Vec<Beat> {
        let beat = |leased: &Arc<Leased>| Beat {
            lease: leased.lease,
            stage: locked(&leased.stage).take(),
            // kept until the store has answered; said twice does no harm
            said: locked(&leased.said).clone(),
        };
        self.standing().iter().map(beat).collect()
    }

    /// Marks the jobs of these beats that do not stand any more as lost, and answers with them.
    pub(crate) fn keep(&self, beats: &[Beat], standing: &HashSet<Lease>) -> Vec<Lease> {
        let beaten: HashMap<Lease, &Beat> = beats.iter().map(|beat| (beat.lease, beat)).collect();
        let mut lost = Vec::new();
        for leased in self.standing() {
            let Some(beat) = beaten.get(&leased.lease) else {
                continue;
            };
            if standing.contains(&leased.lease) {
                let mut said = locked(&leased.said);
                let passed_on = beat.said.len().min(said.len());
                said.drain(..passed_on);
            } else {
                leased.lose();
                lost.push(leased.lease);
            }
        }
        lost
    }
}

/// What is kept under these locks is whole between any two calls, whoever panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_line_about_several_jobs_names_each() {
        let lease = |number| Lease {
            job: Uuid::from_u128(number),
            number: 1,
        };
        let (one, other) = (lease(1), lease(2));
        let named = names([one, other]);
        assert_eq!(named, format!("{} {}", one.job, other.job));
    }
}
