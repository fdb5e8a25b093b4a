//! Where the programs of Postgres are: the folders that are looked at, in order, and which version each holds.
//! `doctor` asks for the first, [`super::EmbeddedPostgres`] for the one that fits an existing database. What must
//! stay true: a folder somebody named is the only one that is looked at.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// Names a folder of programs when the caller has not.
const CHOICE: &str = "STORYTELLER_POSTGRES_BIN";
/// Where Debian and its descendants keep every version apart.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The programs that are needed.
const NEEDED: [&str; 2] = ["postgres", "initdb"];

/// A folder that holds the programs of one version.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) folder: PathBuf,
    pub(crate) major: String,
}

/// The folder of the Postgres programs: `chosen`, else `STORYTELLER_POSTGRES_BIN`, else the newest Debian one,
/// else the one on `PATH`, else what set-up fetched into `cache`.
///
/// # Errors
/// `NoPostgres` with every place looked at.
pub fn find_programs(chosen: Option<&Path>, cache: &Path) -> Result<PathBuf> {
    Ok(Programs::find(chosen, cache, None)?.folder)
}

impl Programs {
    /// The first folder in order; with `wanted`, the first of this major version if there is one.
    pub(crate) fn find(chosen: Option<&Path>, cache: &Path, wanted: Option<&str>) -> Result<Self> {
        let places = places(chosen, cache);
        let mut found = places
            .iter()
            .filter_map(|place| Programs::in_folder(place))
            .peekable();
        let first = found.peek().cloned();
        let fitting = wanted.and_then(|wanted| found.find(|programs| programs.major == wanted));
        fitting.or(first).ok_or_else(|| Error::NoPostgres {
            looked: places
                .iter()
                .map(|place| place.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        // the wheel is reached by a link, which another user may not be allowed to follow
        let folder = folder.canonicalize().ok()?;
        if !NEEDED.iter().all(|name| is_program(&folder.join(name))) {
            return None;
        }
        let said = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let major = major_version(&String::from_utf8_lossy(&said.stdout))?;
        Some(Programs { folder, major })
    }

    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

fn places(chosen: Option<&Path>, cache: &Path) -> Vec<PathBuf> {
    let named = chosen.map(Path::to_owned).or_else(|| {
        std::env::var_os(CHOICE)
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
    });
    if let Some(named) = named {
        return vec![named];
    }
    let mut places = debian_places(Path::new(DEBIAN));
    let on_path = std::env::var_os("PATH").and_then(|path| {
        // often a link into the real folder, where its companions are
        let postgres = std::env::split_paths(&path)
            .map(|folder| folder.join("postgres"))
            .find(|file| is_program(file))?;
        postgres.canonicalize().ok()?.parent().map(Path::to_owned)
    });
    places.extend(on_path);
    places.push(cache.join("postgres/bin"));
    places
}

/// `<root>/<version>/bin`, the newest version first.
fn debian_places(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return vec![root.join("*/bin")];
    };
    let version = |path: &PathBuf| {
        path.file_name()
            .and_then(OsStr::to_str)
            .and_then(|name| name.parse::<u32>().ok())
    };
    let mut versions: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| version(path).is_some())
        .collect();
    versions.sort_by_key(|path| std::cmp::Reverse(version(path)));
    versions.into_iter().map(|path| path.join("bin")).collect()
}

fn is_program(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` is version 15.
fn major_version(said: &str) -> Option<String> {
    let number = said.split_whitespace().nth(2)?;
    let major: String = number.chars().take_while(char::is_ascii_digit).collect();
    (!major.is_empty()).then_some(major)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_newest_debian_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "16", "notes"] {
            std::fs::create_dir_all(root.path().join(version).join("bin")).unwrap();
        }
        let order: Vec<PathBuf> = ["16", "15", "9"]
            .map(|version| root.path().join(version).join("bin"))
            .to_vec();
        assert_eq!(debian_places(root.path()), order);
    }

    #[test]
    fn versions_are_read_from_what_postgres_says() {
        assert_eq!(
            major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n").unwrap(),
            "15"
        );
        assert_eq!(
            major_version("postgres (PostgreSQL) 19devel\n").unwrap(),
            "19"
        );
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn a_named_folder_without_programs_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_programs(Some(folder.path()), Path::new("/nowhere"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&folder.path().display().to_string()) && !error.contains("/nowhere"),
            "{error}"
        );
    }
}
