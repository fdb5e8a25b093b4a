//! `storyteller doctor`: looks at this machine and says, line by line, what is there and what is missing.
//! Each line that is not well says what to do about it.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::commands::place::{Data, Weights};
use crate::commands::progress::LoadingBar;

/// What `doctor` takes.
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Where weights are.
    #[command(flatten)]
    weights: Weights,
    /// Where data is.
    #[command(flatten)]
    data: Data,
}

type Finding = anyhow::Result<String>;

impl Doctor {
    /// Prints what it found; exit code 1 if anything is missing.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let findings: [(&str, Finding); 4] = [
            ("bundle", self.bundle()),
            ("device", self.device()),
            ("postgres", self.postgres()),
            ("data folder", self.data_folder()),
        ];
        let mut out = std::io::stdout().lock();
        for (what, finding) in &findings {
            match finding {
                Ok(found) => writeln!(out, "ok       {what:12} {found}")?,
                Err(error) => writeln!(out, "missing  {what:12} {error:#}")?,
            }
        }
        let well = findings.iter().all(|(_, finding)| finding.is_ok());
        Ok(if well {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn bundle(&self) -> Finding {
        let mut bar = LoadingBar::new();
        models::bundle::Bundle::open(&self.weights.bundle()?)?
            .remembering(&self.weights.cache()?)
            .verify(&mut |what, done, of| bar.show(what, done, of))?;
        drop(bar);
        let storyteller = crate::commands::tell::open(&self.weights)?;
        let styles = storyteller.styles().len();
        Ok(format!(
            "{} with {styles} styles, every file as its checksum says",
            storyteller.bundle_name()
        ))
    }

    fn device(&self) -> Finding {
        Ok(format!(
            "{:?}",
            models::tensors::device::choose(&self.weights.device)?
        ))
    }

    fn postgres(&self) -> Finding {
        let programs = embedded::find_programs(None, &self.weights.cache()?)?;
        Ok(programs.display().to_string())
    }

    fn data_folder(&self) -> Finding {
        let folder = self.data.folder()?;
        std::fs::create_dir_all(&folder)?;
        tempfile::tempfile_in(&folder)?;
        Ok(format!("{} can be written", folder.display()))
    }
}
