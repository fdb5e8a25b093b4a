//! Bytes as a file: readers of large files map them, so they take a path.
//! Each thread has one, filled anew for each check and gone with the thread: making files is what a fuzzer would wait for.

use std::cell::RefCell;
use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// What `read` says of a file with these bytes. Each time the same file, in memory where the system has such a place.
pub(crate) fn with_file<T>(bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static FILE: RefCell<NamedTempFile> = RefCell::new(
            NamedTempFile::new_in("/dev/shm").or_else(|_| NamedTempFile::new()).unwrap()
        );
    }
    FILE.with_borrow_mut(|file| {
        let mut open = file.as_file();
        open.set_len(0).unwrap();
        std::io::Seek::rewind(&mut open).unwrap();
        open.write_all(bytes).unwrap();
        read(file.path())
    })
}
