//! Files that appear whole or not at all, and that a power cut does not take back.
//!
//! Weights, checkpoints and descriptions are written with it, here and in the packages above. A draft beside the place
//! is filled, its bytes are brought to the disk, it is renamed, and then the new name is brought there too. In another
//! order a cut can leave the new name with no bytes behind it, after what it replaced is gone.

use crate::error::{Error, Result};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Replaces the file by these bytes.
///
/// # Errors
/// When the disk does not take them; the old file is then still there.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    replace(path, |draft| {
        std::fs::write(draft, bytes).map_err(|error| Error::file("write", draft, error))
    })
}

/// Replaces the file by what `fill` writes into the draft that it is given.
///
/// # Errors
/// When `fill` fails or the disk does not take it; the old file is then still there, and no draft.
pub fn replace(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let draft = draft_of(path);
    let done = fill(&draft).and_then(|()| put_in_place(&draft, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    done
}

/// Renames a finished draft; its bytes and its new name are on the disk when this returns.
///
/// # Errors
/// When the disk does not take it.
pub fn put_in_place(draft: &Path, path: &Path) -> Result<()> {
    put(&mut RealDisk, draft, path).map_err(|error| Error::file("write", path, error))
}

/// A name of its own for each process: two that write the same file do not write into each other's draft.
fn draft_of(path: &Path) -> PathBuf {
    path.with_extension(format!("draft{}", std::process::id()))
}

/// What is asked of a disk; tests look at the order.
trait Disk {
    fn sync(&mut self, path: &Path) -> io::Result<()>;
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
}

struct RealDisk;

impl Disk for RealDisk {
    fn sync(&mut self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
}

fn put(disk: &mut impl Disk, draft: &Path, path: &Path) -> io::Result<()> {
    disk.sync(draft)?;
    disk.rename(draft, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    disk.sync(folder.unwrap_or(Path::new(".")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Recorder(Vec<String>);

    impl Disk for Recorder {
        fn sync(&mut self, path: &Path) -> io::Result<()> {
            self.0.push(format!("sync {}", path.display()));
            Ok(())
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            self.0
                .push(format!("rename {} {}", from.display(), to.display()));
            Ok(())
        }
    }

    #[test]
    fn bytes_reach_the_disk_before_the_name_and_the_name_before_the_return() {
        for (path, folder) in [("place/file", "place"), ("file", ".")] {
            let mut disk = Recorder::default();
            put(&mut disk, Path::new("draft"), Path::new(path)).unwrap();
            let wanted = [
                "sync draft".to_owned(),
                format!("rename draft {path}"),
                format!("sync {folder}"),
            ];
            assert_eq!(disk.0, wanted);
        }
    }

    #[test]
    fn a_draft_that_fails_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.txt");
        write(&path, "old").unwrap();
        let failed = replace(&path, |draft| {
            std::fs::write(draft, "half").unwrap();
            Err(Error::format("the words", "there are too few"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
