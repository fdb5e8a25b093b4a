//! `storyteller describe`: what is inside a bundle, as a table or as JSON.
//! Only the heads of the files are read, so that a bundle of gigabytes is described at once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use models::bundle::contents::{Contents, contents};

use crate::commands::progress::LoadingBar;

/// What `describe` takes.
#[derive(Args, Debug)]
pub(crate) struct Describe {
    /// The bundle's folder.
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Compare every file with its sum too.
    #[arg(long)]
    verify: bool,
}

impl Describe {
    /// Describes the bundle.
    ///
    /// # Errors
    /// When it cannot be read, or with `--verify` a file differs from its sum.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if self.verify {
            let mut bar = LoadingBar::new();
            let bundle = models::bundle::Bundle::open(&self.bundle)?;
            bundle.verify(&mut |what, done, of| bar.show(what, done, of))?;
        }
        if self.json {
            let text = serde_json::to_string_pretty(&contents(&self.bundle)?)?;
            writeln!(std::io::stdout(), "{text}")?;
        } else {
            print(&self.bundle)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the table of a bundle.
///
/// # Errors
/// When the bundle cannot be read.
pub(crate) fn print(bundle: &Path) -> anyhow::Result<()> {
    let Contents {
        name,
        parts,
        training,
    } = contents(bundle)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{name} in {}\n", bundle.display())?;
    writeln!(out, "{:<16} {:<28} {:>12}  inside", "part", "file", "size")?;
    for part in parts {
        let size = part.bytes.map_or("not here".to_owned(), megabytes);
        let inside = part
            .lines
            .map_or(String::new(), |lines| format!("{lines} lines"));
        writeln!(
            out,
            "{:<16} {:<28} {size:>12}  {inside}",
            part.part, part.file
        )?;
        for array in part.arrays {
            let shape: Vec<String> = array.shape.iter().map(ToString::to_string).collect();
            writeln!(
                out,
                "{:<59} {} {} {}",
                "",
                array.name,
                shape.join(" x "),
                array.kind
            )?;
        }
    }
    if let Some(import) = training.get("import") {
        writeln!(out, "\nimported from: {import}")?;
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{:.1} kB", bytes as f64 / 1e3)
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}
