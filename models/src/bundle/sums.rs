//! Compares files with their sha256, and remembers which were found right.
//!
//! Hashing the six gigabytes of an original bundle takes ten seconds and more, so a worker does it once: the cache then
//! holds a stamp with the file's sum, size, inode and times of its last changes, and as long as all of these are the same
//! the file is not read again. A file that was changed less than two seconds ago gets no stamp: the clock of the file
//! system might not tell its next change. What no stamp can see, decay of the disk, `storyteller doctor` finds.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Changes that are nearer to each other may bear the same time.
const COARSEST_CLOCK: Duration = Duration::from_secs(2);

/// Checks files, with or without memory.
#[derive(Debug)]
pub(super) struct Sums {
    stamps: Option<PathBuf>,
}

impl Sums {
    /// Hashes every file every time.
    pub(super) fn forgetful() -> Self {
        Self { stamps: None }
    }

    /// Keeps stamps in `cache`.
    pub(super) fn remembered_in(cache: &Path) -> Self {
        Self {
            stamps: Some(cache.join("verified")),
        }
    }

    /// Whether `file` has the sum `wanted`, from memory if nothing has changed since; if not, the reason.
    pub(super) fn check(&self, file: &Path, wanted: &str) -> Result<(), String> {
        if self.recalled(file) == Some(wanted.to_lowercase()) {
            return Ok(());
        }
        self.check_anew(file, wanted)
    }

    /// Hashes `file` and compares; remembers a good result.
    pub(super) fn check_anew(&self, file: &Path, wanted: &str) -> Result<(), String> {
        let unreadable = |error| format!("{} cannot be read: {error}", file.display());
        let opened = File::open(file).map_err(unreadable)?;
        let before = opened.metadata().map_err(unreadable)?;
        let found = digest(opened).map_err(unreadable)?;
        if found != wanted.to_lowercase() {
            let name = file.file_name().unwrap_or_default().display();
            return Err(format!(
                "{name} has sha256 {found}, not {wanted}: fetch the bundle again"
            ));
        }
        self.remember(file, &before, wanted);
        Ok(())
    }

    /// The sum of `file`, from memory if nothing has changed since.
    fn of(&self, file: &Path) -> crate::error::Result<String> {
        if let Some(sum) = self.recalled(file) {
            return Ok(sum);
        }
        let unreadable = |error| crate::error::Error::file("read", file, error);
        let seen = std::fs::metadata(file).map_err(unreadable)?;
        let sum = sha256_of_file(file)?;
        self.remember(file, &seen, &sum);
        Ok(sum)
    }

    /// The sum that a file was found to have, if it has not changed since.
    fn recalled(&self, file: &Path) -> Option<String> {
        let kept = std::fs::read_to_string(self.stamp_of(file)?).ok()?;
        let sum = kept.split_whitespace().last()?;
        let now = std::fs::metadata(file).ok()?;
        (kept == words(&now, sum)).then(|| sum.to_owned())
    }

    /// A stamp that cannot be written costs time at the next start, nothing else.
    fn remember(&self, file: &Path, seen: &Metadata, sum: &str) {
        let Some(stamp) = self.stamp_of(file).filter(|_| is_settled(seen)) else {
            return;
        };
        let folder = stamp.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written = folder
            .map_err(|error| crate::error::Error::file("make the folder of", &stamp, error))
            .and_then(|()| crate::durable::write(&stamp, words(seen, sum)));
        if let Err(error) = written {
            tracing::debug!("the sum of {} is not remembered: {error}", file.display());
        }
    }

    fn stamp_of(&self, file: &Path) -> Option<PathBuf> {
        let folder = self.stamps.as_ref()?;
        let place = std::fs::canonicalize(file).ok()?;
        Some(folder.join(sha256(place.as_os_str().as_encoded_bytes())))
    }
}

