//! The machine: room where data lies, the folder for temporary files, and how many files a process may open.
//! What must stay true: each limit says why it is that.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::Finding;

/// Postgres alone takes a gigabyte for its log of what is being written; below this it stops.
const LEAST_ROOM: u64 = 1 << 30;
/// A day of a busy service.
const LITTLE_ROOM: u64 = 5 << 30;
/// A thousand callers who wait and their database connections.
const FEW_FILES: u64 = 4096;
/// The libraries alone need some dozens, each connection one.
const LEAST_FILES: u64 = 256;

/// How much room is left where `folder` lies.
pub fn room(part: &'static str, folder: &Path) -> Finding {
    // it may not be made yet
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.unwrap_or(Path::new("/"));
    let todo = "make room, or name a folder on a larger disk";
    match rustix::fs::statvfs(there) {
        Ok(disk) => left(part, folder, disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => Finding::wrong(part, format!("{}: {error}", there.display()), todo),
    }
}

fn left(part: &'static str, folder: &Path, bytes: u64) -> Finding {
    let todo = "make room, or name a folder on a larger disk";
    let gigabytes = bytes as f64 / f64::from(1 << 30);
    let found = format!("{gigabytes:.1} GiB free where {} lies", folder.display());
    match bytes {
        ..LEAST_ROOM => Finding::wrong(part, found, todo),
        LEAST_ROOM..LITTLE_ROOM => Finding::warning(part, found, todo),
        _ => Finding::ok(part, found),
    }
}

/// Whether a file can be made among the temporary ones.
pub fn temporary() -> Finding {
    let (part, folder) = ("temporary", std::env::temp_dir());
    match tempfile::tempfile_in(&folder) {
        Ok(_) => Finding::ok(part, format!("{} can be written", folder.display())),
        Err(error) => Finding::wrong(
            part,
            format!("{}: {error}", folder.display()),
            "make it writable for this user, or name another folder with TMPDIR",
        ),
    }
}

/// How many files and connections a process may have open.
pub fn open_files() -> Finding {
    // none is no limit
    files(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

fn files(most: u64) -> Finding {
    let part = "open files";
    let found = match most {
        u64::MAX => "no limit".to_owned(),
        most => format!("{most} at once"),
    };
    let todo = "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit";
    match most {
        ..LEAST_FILES => Finding::wrong(part, found, todo),
        LEAST_FILES..FEW_FILES => Finding::warning(part, found, todo),
        _ => Finding::ok(part, found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_disk_and_a_limit_are_judged_by_what_the_service_needs() {
        let folder = Path::new("/data");
        let of_disk = [1 << 20, 2 << 30, 50 << 30].map(|bytes| left("disk", folder, bytes).state);
        assert_eq!(of_disk, [State::Wrong, State::Warning, State::Ok]);
        let of_files = [64, 1024, 65_536, u64::MAX].map(|most| files(most).state);
        assert_eq!(
            of_files,
            [State::Wrong, State::Warning, State::Ok, State::Ok]
        );
    }

    #[test]
    fn room_is_looked_for_where_a_folder_will_be() {
        let told = room("disk", Path::new("/not/made/yet"));
        assert!(told.found.contains("/not/made/yet"), "{told:?}");
    }
}
