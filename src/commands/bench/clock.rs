//! Wall time, processor time of this process and its largest size, from one moment to another.
//! `bench` reads everything that it reports here.

use std::collections::BTreeMap;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use super::report::Row;

/// A moment.
pub(super) struct Clock {
    begun: Instant,
    cpu: f64,
}

impl Clock {
    /// Now.
    pub(super) fn start() -> Self {
        Self {
            cpu: cpu_seconds(),
            begun: Instant::now(),
        }
    }

    /// Seconds since then.
    pub(super) fn wall(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Processor seconds since then, of all threads.
    pub(super) fn cpu(&self) -> f64 {
        cpu_seconds() - self.cpu
    }

    /// What was done since then, as a row.
    pub(super) fn row(&self, name: &str, items: usize) -> Row {
        Row {
            name: name.to_owned(),
            items,
            wall: self.wall(),
            cpu: self.cpu(),
            peak_mib: peak_mib(),
            first_sentence: None,
            tokens: None,
            stages: BTreeMap::new(),
        }
    }
}

fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 * 1e-9
}

/// The most memory that the process has had, as Linux counts it.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
