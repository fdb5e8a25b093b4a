//! Every number that the original printed, against ours (algorithm.md §7).
//!
//! [`check`] walks a folder with golden sets: artefacts under their original names beside what the original's code made
//! of them. Each kind of number is a [`Group`]. An error is the largest difference of an array, as a share of the
//! largest number in it (at least of 0.001); gradients and texts say what else counts. What no group looks at is a
//! failure too, so that a set with more in it than we know cannot pass by silence.

mod artefacts;
mod encoders;
mod facts;
mod group;
mod leftovers;
mod lists;
mod pictures;
mod retrieval;
mod set;
mod stories;
mod training;
mod writing;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use models::{Error, Result};
use tch::Device;

pub use group::Group;

/// The tolerance of everything but gradients and decoded JPEGs: float32 sums in another order.
pub(crate) const CLOSE: f64 = 1e-5;
/// The tolerance of gradients, relative.
pub(crate) const GRADIENT: f64 = 1e-4;

/// Compares everything under a folder with what `device` computes; `done` learns each group as it is finished.
///
/// # Errors
/// When the folder cannot be read or holds no golden set. What cannot be read inside of it fails its group instead.
pub fn check(folder: &Path, device: Device, done: &mut dyn FnMut(&Group)) -> Result<Vec<Group>> {
    tch::set_num_threads(1);
    let _no_grad = tch::no_grad_guard();
    let mut folders = Vec::new();
    find_folders(folder, &mut folders)?;
    folders.sort();
    let mut report = Report {
        groups: Vec::new(),
        device,
        done,
    };
    let mut files = leftovers::Files::default();
    for place in &folders {
        let name = name_of(folder, place);
        artefacts::check(place, &name, &mut files, &mut report);
        pictures::check(place, &name, &mut files, &mut report);
        lists::check(place, &name, &mut files, &mut report);
        training::check(place, &name, &mut files, &mut report);
    }
    if report.groups.is_empty() {
        let reason = "it holds no golden set: a folder with golden.json, golden_images.json or index_*.json is looked for, \
             however deep";
        return Err(Error::format(folder.display().to_string(), reason));
    }
    leftovers::check(folder, &folders, &files, &mut report);
    Ok(report.groups)
}

/// The groups so far, and who wants to hear of each.
pub(crate) struct Report<'a> {
    groups: Vec<Group>,
    /// where networks compute; numbers are compared on the processor
    pub(crate) device: Device,
    done: &'a mut dyn FnMut(&Group),
}

impl Report<'_> {
    /// Runs one group; an error in it is one of its problems.
    pub(crate) fn group(
        &mut self,
        name: String,
        tolerance: f64,
        work: impl FnOnce(&mut Group) -> Result<()>,
    ) {
        let mut group = Group::new(name, tolerance);
        // an array of another shape than its network needs makes libtorch panic: that is this group's problem
        match catch_unwind(AssertUnwindSafe(|| work(&mut group))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => group.fail(error.to_string()),
            Err(panic) => group.fail(said(&*panic)),
        }
        (self.done)(&group);
        self.groups.push(group);
    }
}

/// The first line of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    let line = text.unwrap_or("").split("\\n").next().unwrap_or("");
    format!("the comparison broke off: {line}")
}

fn find_folders(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    found.push(folder.to_owned());
    let entries = std::fs::read_dir(folder).map_err(|error| Error::file("list", folder, error))?;
    for entry in entries {
        let path = entry
            .map_err(|error| Error::file("list", folder, error))?
            .path();
        if path.is_dir() {
            find_folders(&path, found)?;
        }
    }
    Ok(())
}

/// `tiny/s0` for the folder `tiny` and the place `tiny/s0`.
fn name_of(folder: &Path, place: &Path) -> String {
    let root = folder.file_name().unwrap_or(folder.as_os_str());
    let inner = place.strip_prefix(folder).unwrap_or(place);
    let name = Path::new(root).join(inner).display().to_string();
    name.trim_end_matches('/').to_owned()
}
