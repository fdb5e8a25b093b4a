//! Files seen as memory: what is not touched is not loaded, and what the system needs back it takes back.
//!
//! Weights, word tables and caption vectors are read through it, so that several workers share one copy in the
//! page cache. What must stay true: a file is never changed in place while somebody may have it open. Whoever writes
//! one writes beside its place and renames; a mapped file that is cut short ends the process.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use memmap2::{Advice, Mmap, UncheckedAdvice};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A file mapped for reading.
#[derive(Debug)]
pub struct Mapped {
    map: Mmap,
    path: PathBuf,
}

impl Mapped {
    /// Maps a file.
    ///
    /// # Errors
    /// When it cannot be opened or mapped.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error| Error::file("read", path, error);
        let file = File::open(path).map_err(failed)?;
        // SAFETY: the bytes may only change if somebody writes into the file in place; the module's rule forbids it,
        // and readers check every offset against the length that was mapped.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Self {
            map,
            path: path.to_owned(),
        })
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Where the file lies; for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that single rows will be read here and there: the system then reads no more than these.
    pub fn expect_scattered_reads(&self) {
        // a hint: a system that does not know it reads more than it must
        let _ = self.map.advise(Advice::Random);
    }

    /// Takes the pages out of this process; they stay in the system's cache and come back when touched.
    pub fn release(&self) {
        // SAFETY: the map is shared, read-only and backed by its file: dropped pages are read again with the same
        // bytes, so slices into it stay valid.
        let _ = unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn released_pages_come_back_with_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        let bytes: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let mapped = Mapped::open(&path).unwrap();
        mapped.expect_scattered_reads();
        assert_eq!(mapped.bytes(), bytes);
        mapped.release();
        assert_eq!(mapped.bytes(), bytes);
    }

    #[test]
    fn an_empty_file_is_no_bytes_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        std::fs::write(&path, b"").unwrap();
        assert!(Mapped::open(&path).unwrap().bytes().is_empty());
        let error = Mapped::open(&folder.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
