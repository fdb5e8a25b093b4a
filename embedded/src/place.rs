//! Where the database lies and who owns it: its folder, the lock that keeps two services apart, the password.
//! Postgres refuses to run as root, so root gives the folder to another user; where that user could not reach it, as
//! below `/root`, it lies in `/var/lib/storyteller` and a link leads there. What must stay true: only the owner can
//! look into the folder, and nobody uses it without holding the lock.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where the database of a data folder goes that its owner could not reach.
const ELSEWHERE: &str = "/var/lib/storyteller";
/// A socket's path must fit into 107 bytes; this leaves room for its name.
const LONGEST_SOCKET_FOLDER: usize = 85;

/// The user that Postgres runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether this process itself runs as another user, which is root.
    pub(crate) other: bool,
}

/// The folder of one database, locked for this process.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) owner: Owner,
    /// Held open: the system gives the locks back when this process ends, however it ends.
    _locks: [File; 2],
}

impl Place {
    /// Makes the folder if there is none and locks it.
    pub(crate) fn open(data: &Path) -> Result<Self> {
        fs::create_dir_all(data).map_err(disk("make the folder", data))?;
        let data = data.canonicalize().map_err(disk("find the folder", data))?;
        // of two who begin at once, one makes the database
        let beginning = lock(&data, "postgres.lock")?;
        let link = data.join("postgres");
        let owner = Owner::of(&link);
        let root = if owner.other {
            reachable(&data, link, owner)?
        } else {
            link
        };
        make_private(&root, owner)?;
        // and this one goes where the database goes: links of other data folders may lead to it
        let using = lock(&root, "lock")?;
        Ok(Place {
            root,
            owner,
            _locks: [beginning, using],
        })
    }

    /// What Postgres calls its data directory.
    pub(crate) fn cluster(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.root.join("password")
    }

    /// The major version that made the database; none if there is no database yet. One whose version cannot be read is one.
    pub(crate) fn version(&self) -> Result<Option<String>> {
        let file = self.cluster().join("PG_VERSION");
        match fs::read_to_string(&file) {
            Ok(version) => Ok(Some(version.trim().to_owned())),
            Err(cause) if cause.kind() == ErrorKind::NotFound && !self.cluster().exists() => {
                Ok(None)
            }
            Err(cause) => Err(disk("read the version of the database in", &file)(cause)),
        }
    }

    pub(crate) fn password(&self) -> Result<String> {
        let file = self.password_file();
        fs::read_to_string(&file).map_err(disk("read the password of the database in", &file))
    }

    /// Writes a new password, for a database that is about to be made.
    pub(crate) fn new_password(&self) -> Result<()> {
        let file = self.password_file();
        let password = hex::encode(rand::random::<[u8; 16]>());
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut open| {
                open.write_all(password.as_bytes())
                    .and_then(|()| open.sync_all())
            });
        written.map_err(disk("write the password of the database to", &file))?;
        self.owner.take(&file)
    }

    /// The folder of the socket, which only the owner can enter.
    pub(crate) fn socket_folder(&self) -> Result<PathBuf> {
        let folder = socket_folder_of(&self.root)?;
        make_private(&folder, self.owner)?;
        Ok(folder)
    }
}

impl Owner {
    /// Who owns the database already, else who should: this user, or for root a user without rights.
    fn of(root: &Path) -> Self {
        let (uid, gid) = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        if uid != 0 {
            return Owner {
                uid,
                gid,
                other: false,
            };
        }
        let existing = root
            .metadata()
            .ok()
            .map(|about| (about.uid(), about.gid()))
            .filter(|(uid, _)| *uid != 0);
        // 65534 is nobody wherever there is no list of users
        let (uid, gid) = existing
            .or_else(|| known_user("postgres"))
            .or_else(|| known_user("nobody"))
            .unwrap_or((65534, 65534));
        Owner {
            uid,
            gid,
            other: true,
        }
    }

    /// Gives a file or folder to this user.
    fn take(self, path: &Path) -> Result<()> {
        if !self.other {
            return Ok(());
        }
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(disk("change the owner of", path))
    }

    fn can_enter(self, folder: &Path) -> bool {
        folder.metadata().is_ok_and(|about| {
            let mode = about.mode();
            let bit = if about.uid() == self.uid {
                0o100
            } else if about.gid() == self.gid {
                0o010
            } else {
                0o001
            };
            mode & bit != 0
        })
    }
}

/// Where the database of a data folder lies, its password and the folder of its socket, for whoever only asks its server. None
/// if there is no database.
pub(crate) fn seen_from_outside(data: &Path) -> Result<Option<(String, PathBuf)>> {
    let Ok(root) = data.join("postgres").canonicalize() else {
        return Ok(None);
    };
    let Ok(password) = fs::read_to_string(root.join("password")) else {
        return Ok(None);
    };
    Ok(Some((password.trim().to_owned(), socket_folder_of(&root)?)))
}

fn socket_folder_of(root: &Path) -> Result<PathBuf> {
    let near = root.join("socket");
    if near.as_os_str().len() <= LONGEST_SOCKET_FOLDER {
        return Ok(near);
    }
    // what stays the same wherever the folder is moved, and no other folder has
    let about = root.metadata().map_err(disk("look at the folder", root))?;
    let name = format!("storyteller-{:x}-{:x}", about.dev(), about.ino());
    Ok(std::env::temp_dir().join(name))
}

