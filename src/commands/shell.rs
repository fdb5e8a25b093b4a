//! `storyteller completions` and `storyteller manual`: what a shell and `man` want to know of this program.
//! `make install` puts both where they are looked for. What must stay true: both are made from the command line itself, so
//! neither can tell of an option that is not there.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

/// What `completions` takes.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// Which shell, for example `source <(storyteller completions bash)`.
    shell: Shell,
}

/// What `manual` takes.
#[derive(Args, Debug)]
pub(crate) struct Manual {
    /// The folder to write them into, for example ~/.local/share/man/man1.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Completions {
    /// Prints the shell's script for this command line.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn run(self, mut line: Command) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut line, "storyteller", &mut script);
        std::io::Write::write_all(&mut std::io::stdout(), &script)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Manual {
    /// Writes the pages of this command line.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub(crate) fn run(self, line: Command) -> anyhow::Result<ExitCode> {
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {folder}"))?;
        clap_mangen::generate_to(line, &self.folder)
            .with_context(|| format!("cannot write into {folder}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
