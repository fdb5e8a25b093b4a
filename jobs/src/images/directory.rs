//! Pictures as files in a directory, for the service in one process.
//! What must stay true: a name appears only when its bytes are on the disk (temporary file, fsync, hard link),
//! and a name that exists is never replaced, because a hard link cannot.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use sha2::{Digest as _, Sha256};

use super::{Images, check_key};
use crate::error::{Error, Result};

/// The name of the directory in errors.
const PLACE: &str = "the picture folder";
/// Half-written files live here.
const UNFINISHED: &str = "unfinished";
/// Older ones were left by a crash: nobody writes a picture for so long.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// A directory of pictures.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<Path>,
}

impl Directory {
    /// Opens the directory, makes it if need be, and clears away what a crash left half written.
    ///
    /// # Errors
    /// `Disk` when it cannot be made or written to.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let unfinished = root.join(UNFINISHED);
        let opened = fs::create_dir_all(&unfinished)
            .and_then(|()| clear_abandoned(&unfinished, SystemTime::now()));
        opened.map_err(|cause| Error::Disk {
            doing: "use the picture folder",
            path: root.clone(),
            cause,
        })?;
        Ok(Directory { root: root.into() })
    }

    /// 256 folders, so that none grows too large to look into.
    fn file(&self, key: &str) -> PathBuf {
        let digest = Sha256::digest(key.as_bytes());
        self.root.join(hex::encode(&digest[..1])).join(key)
    }

    /// Runs a step on a thread that may block.
    async fn step<T, F>(&self, doing: &'static str, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Directory) -> std::result::Result<T, Failure> + Send + 'static,
    {
        let directory = self.clone();
        match tokio::task::spawn_blocking(move || step(&directory)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::Known(error))) => Err(error),
            Ok(Err(Failure::System(cause))) => Err(Error::Unavailable {
                place: PLACE,
                doing,
                cause: cause.into(),
            }),
            Err(panic) => Err(Error::unexpected(doing, panic)),
        }
    }
}

/// Either an answer, or trouble with the disk.
enum Failure {
    Known(Error),
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(cause: io::Error) -> Self {
        Failure::System(cause)
    }
}

impl Images for Directory {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes) -> BoxFuture<'a, Result<()>> {
        async move {
            check_key(key)?;
            let key = key.to_owned();
            self.step("keep a picture", move |directory| {
                let unfinished = directory.root.join(UNFINISHED);
                create(&directory.file(&key), &unfinished, &bytes).map_err(|cause| {
                    match cause.kind() {
                        ErrorKind::AlreadyExists => Failure::Known(Error::ImageExists { key }),
                        _ => Failure::System(cause),
                    }
                })
            })
            .await
        }
        .boxed()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Bytes>> {
        async move {
            check_key(key)?;
            let key = key.to_owned();
            self.step("read a picture", move |directory| {
                match fs::read(directory.file(&key)) {
                    Err(cause) if cause.kind() == ErrorKind::NotFound => {
                        Err(Failure::Known(Error::ImageMissing { key }))
                    }
                    read => Ok(read?.into()),
                }
            })
            .await
        }
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            check_key(key)?;
            let key = key.to_owned();
            self.step("remove a picture", move |directory| {
                match fs::remove_file(directory.file(&key)) {
                    Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
                    removed => Ok(removed?),
                }
            })
            .await
        }
        .boxed()
    }

    /// Writes and syncs a byte: a full disk or a folder that is gone shows here before a caller meets it.
    fn ping(&self) -> BoxFuture<'_, Result<()>> {
        self.step("write to it", |directory| {
            let mut file = tempfile::tempfile_in(directory.root.join(UNFINISHED))?;
            file.write_all(b"\n")?;
            Ok(file.sync_all()?)
        })
        .boxed()
    }
}

/// Brings a new file into being in one step. The temporary one goes away in any case.
fn create(file: &Path, unfinished: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or(ErrorKind::InvalidInput)?;
    if fs::create_dir(folder).is_ok() {
        sync_folder(folder.parent().ok_or(ErrorKind::InvalidInput)?)?;
    }
    let mut temporary = tempfile::NamedTempFile::new_in(unfinished)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    fs::hard_link(temporary.path(), file)?;
    sync_folder(folder)
}

/// The name is an entry of the folder, which reaches the disk by itself only some time later.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn clear_abandoned(unfinished: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(unfinished)? {
        let entry = entry?;
        let age = entry
            .metadata()
            .and_then(|about| about.modified())
            .map(|at| now.duration_since(at).unwrap_or_default());
        if age.is_ok_and(|age| age > ABANDONED_AFTER) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_a_crash_left_half_written_is_cleared_away_after_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("left");
        fs::write(&left, b"half").unwrap();
        clear_abandoned(folder.path(), SystemTime::now()).unwrap();
        assert!(left.exists());
        clear_abandoned(folder.path(), SystemTime::now() + 2 * ABANDONED_AFTER).unwrap();
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_unavailable() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = Directory::open(folder.path().join("pictures")).unwrap();
        pictures.ping().await.unwrap();
        fs::remove_dir_all(folder.path().join("pictures")).unwrap();
        assert!(pictures.ping().await.unwrap_err().is_unavailable());
        assert!(
            pictures
                .put("a", Bytes::new())
                .await
                .unwrap_err()
                .is_unavailable()
        );
    }
}
