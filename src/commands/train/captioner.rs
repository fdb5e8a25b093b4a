//! `train caption-writer`: a published language model learns to write captions from words, as people wrote them.
//! `train invent-captions --writer` fills a gallery with what it learnt; the captions that were read never leave this machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use models::Weights;
use models::networks::llama::Llama;
use models::tensors::precision;
use models::text::pieces::Pieces;
use tch::Device;
use training::caption_model::CaptionModel;
use training::caption_writer::{CaptionWriter, Tokens};
use training::recipes::captions::{self, CaptionSet, Learner, Recipe, Settings};
use training::{Grouping, Measured, Oversight};

use crate::commands::train::progress::TrainingProgress;
use crate::commands::train::recipe::{Defaults, RecipeFlags, Rhythm};

/// Captions that are held out to measure on; one in so many.
const HELD_OUT: usize = 200;
/// Updates between two measurements.
const MEASURE_EVERY: usize = 100;
/// Held-out captions computed at once.
const AT_ONCE: usize = 50;

const DEFAULTS: Defaults = Defaults {
    rate: 6e-4,
    clip: 1.0,
    batch: 48,
    dropout: 0.0,
    width: 16,
    embedding: 0,
};

/// Teaches a language model to write captions.
#[derive(Args, Debug)]
pub(crate) struct CaptionWriterStep {
    /// Text files with one caption a line.
    #[arg(required = true)]
    captions: Vec<PathBuf>,
    /// A language model of the llama family: a GGUF file, or a folder with its safetensors.
    #[arg(long)]
    base: PathBuf,
    /// Where the weights go.
    #[arg(long)]
    out: PathBuf,
    /// How many updates.
    #[arg(long, default_value_t = 600)]
    updates: usize,
    #[command(flatten)]
    recipe: RecipeFlags,
}

impl CaptionWriterStep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let model = counted(&read(&self.captions)?)?;
        let pieces = Pieces::of_model(&self.base)?;
        let places = |held_out: bool| {
            (0..model.len()).filter(move |place| (place % HELD_OUT == 0) == held_out)
        };
        let captions = CaptionSet::new(&model, places(false), &pieces)?;
        let measured = CaptionSet::new(&model, places(true), &pieces)?;
        let tokens = Tokens::count(captions.written().chain(measured.written()));
        let chosen = self.recipe.choose(
            DEFAULTS,
            Rhythm {
                grouping: Grouping::Similar,
                updates: self.updates,
                report_every: 10,
                measure_every: MEASURE_EVERY,
            },
        )?;
        let settings = Settings {
            rank: chosen.dim,
            batch: chosen.batch,
            course: chosen.course,
        };
        let kind = self.recipe.precision();
        let kind = kind.unwrap_or_else(|| precision::quicker(chosen.device).kind);
        let llama = Llama::open(&self.base, (kind, chosen.device))?;
        let parameters = captions::initial(&llama, &settings).to_device(chosen.device);
        let learner = Learner::new(llama, &parameters, &tokens.ids())?;
        let keeper = self.recipe.keeper(&self.out)?;
        let mut progress = TrainingProgress::new(
            &self.out,
            Box::new(|_| {
                let nats = captions::held_out(&learner, &measured, AT_ONCE).ok()?;
                Some(Measured {
                    value: nats,
                    numbers: serde_json::json!({ "nats": nats }),
                })
            }),
        );
        let recipe = Recipe {
            settings: &settings,
            captions: &captions,
            learner: &learner,
            about: serde_json::json!({"base": self.base.to_string_lossy(), "kind": format!("{:?}", learner.kind())}),
        };
        let overseen = Oversight {
            keeper: Some(&keeper),
            observer: &mut progress,
        };
        let trained = recipe.run(parameters, overseen);
        progress.finish(&keeper, trained)
    }
}

/// The text of all files.
pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<String> {
    let mut text = String::new();
    for path in files {
        text += &std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        text.push('\n');
    }
    Ok(text)
}

/// The captions of a text, one a line, counted.
pub(super) fn counted(text: &str) -> anyhow::Result<CaptionModel> {
    let model = CaptionModel::read(text.lines());
    ensure!(
        !model.is_empty(),
        "there are no captions of 7 to 20 plain English words in what you named"
    );
    Ok(model)
}

/// The writer that the step above made from the same captions.
pub(super) fn open(
    trained: &Path,
    base: &Path,
    model: &CaptionModel,
    device: Device,
) -> anyhow::Result<CaptionWriter> {
    let pieces = Pieces::of_model(base)?;
    let llama = Llama::open(base, (precision::quicker(device).kind, device))?;
    let trained = Weights::from_safetensors(trained)?;
    let all = CaptionSet::new(model, 0..model.len(), &pieces)?;
    let tokens = Tokens::count(all.written());
    Ok(CaptionWriter::new(llama, pieces, &trained, &tokens)?)
}
