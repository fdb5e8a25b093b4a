//! `storyteller train finish`: what a bundle with a language model lacks when its parts lie in their folder.
//! Run again after any file of the folder has changed.

use std::path::PathBuf;

use clap::Args;
use training::language_bundle;

use crate::commands::place::Weights;
use crate::commands::progress::LoadingBar;

/// Computes the caption style and the sums of a bundle's files.
#[derive(Args, Debug)]
pub(crate) struct Finish {
    /// The bundle's folder, with a bundle.toml that names its parts.
    folder: PathBuf,
    #[command(flatten)]
    weights: Weights,
}

impl Finish {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = models::tensors::device::choose(&self.weights.device)?;
        let mut bar = LoadingBar::new();
        language_bundle::finish(
            &self.folder,
            &self.weights.cache()?,
            device,
            &mut |what, done, of| bar.show(what, done, of),
        )?;
        Ok(())
    }
}
