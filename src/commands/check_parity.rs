//! `storyteller check-parity DIR…`: our numbers against those that the original's code printed.
//! Exits with 0 when all agree, 1 when something does not (the group is named), 2 when nothing could be checked.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use console::style;
use originals::parity::{Group, check};
use serde_json::json;

use crate::commands::exits;

/// What `check-parity` takes.
#[derive(Args, Debug)]
pub(crate) struct CheckParity {
    /// Folders of golden sets: artefacts under their original names beside golden.json and golden.npz, pictures beside
    /// golden_images.json, training runs beside index_*.json; each at any depth.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Where networks compute: cpu, cuda, cuda:N, or auto. The original's numbers are of 32-bit floats.
    #[arg(
        long,
        env = "STORYTELLER_DEVICE",
        default_value = "cpu",
        value_name = "DEVICE"
    )]
    device: String,
    /// Print one JSON object a group.
    #[arg(long)]
    json: bool,
}

impl CheckParity {
    /// Checks every folder; prints a line for each group of numbers with its largest error.
    pub(crate) fn run(self) -> ExitCode {
        self.check().unwrap_or_else(|error| {
            exits::complain(&error.into());
            ExitCode::from(2)
        })
    }

    fn check(self) -> models::Result<ExitCode> {
        // what panics is told as a problem of its group
        std::panic::set_hook(Box::new(|_| {}));
        let device = models::tensors::device::choose(&self.device)?;
        let (mut groups, mut failed) = (0, Vec::new());
        for folder in &self.folders {
            let found = check(folder, device, &mut |group| show(group, self.json))?;
            groups += found.len();
            failed.extend(found.into_iter().filter(|group| !group.passed()));
        }
        if !self.json {
            conclude(groups, &failed);
        }
        Ok(match failed.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

#[expect(clippy::print_stdout, reason = "the report is this command's result")]
fn show(group: &Group, as_json: bool) {
    if as_json {
        let object = json!({
            "group": group.name, "compared": group.compared, "largest_error": group.largest,
            "tolerance": group.tolerance, "passed": group.passed(), "failures": group.failures,
            "problems": group.problems, "notes": group.notes,
        });
        println!("{object}");
        return;
    }
    let verdict = match group.passed() {
        true => style("ok").green(),
        false => style("FAILED").red().bold(),
    };
    let error = match group.tolerance {
        0.0 => "exact".to_owned(),
        tolerance => format!("{:.1e} of {tolerance:.0e}", group.largest),
    };
    println!(
        "{:<58} {:>6} compared  {error:>17}  {verdict}",
        group.name, group.compared
    );
    for note in &group.notes {
        println!("    {}", style(format!("note: {note}")).dim());
    }
    if group.compared == 0 {
        println!("    nothing was compared");
    }
    for problem in &group.problems {
        println!("    {problem}");
    }
    if group.failures > group.problems.len() {
        println!("    … and {} more", group.failures - group.problems.len());
    }
}

#[expect(clippy::print_stdout, reason = "the report is this command's result")]
fn conclude(groups: usize, failed: &[Group]) {
    match failed {
        [] => println!("{groups} groups agree with the original"),
        failed => {
            let names: Vec<&str> = failed.iter().map(|group| group.name.as_str()).collect();
            println!(
                "{} of {groups} groups do not agree: {}",
                failed.len(),
                names.join(", ")
            );
        }
    }
}
