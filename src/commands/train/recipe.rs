//! The flags that all trainers share: the recipe, what of it is different, and where checkpoints go.
//! A flag that is not given takes the value of the recipe: the original's (2015), or ours.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tch::{Device, Kind};
use training::{AdamKind, Course, Grouping, Keeper, Schedule, Settings};

/// Which values hold where no flag says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Recipe {
    /// What made the starter bundle: standard Adam, cosine schedule, bf16, large batches.
    Modern,
    /// What the original's trainers did: summed costs, their Adam, constant rate, f32, batches of one length, its sizes.
    Original,
}

/// Which bias correction.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Adam {
    /// As published.
    Standard,
    /// The original's quirk: steps up to six times larger in the first hundred updates.
    Original,
}

/// How the learning rate goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rates {
    /// A short warm-up, then down along half a cosine.
    Cosine,
    /// The same throughout.
    Constant,
}

/// What matrix products are computed in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Precision {
    /// 16 bits; quick on a GPU and on processors with AVX-512 BF16. Weights stay in 32 bits.
    Bf16,
    /// 32 bits.
    F32,
}

/// The flags of a training.
#[derive(Args, Debug)]
#[command(next_help_heading = "Recipe")]
pub(super) struct RecipeFlags {
    /// Whose values hold for the flags that you do not give.
    #[arg(long, value_enum, default_value = "modern")]
    pub(super) recipe: Recipe,
    /// Adam's bias correction [modern: standard, original: original].
    #[arg(long, value_enum)]
    adam: Option<Adam>,
    /// How the learning rate goes [modern: cosine, original: constant].
    #[arg(long, value_enum)]
    schedule: Option<Rates>,
    /// Peak learning rate.
    #[arg(long)]
    rate: Option<f64>,
    /// Gradients are clipped to this global norm; 0: never.
    #[arg(long)]
    clip: Option<f64>,
    /// Examples an update.
    #[arg(long)]
    batch: Option<usize>,
    /// Share of inputs that is dropped in training.
    #[arg(long)]
    dropout: Option<f64>,
    /// Size of the states (and of the joint space).
    #[arg(long, visible_alias = "dim")]
    width: Option<i64>,
    /// Size of a word's vector.
    #[arg(long, visible_alias = "dim-word")]
    embedding: Option<i64>,
    /// What matrix products are computed in [modern: bf16, original: f32].
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// Where to compute: cpu, cuda, cuda:N, or auto for a GPU if there is one.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Seed of initial weights, order and dropout.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many measurements on what is held out without a better one, and keep the best weights.
    #[arg(long)]
    patience: Option<usize>,
    /// Updates between two measurements.
    #[arg(long)]
    measure_every: Option<usize>,
    /// Updates between two checkpoints (OUT.checkpoint); the same command goes on from there, after Ctrl-C or a crash.
    #[arg(long, default_value_t = 500)]
    checkpoint_every: usize,
    /// Begin anew, even if there is a checkpoint.
    #[arg(long)]
    restart: bool,
}

/// What a recipe says where flags do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    /// Peak learning rate; the other fields are named as their flags.
    pub(super) rate: f64,
    pub(super) clip: f64,
    pub(super) batch: usize,
    pub(super) dropout: f64,
    pub(super) width: i64,
    pub(super) embedding: i64,
}

/// The values of both recipes, for the end of a `--help`.
pub(super) fn table(modern: Defaults, original: Defaults) -> String {
    let row = |name: &str, of: fn(Defaults) -> String| {
        format!("\n  {name:12} {:>8} {:>8}", of(modern), of(original))
    };
    let rows = [
        row("--rate", |values| values.rate.to_string()),
        row("--clip", |values| values.clip.to_string()),
        row("--batch", |values| values.batch.to_string()),
        row("--dropout", |values| values.dropout.to_string()),
        row("--width", |values| values.width.to_string()),
        row("--embedding", |values| values.embedding.to_string()),
    ];
    format!("Values of the recipes:   modern original{}", rows.concat())
}

/// How examples come together, and how often is reported and measured unless a flag says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    pub(super) grouping: Grouping,
    pub(super) updates: usize,
    pub(super) report_every: usize,
    pub(super) measure_every: usize,
}

impl RecipeFlags {
    /// Whether the original's values hold.
    pub(super) fn is_original(&self) -> bool {
        self.recipe == Recipe::Original
    }

    /// Examples an update.
    pub(super) fn batch(&self, defaults: Defaults) -> usize {
        self.batch.unwrap_or(defaults.batch).max(1)
    }

    /// What matrix products are computed in, if that was asked.
    pub(super) fn precision(&self) -> Option<Kind> {
        self.precision.map(|precision| match precision {
            Precision::F32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        })
    }

    /// Where to compute.
    pub(super) fn device(&self) -> anyhow::Result<Device> {
        Ok(models::tensors::device::choose(&self.device)?)
    }

    /// Settles every value.
    pub(super) fn choose(&self, defaults: Defaults, rhythm: Rhythm) -> anyhow::Result<Settings> {
        let original = self.is_original();
        let adam = match self.adam {
            Some(Adam::Original) => AdamKind::Original,
            None if original => AdamKind::Original,
            _ => AdamKind::Textbook,
        };
        let schedule = match self.schedule {
            Some(Rates::Constant) => Schedule::Constant,
            None if original => Schedule::Constant,
            _ => Schedule::Cosine,
        };
        let kind = match self.precision() {
            Some(kind) => kind,
            None if original => Kind::Float,
            None => Kind::BFloat16,
        };
        let measure_every = self.measure_every.unwrap_or(rhythm.measure_every).max(1);
        Ok(Settings {
            course: Course {
                updates: rhythm.updates,
                rate: self.rate.unwrap_or(defaults.rate),
                schedule,
                adam,
                clip: self.clip.unwrap_or(defaults.clip),
                // a measurement comes with a report
                report_every: rhythm.report_every.min(measure_every),
                measure_every,
                patience: self.patience,
                seed: self.seed,
            },
            batch: self.batch(defaults),
            grouping: rhythm.grouping,
            dropout: self.dropout.unwrap_or(defaults.dropout),
            dim: self.width.unwrap_or(defaults.width),
            dim_word: self.embedding.unwrap_or(defaults.embedding),
            kind,
            device: self.device()?,
        })
    }

    /// Where checkpoints of the training of `out` go; an old one is removed if so wished.
    pub(super) fn keeper(&self, out: &Path) -> anyhow::Result<Keeper> {
        let keeper = Keeper {
            path: beside(out, "checkpoint"),
            every: self.checkpoint_every,
            recipe: serde_json::Value::Null,
        };
        if self.restart {
            keeper.forget()?;
        }
        Ok(keeper)
    }
}

/// `OUT` with its ending replaced.
pub(super) fn beside(out: &Path, ending: &str) -> PathBuf {
    out.with_extension(ending)
}
