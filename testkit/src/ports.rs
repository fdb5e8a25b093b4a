//! Ports for servers that cannot be told to take any free one. What must stay true: none is another test's, neither of
//! this process nor of one beside it, from when it is handed out until this process ends.

use std::fs::File;
use std::net::TcpListener;
use std::sync::Mutex;

/// Where ports begin that no service of a machine usually has.
const FIRST: u16 = 15_000;
/// Ports that are handed out to whoever asks the system for any begin here, unless it says otherwise.
const USUAL_END: u16 = 32_768;

/// Locks of all ports that this process was given.
static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port on which nobody listens, and which is given to nobody else.
///
/// # Panics
/// When there is none.
pub fn reserve() -> u16 {
    let folder = std::env::temp_dir().join("storyteller-test-ports");
    std::fs::create_dir_all(&folder).unwrap();
    let mut taken = TAKEN.lock().unwrap();
    for port in FIRST..end() {
        // an empty file a port, which stays; the lock goes with the process, however that ends
        let lock = File::create(folder.join(port.to_string())).unwrap();
        if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            taken.push(lock);
            return port;
        }
    }
    panic!("no port between {FIRST} and {} is free", end());
}

/// As many of them.
pub fn several<const N: usize>() -> [u16; N] {
    [(); N].map(|()| reserve())
}

/// Where the system's own choice begins: a port from there may be taken by any connection at any time.
fn end() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = range
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok());
    first.filter(|first| *first > FIRST).unwrap_or(USUAL_END)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_on_which_somebody_listens() {
        let first: [u16; 8] = several();
        let listening = TcpListener::bind(("127.0.0.1", first[7] + 1));
        let second: [u16; 8] = several();
        let all: BTreeSet<u16> = first.into_iter().chain(second).collect();
        assert_eq!(all.len(), 16);
        if let Ok(listening) = listening {
            assert!(!second.contains(&listening.local_addr().unwrap().port()));
        }
        assert!(all.last().is_some_and(|last| *last < end()));
    }
}