/// Whether the next change of a file will bear another time than this one.
fn is_settled(seen: &Metadata) -> bool {
    let changed = seen.modified().ok();
    let age = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
    age > Some(COARSEST_CLOCK)
}

/// A stamp: equal words mean an unchanged file.
fn words(seen: &Metadata, sum: &str) -> String {
    format!(
        "{} {} {}.{:09} {}.{:09} {}\n",
        seen.len(),
        seen.ino(),
        seen.mtime(),
        seen.mtime_nsec(),
        seen.ctime(),
        seen.ctime_nsec(),
        sum.to_lowercase()
    )
}

/// The sha256 of some bytes, in hexadecimal: what `[files]` holds.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The sha256 of a file that no bundle has a sum of, in hexadecimal; as long as it does not change it is read once, and `cache`
/// remembers.
///
/// # Errors
/// When it cannot be read.
pub fn remembered_sum(file: &Path, cache: &Path) -> crate::error::Result<String> {
    Sums::remembered_in(cache).of(file)
}

/// The sha256 of a file of any size, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of_file(path: &Path) -> crate::error::Result<String> {
    let read = File::open(path).and_then(digest);
    read.map_err(|error| crate::error::Error::file("read", path, error))
}

fn digest(mut file: File) -> std::io::Result<String> {
    let mut sum = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&sum.finalize())),
            length => sum.update(&piece[..length]),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A file that was last changed `age` seconds ago.
    fn file(folder: &Path, bytes: &[u8], age: u64) -> PathBuf {
        let path = folder.join("weights");
        std::fs::write(&path, bytes).unwrap();
        let then = SystemTime::now() - Duration::from_secs(age);
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(then)
            .unwrap();
        path
    }

    fn stamps(cache: &Path) -> usize {
        std::fs::read_dir(cache.join("verified")).map_or(0, Iterator::count)
    }

    #[test]
    fn a_file_is_hashed_once_and_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let sums = Sums::remembered_in(&cache);
        let path = file(folder.path(), b"good", 60);
        sums.check(&path, &sha256(b"good")).unwrap();
        assert_eq!(stamps(&cache), 1);
        // a stamp that says so is believed: the file is not read
        let stamp = sums.stamp_of(&path).unwrap();
        let lie = words(&std::fs::metadata(&path).unwrap(), &sha256(b"other"));
        std::fs::write(&stamp, lie).unwrap();
        sums.check(&path, &sha256(b"other")).unwrap();
        assert!(sums.check_anew(&path, &sha256(b"other")).is_err());
        sums.check(&path, &sha256(b"good")).unwrap();
        let path = file(folder.path(), b"evil", 60);
        let reason = sums.check(&path, &sha256(b"good")).unwrap_err();
        assert!(reason.contains("weights has sha256"), "{reason}");
    }

    #[test]
    fn a_sum_is_remembered_until_its_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let path = file(folder.path(), b"good", 60);
        for _ in 0..2 {
            assert_eq!(remembered_sum(&path, &cache).unwrap(), sha256(b"good"));
            assert_eq!(stamps(&cache), 1);
        }
        let path = file(folder.path(), b"evil", 60);
        assert_eq!(remembered_sum(&path, &cache).unwrap(), sha256(b"evil"));
        let gone = folder.path().join("gone");
        let error = remembered_sum(&gone, &cache).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }

    #[test]
    fn a_file_changed_just_now_gets_no_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let path = file(folder.path(), b"good", 0);
        Sums::remembered_in(&cache)
            .check(&path, &sha256(b"good"))
            .unwrap();
        assert_eq!(stamps(&cache), 0);
    }

    #[test]
    fn a_file_of_many_pieces_has_the_sum_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![7; (3 << 20) + 5];
        let path = file(folder.path(), &bytes, 0);
        assert_eq!(sha256_of_file(&path).unwrap(), sha256(&bytes));
        Sums::forgetful()
            .check(&path, &sha256(&bytes).to_uppercase())
            .unwrap();
    }
}
