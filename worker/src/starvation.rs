//! How long this process waited for a processor: an engine that the machine leaves none hangs as little as it moves.
//! The watch in `heartbeat` takes it off an engine's silence. Linux counts it for each thread; elsewhere nothing is taken off.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Where each thread of this process has a folder.
const THREADS: &str = "/proc/self/task";

/// What was waited for while the engine was silent.
#[derive(Debug, Default)]
pub(crate) struct Starvation {
    /// What each thread had waited for at the last look.
    before: HashMap<OsString, Duration>,
    during_silence: Duration,
}

impl Starvation {
    /// Of a silence that has lasted so long until now, the part in which the engine could have moved; asked for again and
    /// again.
    pub(crate) fn counted(&mut self, silence: Duration) -> Duration {
        let waits = waits(Path::new(THREADS));
        self.counted_with(silence, waits)
    }

    fn counted_with(&mut self, silence: Duration, waits: HashMap<OsString, Duration>) -> Duration {
        // which threads are the engine's is not asked: those that sleep, as all others do while it is silent, wait for nothing
        let grown = waits.iter().filter_map(|(thread, &wait)| {
            let before = self.before.get(thread)?;
            Some(wait.saturating_sub(*before))
        });
        let longest = grown.max().unwrap_or_default();
        self.before = waits;
        // a silence that began after the last look is shorter than what was waited for before it
        self.during_silence = (self.during_silence + longest).min(silence);
        silence - self.during_silence
    }
}

/// What each thread has waited for since it began, while it could have run.
fn waits(threads: &Path) -> HashMap<OsString, Duration> {
    let Ok(threads) = fs::read_dir(threads) else {
        return HashMap::new();
    };
    let wait = |thread: fs::DirEntry| {
        let said = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        // nanoseconds on a processor, nanoseconds of waiting for one, how often it got one
        let nanoseconds = said.split_whitespace().nth(1)?.parse().ok()?;
        Some((thread.file_name(), Duration::from_nanos(nanoseconds)))
    };
    threads.flatten().filter_map(wait).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn of(waits: &[(&str, u64)]) -> HashMap<OsString, Duration> {
        let of = |&(thread, wait): &(&str, u64)| (OsString::from(thread), seconds(wait));
        waits.iter().map(of).collect()
    }

    #[test]
    fn a_silence_counts_without_what_was_waited_for_in_it() {
        let mut starvation = Starvation::default();
        let mut look =
            |silence, waits: &[(&str, u64)]| starvation.counted_with(seconds(silence), of(waits));
        assert_eq!(
            look(5, &[("1", 100), ("2", 40)]),
            seconds(5),
            "nobody knows since when"
        );
        assert_eq!(look(10, &[("1", 100), ("2", 44)]), seconds(6));
        assert_eq!(look(15, &[("1", 101), ("2", 49), ("3", 90)]), seconds(6));
        // it moved in between
        assert_eq!(look(2, &[("1", 101), ("2", 52)]), seconds(0));
        assert_eq!(
            look(7, &[("1", 101), ("2", 52)]),
            seconds(5),
            "one that sleeps hangs"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_say_how_long_they_waited() {
        let own = waits(Path::new(THREADS));
        assert!(
            own.len() > 1,
            "the harness has a thread of its own: {own:?}"
        );
        assert_eq!(waits(Path::new("/nowhere")), HashMap::new());
    }
}