/// Turns an error of the system into ours.
pub(crate) fn disk(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::Disk { doing, path, cause }
}

/// Takes the lock that a running service holds, and leaves this process's number for the next one's error.
fn lock(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(&path)
        .map_err(disk("open the lock", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            let _ = file.read_to_string(&mut process);
            return Err(Error::DataInUse {
                folder: folder.to_owned(),
                process: process.trim().parse().unwrap_or(0),
            });
        }
        Err(TryLockError::Error(cause)) => return Err(disk("take the lock", &path)(cause)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(disk("write the lock", &path))?;
    Ok(file)
}

/// The folder itself if the owner can come to it, else the one its link leads to, else a new one and a link.
fn reachable(data: &Path, link: PathBuf, owner: Owner) -> Result<PathBuf> {
    if link.is_symlink() {
        // a new one instead could not be told from the old one with all its stories lost
        return link.canonicalize().map_err(disk(
            "find the database (bring it back, or remove the link to begin with an empty one) that is linked from",
            &link,
        ));
    }
    let Some(closed) = data.ancestors().find(|folder| !owner.can_enter(folder)) else {
        return Ok(link);
    };
    if link.exists() {
        return Err(Error::Postgres {
            what: format!("the database in {} cannot be opened", link.display()),
            said: format!(
                "user {} must be able to enter {}: allow it with `chmod o+x`, or move the data folder",
                owner.uid,
                closed.display()
            ),
        });
    }
    let elsewhere = new_elsewhere(Path::new(ELSEWHERE))?;
    tracing::info!(
        database = %elsewhere.display(),
        "the database lies there, because user {} cannot enter {}", owner.uid, closed.display()
    );
    std::os::unix::fs::symlink(&elsewhere, &link).map_err(disk("make the link", &link))?;
    Ok(elsewhere)
}

/// A name below `parent` for a new database. A random one: one made of a path would be another database's as soon as
/// its data folder has been moved away.
fn new_elsewhere(parent: &Path) -> Result<PathBuf> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(parent)
        .map_err(disk("make the folder", parent))?;
    let name = hex::encode(rand::random::<[u8; 8]>());
    Ok(parent.join(format!("postgres-{name}")))
}

/// Makes a folder that only the owner can look into, or checks that an existing one is his.
fn make_private(folder: &Path, owner: Owner) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => owner.take(folder),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
            let about = folder
                .symlink_metadata()
                .map_err(disk("look at the folder", folder))?;
            // root may have died between making the folder and giving it away
            let ours =
                about.is_dir() && (about.uid() == owner.uid || (owner.other && about.uid() == 0));
            if !ours {
                let cause = std::io::Error::other(format!(
                    "it belongs to user {}, not {}",
                    about.uid(),
                    owner.uid
                ));
                return Err(disk("use the folder", folder)(cause));
            }
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
                .map_err(disk("protect the folder", folder))?;
            owner.take(folder)
        }
        Err(cause) => Err(disk("make the folder", folder)(cause)),
    }
}

/// The numbers of a user and its group in the list of users.
fn known_user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut fields = users
        .lines()
        .map(|line| line.split(':'))
        .find(|fields| fields.clone().next() == Some(name))?
        .skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_second_service_is_told_who_uses_the_folder() {
        let data = tempfile::tempdir().unwrap();
        let held = lock(data.path(), "lock").unwrap();
        let error = lock(data.path(), "lock").unwrap_err();
        let us = i32::try_from(std::process::id()).unwrap();
        assert!(
            matches!(error, Error::DataInUse { process, .. } if process == us),
            "{error}"
        );
        drop(held);
        lock(data.path(), "lock").unwrap();
    }

    #[test]
    fn a_new_database_never_takes_the_place_of_another() {
        let parent = tempfile::tempdir().unwrap();
        let places = [(); 3].map(|()| new_elsewhere(parent.path()).unwrap());
        for place in &places {
            assert!(!place.exists());
            fs::create_dir(place).unwrap();
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), places.len());
    }

    #[test]
    fn a_database_that_is_out_of_reach_is_not_replaced_by_an_empty_one() {
        let data = tempfile::tempdir().unwrap();
        let link = data.path().join("postgres");
        std::os::unix::fs::symlink(data.path().join("unmounted"), &link).unwrap();
        let owner = Owner::of(&link);
        let error = reachable(data.path(), link.clone(), owner).unwrap_err();
        assert!(error.to_string().contains("bring it back"), "{error}");
        assert!(link.is_symlink());
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let us = rustix::process::geteuid().as_raw();
        let stranger = Owner {
            uid: us + 4321,
            gid: us,
            other: false,
        };
        let error = make_private(folder.path(), stranger)
            .unwrap_err()
            .to_string();
        assert!(error.contains("belongs to user"), "{error}");
    }

    #[test]
    fn a_closed_folder_on_the_way_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let stranger = Owner {
            uid: 54321,
            gid: 54321,
            other: true,
        };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!stranger.can_enter(folder.path()));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        assert!(stranger.can_enter(folder.path()));
    }
}
