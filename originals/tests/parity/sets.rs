//! The sets beside the tests, and copies of them to break.

use std::path::{Path, PathBuf};

use originals::parity::{Group, check};
use originals::reader::Original;
use tch::Device;

/// The folder of the small sets.
pub(super) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/golden/tiny")
}

/// The artefacts of a set whose weights are random.
pub(super) fn original() -> Original {
    Original::open(&tiny().join("s1")).unwrap()
}

/// Every group of a folder.
pub(super) fn groups(folder: &Path) -> Vec<Group> {
    check(folder, Device::Cpu, &mut |_| {}).unwrap()
}

/// A copy of one folder of the small sets.
pub(super) fn copy(part: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(tiny().join(part)).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}
