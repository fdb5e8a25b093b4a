//! `storyteller styles`: what a bundle can tell in, with where each style comes from.
//! It opens the bundle as `tell` does, so that what it lists can really be told in.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use crate::commands::place::Weights;
use crate::commands::tell::open;

/// What `styles` takes.
#[derive(Args, Debug)]
pub(crate) struct Styles {
    /// Where weights are.
    #[command(flatten)]
    weights: Weights,
}

impl Styles {
    /// Prints one line a style.
    ///
    /// # Errors
    /// When the bundle cannot be opened.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let storyteller = open(&self.weights)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{:16} {:>8}  made of", "style", "passages")?;
        for style in storyteller.styles() {
            writeln!(
                out,
                "{:16} {:>8}  {} ({})",
                style.name, style.passages, style.description, style.source
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
