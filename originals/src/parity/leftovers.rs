//! What no group has looked at: files of the folder, arrays and entries of its golden files.
//!
//! Each is a failure with its name: either the set holds more than we check, or a check went missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Report;
use super::facts::{Facts, Numbers};
use models::Result;

/// The files that some group has read.
#[derive(Default)]
pub(super) struct Files {
    read: BTreeSet<PathBuf>,
    left: Vec<String>,
}

impl Files {
    /// A file that was read, with all that is in it.
    pub(super) fn read(&mut self, file: PathBuf) {
        self.read.insert(file);
    }

    /// An archive of which some arrays were compared.
    pub(super) fn numbers(&mut self, file: &Path, numbers: &Numbers) {
        self.read(file.to_owned());
        let left = numbers.unseen().into_iter();
        self.left
            .extend(left.map(|name| format!("{}: array {name}", file.display())));
    }

    /// A JSON file of which some entries were compared.
    pub(super) fn facts(&mut self, file: &Path, facts: &Facts) {
        self.read(file.to_owned());
        let left = facts.unseen().into_iter();
        self.left
            .extend(left.map(|path| format!("{}: entry {path}", file.display())));
    }
}

/// Written for people: a text about the sets.
fn is_for_people(file: &Path) -> bool {
    file.extension().is_some_and(|kind| kind == "md")
}

/// Adds the group of what is left.
pub(super) fn check(root: &Path, folders: &[PathBuf], files: &Files, report: &mut Report) {
    let name = super::name_of(root, root);
    report.group(format!("{name} all entries covered"), 0.0, |group| {
        for folder in folders {
            for file in list(folder)? {
                let known = files.read.contains(&file) || is_for_people(&file);
                group.holds(&format!("not covered: file {}", file.display()), known);
            }
        }
        for left in &files.left {
            group.holds(&format!("not covered: {left}"), false);
        }
        Ok(())
    });
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| models::Error::file("list", folder, error))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    Ok(files)
}
