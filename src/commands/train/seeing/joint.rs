//! `train joint`: the joint space of what the eyes see and what the sentence encoder reads.
//! Resumable as every course is; `docs/training.md` has the starter's command.

use std::path::PathBuf;

use clap::Args;
use models::tensors::weights::Form;
use training::recipes::joint::{self, Material, Settings, Standard};

use super::{Photos, Texts, vectors};
use crate::commands::train::progress::TrainingProgress;
use crate::commands::train::recipe::{Defaults, RecipeFlags, Rhythm};

/// Trains the joint space of pictures and sentence vectors; its file holds 8 bits a number.
#[derive(Args, Debug)]
pub(crate) struct JointStep {
    #[command(flatten)]
    photos: Photos,
    /// Unit sentence vectors of all captions of the file, an .npy of (captions, 384).
    #[arg(long)]
    vectors: PathBuf,
    #[command(flatten)]
    texts: Texts,
    /// Unit sentence vectors of the captions without pictures.
    #[arg(long, requires = "texts")]
    text_vectors: Option<PathBuf>,
    /// Updates in all.
    #[arg(long, default_value_t = 600)]
    updates: usize,
    /// Photos that are kept to tell by which captions resemble everything.
    #[arg(long, default_value_t = 512)]
    bank: i64,
    /// Where the weights go.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    recipe: RecipeFlags,
}

const DEFAULTS: Defaults = Defaults {
    rate: 1e-3,
    clip: 0.0,
    batch: 500,
    dropout: 0.7,
    width: 512,
    embedding: 0,
};
/// The share of sentence vectors' numbers that is dropped: they are few, and each says something.
const TEXT_DROPOUT: f64 = 0.1;

impl JointStep {
    pub(in crate::commands::train) fn run(self) -> anyhow::Result<()> {
        let chosen = self.photos.chosen()?;
        let own = |lines: &Vec<usize>| lines.iter().map(|&line| line as i64).collect();
        let material = Material {
            vectors: vectors(&self.vectors, &chosen.texts)?,
            captions: chosen.captions.iter().map(own).collect(),
            features: chosen.features,
        };
        let standard = Standard::of(&material);
        let pictures = standard.features(&material.features);
        let imagined = match (
            self.texts.pseudo(&pictures, &standard.feature_sd)?,
            &self.text_vectors,
        ) {
            (Some((pseudo, captions)), Some(path)) => Some((pseudo, vectors(path, &captions)?)),
            (Some(_), None) => anyhow::bail!("--texts needs --text-vectors"),
            (None, _) => None,
        };
        let settings = self.settings()?;
        let keeper = self.recipe.keeper(&self.out)?;
        let mut progress = TrainingProgress::new(&self.out, Box::new(|_| None));
        let pseudo = imagined.as_ref().map(|(pseudo, vectors)| (pseudo, vectors));
        let watch = training::Oversight {
            keeper: Some(&keeper),
            observer: &mut progress,
        };
        let trained = joint::run(&settings, &material, pseudo, watch);
        progress.finish_as(&keeper, trained, Form::EightBits)
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let rhythm = Rhythm {
            grouping: training::Grouping::Random,
            updates: self.updates,
            report_every: 20,
            measure_every: self.updates,
        };
        let chosen = self.recipe.choose(DEFAULTS, rhythm)?;
        Ok(Settings {
            dim: chosen.dim,
            mixture: self.texts.mixture(chosen.batch),
            dropout: [chosen.dropout, TEXT_DROPOUT],
            bank: self.bank,
            course: chosen.course,
        })
    }
}
