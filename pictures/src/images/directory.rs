//! Pictures as files in a directory, for the service in one process.
//! What must stay true: a name appears only when its bytes are on the disk (temporary file, fsync, hard link),
//! a name that exists is never replaced, because a hard link cannot, and the disk is not filled to its end.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::{Images, Kept, Reading, check_key, check_size};
use crate::error::{Error, Result};

/// The name of the directory in errors.
const PLACE: &str = "the picture folder";
/// Half-written files live here.
const UNFINISHED: &str = "unfinished";
/// How much of a picture is read at once.
const CHUNK: usize = 256 * 1024;
/// Fewer names than this are looked for in the next folder as well.
const PAGE: usize = 1000;
/// Older ones were left by a crash: nobody writes a picture for so long.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);
/// A folder on a server that is gone hangs for ever, and its callers with it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// A directory of pictures.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<Path>,
    /// So many bytes of the disk are left to others.
    leaves: u64,
    patience: Duration,
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
            .and_then(|()| clear_older(&unfinished, ABANDONED_AFTER).map(drop));
        opened.map_err(|cause| Error::Disk {
            doing: "use the picture folder",
            path: root.clone(),
            cause,
        })?;
        Ok(Directory {
            root: root.into(),
            leaves: 0,
            patience: ANSWERED_WITHIN,
        })
    }

    /// The same directory, which keeps no picture that would leave fewer bytes than this free on its disk: a database beside
    /// it stops when it cannot write.
    #[must_use]
    pub fn leaving(self, bytes: u64) -> Self {
        Directory {
            leaves: bytes,
            ..self
        }
    }

    /// Whether so many bytes may be written.
    fn check_room(&self, bytes: usize) -> io::Result<()> {
        if self.leaves == 0 {
            return Ok(());
        }
        let disk = rustix::fs::statvfs(&*self.root)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= self.leaves.saturating_add(bytes as u64) {
            return Ok(());
        }
        let message = format!(
            "{} MiB are free where {} lies, and {} stay free (--min-free-mib): make room there",
            free >> 20,
            self.root.display(),
            self.leaves >> 20
        );
        Err(io::Error::new(ErrorKind::StorageFull, message))
    }

    /// 256 folders, so that none grows too large to look into.
    fn file(&self, key: &str) -> PathBuf {
        self.root.join(hex::encode([folder_of(key)])).join(key)
    }

    /// The names with this beginning after `after`, by folder and then by name, from as many folders as make a page.
    fn names_after(&self, prefix: &str, after: Option<&str>) -> io::Result<Vec<Kept>> {
        let mut page = Vec::new();
        for folder in after.map_or(0, folder_of)..=u8::MAX {
            if page.len() >= PAGE {
                break;
            }
            let mut names = names_in(&self.root.join(hex::encode([folder])))?;
            names.retain(|kept| kept.key.starts_with(prefix));
            if let Some(after) = after.filter(|after| folder_of(after) == folder) {
                names.retain(|kept| kept.key.as_str() > after);
            }
            names.sort_by(|one, other| one.key.cmp(&other.key));
            page.append(&mut names);
        }
        Ok(page)
    }

    async fn next_chunk(&self, mut file: File) -> Result<Option<(Bytes, File)>> {
        self.step("read a picture", move |_| {
            let mut chunk = vec![0; CHUNK];
            let read = file.read(&mut chunk)?;
            chunk.truncate(read);
            Ok((read > 0).then(|| (chunk.into(), file)))
        })
        .await
    }

    /// Runs a step on a thread that may block.
    async fn step<T, F>(&self, doing: &'static str, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Directory) -> std::result::Result<T, Failure> + Send + 'static,
    {
        let directory = self.clone();
        let unavailable = |cause: io::Error| Error::Unavailable {
            place: PLACE,
            doing,
            cause: cause.into(),
        };
        // a thread that hangs is lost; whoever waited for it is not
        let step = tokio::task::spawn_blocking(move || step(&directory));
        match timeout(self.patience, step).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(Failure::Known(error)))) => Err(error),
            Ok(Ok(Err(Failure::System(cause)))) => Err(unavailable(cause)),
            Ok(Err(panic)) => Err(Error::unexpected(doing, panic)),
            Err(_) => Err(unavailable(ErrorKind::TimedOut.into())),
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
            check_size(key, bytes.len() as u64)?;
            let key = key.to_owned();
            self.step("keep a picture", move |directory| {
                directory.check_room(bytes.len())?;
                let unfinished = directory.root.join(UNFINISHED);
                create(&directory.file(&key), &unfinished, &bytes).map_err(|cause| {
                    match cause.kind() {
                        ErrorKind::AlreadyExists => Failure::Known(Error::Exists { key }),
                        _ => Failure::System(cause),
                    }
                })
            })
            .await
        }
        .boxed()
    }

    fn open<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Reading>> {
        async move {
            check_key(key)?;
            let key = key.to_owned();
            let (file, bytes) = self
                .step("read a picture", move |directory| {
                    let file =
                        File::open(directory.file(&key)).map_err(|cause| match cause.kind() {
                            ErrorKind::NotFound => {
                                Failure::Known(Error::Missing { key: key.clone() })
                            }
                            _ => Failure::System(cause),
                        })?;
                    let bytes = file.metadata()?.len();
                    check_size(&key, bytes).map_err(Failure::Known)?;
                    Ok((file, bytes))
                })
                .await?;
            let directory = self.clone();
            let chunks = stream::try_unfold(file, move |file| {
                let directory = directory.clone();
                async move { directory.next_chunk(file).await }
            });
            Ok(Reading {
                bytes,
                chunks: chunks.boxed(),
            })
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

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Kept>>> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.step("list the pictures", move |directory| {
            Ok(directory.names_after(&prefix, after.as_deref())?)
        })
        .boxed()
    }

    /// Half-written files have no name yet, but nobody else writes into this folder.
    fn clear_unfinished<'a>(&'a self, _: &'a str, age: Duration) -> BoxFuture<'a, Result<usize>> {
        self.step("clear away what is half written", move |directory| {
            Ok(clear_older(&directory.root.join(UNFINISHED), age)?)
        })
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

/// In which of the folders a name lies.
fn folder_of(key: &str) -> u8 {
    Sha256::digest(key.as_bytes())[0]
}

/// The names in one of the folders; none if no name has needed it yet.
fn names_in(folder: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        match (entry.file_name().into_string(), entry.metadata()) {
            (Ok(key), Ok(about)) if check_key(&key).is_ok() => names.push(Kept {
                key,
                at: about.modified()?,
            }),
            // another's file, or removed just now
            _ => {}
        }
    }
    Ok(names)
}

fn clear_older(unfinished: &Path, than: Duration) -> io::Result<usize> {
    let now = SystemTime::now();
    let mut cleared = 0;
    for entry in fs::read_dir(unfinished)? {
        let entry = entry?;
        let age = entry
            .metadata()
            .and_then(|about| about.modified())
            .map(|at| now.duration_since(at).unwrap_or_default());
        if age.is_ok_and(|age| age > than) && fs::remove_file(entry.path()).is_ok() {
            cleared += 1;
        }
    }
    Ok(cleared)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_a_crash_left_half_written_is_cleared_away_once_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("left");
        fs::write(&left, b"half").unwrap();
        assert_eq!(clear_older(folder.path(), ABANDONED_AFTER).unwrap(), 0);
        let hours = SystemTime::now() - 2 * ABANDONED_AFTER;
        File::options()
            .write(true)
            .open(&left)
            .unwrap()
            .set_modified(hours)
            .unwrap();
        assert_eq!(clear_older(folder.path(), ABANDONED_AFTER).unwrap(), 1);
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn a_folder_that_hangs_is_unavailable_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = Directory {
            patience: Duration::from_millis(50),
            ..Directory::open(folder.path()).unwrap()
        };
        // opening it waits for somebody who writes into it
        let pipe = pictures.file("a");
        fs::create_dir(pipe.parent().unwrap()).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(pictures.get("a").await.unwrap_err().is_unavailable());
        pictures.ping().await.unwrap();
        drop(File::options().write(true).open(&pipe).unwrap());
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
    #[tokio::test]
    async fn what_is_to_stay_free_on_the_disk_stays_free() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = Directory::open(folder.path().join("pictures")).unwrap();
        pictures.put("a", Bytes::from_static(b"a")).await.unwrap();
        let careful = pictures.clone().leaving(u64::MAX);
        let refused = careful.put("b", Bytes::from_static(b"b")).await;
        let refused = refused.unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
        assert!(refused.to_string().contains("--min-free-mib"), "{refused}");
        // what is there is read, and what is no longer wanted goes
        careful.ping().await.unwrap();
        assert_eq!(careful.get("a").await.unwrap(), b"a"[..]);
        careful.delete("a").await.unwrap();
        assert!(pictures.leaving(1).put("b", Bytes::new()).await.is_ok());
    }
}
