//! The steps that train what writes: thoughts of books, the decoder, and the bundle of everything.
//! Thoughts are computed once and kept, since the encoder no longer changes.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use models::Vocabulary;
use models::text::book::Book;
use training::bundle_making;
use training::bundle_making::{Parts, Recipe};
use training::corpus;
use training::recipes::decoder::{self, Passages};
use training::thoughts;
use training::thoughts::Folder;
use training::{Grouping, Measured, Oversight, Settings};

use crate::commands::train::adapter::AdapterFlags;
use crate::commands::train::progress::TrainingProgress;
use crate::commands::train::recipe::{self, Defaults, RecipeFlags, Rhythm};

/// The trained sentence encoder.
#[derive(Args, Debug)]
struct Encoder {
    /// Weights of the uni half.
    #[arg(long)]
    uni: PathBuf,
    /// Weights of the bi half.
    #[arg(long)]
    bi: PathBuf,
    /// The words of both.
    #[arg(long)]
    skip_words: PathBuf,
}

/// Computes the thoughts of books.
#[derive(Args, Debug)]
pub(crate) struct Thoughts {
    /// Tokenised books, or folders of them.
    #[arg(required = true)]
    books: Vec<PathBuf>,
    #[command(flatten)]
    encoder: Encoder,
    /// Where the thoughts go; books that are there already are passed over.
    #[arg(long)]
    out: PathBuf,
    /// At most this many passages are taken from a book.
    #[arg(long, default_value_t = 400)]
    passages: usize,
    /// At most this many passages of a book are read whole, for its style.
    #[arg(long, default_value_t = 200)]
    styled: usize,
}

impl Thoughts {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (encoder, _, _) = bundle_making::encoder(
            &self.encoder.uni,
            &self.encoder.bi,
            &self.encoder.skip_words,
        )?;
        let folder = Folder(self.out);
        let books = corpus::find_texts(&self.books)?;
        let bar = indicatif::ProgressBar::new(books.len() as u64);
        // passages as the original's: longer than 100 words; an upper end, so that batches stay small
        let settings = thoughts::Settings {
            least: 100,
            most: 160,
            passages: self.passages,
            styled: self.styled,
        };
        for (path, name) in books.iter().zip(corpus::names_apart(&books)) {
            let book = Book {
                name,
                ..corpus::read_book(path)?
            };
            folder.add(&encoder, &book, settings)?;
            bar.inc(1);
        }
        bar.finish();
        Ok(())
    }
}

/// Trains the decoder: a recurrent one on thoughts of books, or with --base an adapter for a language model.
#[derive(Args, Debug)]
#[command(after_help = recipe::table(MODERN, ORIGINAL))]
pub(crate) struct DecoderStep {
    /// The folder of book thoughts.
    #[arg(long, required_unless_present = "base")]
    thoughts: Option<PathBuf>,
    /// The word list.
    #[arg(long, required_unless_present = "base")]
    words: Option<PathBuf>,
    /// A language model of the llama family to write with: a GGUF file, or a folder with its safetensors.
    #[arg(long, conflicts_with_all = ["thoughts", "words"], requires = "books")]
    base: Option<PathBuf>,
    #[command(flatten)]
    adapter: AdapterFlags,
    /// Where the weights go; with --base the folder of the new bundle.
    #[arg(long)]
    out: PathBuf,
    /// How many updates.
    #[arg(long, default_value_t = 1700)]
    updates: usize,
    #[command(flatten)]
    recipe: RecipeFlags,
}

/// Updates between two measurements on held-out passages.
const MEASURE_EVERY: usize = 400;

impl DecoderStep {
    /// Whether a language model is to learn.
    pub(super) fn has_base(&self) -> bool {
        self.base.is_some()
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        if let Some(base) = &self.base {
            let (out, recipe) = (&self.out, &self.recipe);
            return self.adapter.run(base, out, self.updates, recipe);
        }
        let given = "the flags ask for both unless --base is given";
        let words = Vocabulary::read(self.words.as_ref().context(given)?)?;
        let thoughts = Folder(self.thoughts.clone().context(given)?);
        let (passages, held_out) = Passages::gather(&thoughts, &words)?;
        let settings = self.settings()?;
        let keeper = self.recipe.keeper(&self.out)?;
        let mut progress = TrainingProgress::new(
            &self.out,
            Box::new(|parameters| {
                let (own, others) = decoder::perplexity(parameters, &held_out);
                Some(Measured {
                    value: own,
                    numbers: serde_json::json!({"perplexity": own, "with_another_thought": others}),
                })
            }),
        );
        let recipe = decoder::Recipe {
            settings: &settings,
            objective: match self.recipe.is_original() {
                true => decoder::Objective::Original,
                false => decoder::Objective::Mean,
            },
            words: &words,
            passages: &passages,
        };
        let trained = recipe.run(Oversight {
            keeper: Some(&keeper),
            observer: &mut progress,
        });
        progress.finish(&keeper, trained)
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let (defaults, grouping) = match self.recipe.is_original() {
            true => (ORIGINAL, Grouping::Turns),
            false => (MODERN, Grouping::Similar),
        };
        self.recipe.choose(
            defaults,
            Rhythm {
                grouping,
                updates: self.updates,
                report_every: 25,
                measure_every: MEASURE_EVERY,
            },
        )
    }
}

const MODERN: Defaults = Defaults {
    rate: 2e-3,
    clip: 1.0,
    batch: 32,
    dropout: 0.0,
    width: 560,
    embedding: 224,
};
const ORIGINAL: Defaults = Defaults {
    rate: 2e-4,
    clip: 5.0,
    batch: 16,
    dropout: 0.0,
    width: 1600,
    embedding: 620,
};

/// Puts a bundle together.
#[derive(Args, Debug)]
pub(crate) struct BundleStep {
    /// What it is made of.
    #[arg(long, default_value = "training/recipes/starter.toml")]
    recipe: PathBuf,
    /// Weights of the joint space.
    #[arg(long)]
    vse: PathBuf,
    /// Its words.
    #[arg(long)]
    vse_words: PathBuf,
    #[command(flatten)]
    encoder: Encoder,
    /// Weights of the decoder.
    #[arg(long)]
    decoder: PathBuf,
    /// Its words.
    #[arg(long)]
    decoder_words: PathBuf,
    /// The caption gallery.
    #[arg(long)]
    captions: PathBuf,
    /// The folder of book thoughts.
    #[arg(long)]
    thoughts: PathBuf,
    /// The bundle's folder.
    #[arg(long)]
    out: PathBuf,
}

impl BundleStep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(&self.recipe)
            .with_context(|| format!("cannot read {}", self.recipe.display()))?;
        let recipe: Recipe = toml::from_str(&text)
            .with_context(|| format!("{} is no recipe", self.recipe.display()))?;
        let parts = Parts {
            vse: self.vse,
            vse_words: self.vse_words,
            uni: self.encoder.uni,
            bi: self.encoder.bi,
            skip_words: self.encoder.skip_words,
            decoder: self.decoder,
            decoder_words: self.decoder_words,
            captions: self.captions,
            thoughts: self.thoughts,
        };
        bundle_making::write(&recipe, &parts, &self.out)?;
        Ok(())
    }
}
