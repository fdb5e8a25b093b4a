//! The steps that train what looks and reads: the joint space and the two halves of the sentence encoder.
//! Both measure as they go, so that a run that learns nothing can be stopped early.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use models::Vocabulary;
use models::text::book::Book;
use training::corpus;
use training::recipes::graph::Half;
use training::recipes::skip_thoughts::{self, Triplet};
use training::recipes::vse::{self, Pair};
use training::{Grouping, Measured, Oversight, Settings};

use crate::commands::train::photos::Photos;
use crate::commands::train::progress::TrainingProgress;
use crate::commands::train::recipe::{self, Defaults, RecipeFlags, Rhythm};

/// Trains the joint space.
#[derive(Args, Debug)]
#[command(after_help = recipe::table(VSE_MODERN, VSE_ORIGINAL))]
pub(crate) struct VseStep {
    #[command(flatten)]
    photos: Photos,
    /// The photos to train on.
    #[arg(long)]
    train: PathBuf,
    /// The photos to measure on after each epoch.
    #[arg(long)]
    test: PathBuf,
    /// Where the word list goes.
    #[arg(long)]
    words: PathBuf,
    /// Where the weights go.
    #[arg(long)]
    out: PathBuf,
    /// Times each caption is seen.
    #[arg(long, default_value_t = 12)]
    epochs: usize,
    /// What right pairs are told from wrong ones by [modern: softmax, original: hinge].
    #[arg(long, value_enum)]
    loss: Option<WhichLoss>,
    /// The margin of the hinge.
    #[arg(long, default_value_t = 0.2)]
    margin: f64,
    #[command(flatten)]
    recipe: RecipeFlags,
}

/// What right pairs are told from wrong ones by.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhichLoss {
    /// Wrong pairs must score less by a margin, summed over all of the batch: the original's.
    Hinge,
    /// Softmax over the batch, both ways; pictures are brought to unit length.
    Softmax,
}

impl VseStep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let features = self.photos.features()?;
        let rows = self.photos.rows()?;
        let train = self.photos.captions_of(&self.train, &rows)?;
        let counts = corpus::count_words(train.iter().map(|(caption, _)| caption.as_str()));
        // a word seen once teaches nothing about itself, but much about unknown words
        let words = counts
            .into_iter()
            .filter(|(_, count)| *count >= 2)
            .map(|(word, _)| word)
            .collect();
        let words = Vocabulary::from_words(words);
        words.write(&self.words)?;
        let pairs: Vec<Pair> = train
            .iter()
            .map(|(caption, picture)| Pair {
                caption: caption
                    .split(' ')
                    .map(|word| words.id(word, words.len() as i64))
                    .collect(),
                picture: *picture,
            })
            .collect();
        let test = self.photos.held_out(&self.test, &rows)?;
        let settings = self.settings(&pairs)?;
        let keeper = self.recipe.keeper(&self.out)?;
        let captions: Vec<(&str, i64)> = test
            .captions
            .iter()
            .map(|(caption, row)| (caption.as_str(), *row))
            .collect();
        let mut progress = TrainingProgress::new(
            &self.out,
            Box::new(|parameters| {
                let weights = parameters.weights("vse", |_| true);
                let weights = weights.to_device(tch::Device::Cpu);
                let network = vse::network(&weights, words.clone()).ok()?;
                let recall = vse::recall(&network, &test.features, &captions);
                Some(Measured {
                    value: -(recall.picture_to_caption[2] + recall.caption_to_picture[2]),
                    numbers: serde_json::json!(recall),
                })
            }),
        );
        let recipe = vse::Recipe {
            settings: &settings,
            objective: self.objective(),
            words: &words,
            features: &features,
            pairs: &pairs,
        };
        let trained = recipe.run(Oversight {
            keeper: Some(&keeper),
            observer: &mut progress,
        });
        progress.finish(&keeper, trained)
    }

    fn objective(&self) -> vse::Objective {
        match self.loss {
            Some(WhichLoss::Hinge) => vse::Objective::Margin(self.margin),
            None if self.recipe.is_original() => vse::Objective::Margin(self.margin),
            _ => vse::Objective::Contrastive(20.0),
        }
    }

    fn settings(&self, pairs: &[Pair]) -> anyhow::Result<Settings> {
        let (defaults, grouping) = match self.recipe.is_original() {
            true => (VSE_ORIGINAL, Grouping::Turns),
            false => (VSE_MODERN, Grouping::Random),
        };
        let round = vse::updates_of_a_round(pairs, grouping, self.recipe.batch(defaults));
        self.recipe.choose(
            defaults,
            Rhythm {
                grouping,
                updates: round * self.epochs,
                report_every: round,
                measure_every: round,
            },
        )
    }
}

const VSE_MODERN: Defaults = Defaults {
    rate: 1.5e-3,
    clip: 50.0,
    batch: 200,
    dropout: 0.2,
    width: 512,
    embedding: 200,
};
const VSE_ORIGINAL: Defaults = Defaults {
    rate: 2e-4,
    clip: 2.0,
    batch: 128,
    dropout: 0.0,
    width: 1024,
    embedding: 300,
};
const SKIP_MODERN: Defaults = Defaults {
    rate: 1e-3,
    clip: 5.0,
    batch: 96,
    dropout: 0.0,
    width: 480,
    embedding: 160,
};
const SKIP_ORIGINAL: Defaults = Defaults {
    rate: 2e-4,
    clip: 5.0,
    batch: 64,
    dropout: 0.0,
    width: 2400,
    embedding: 620,
};

/// Which half of the sentence encoder.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhichHalf {
    /// One encoder that reads forwards.
    Uni,
    /// Two encoders, one for each direction.
    Bi,
}

/// Trains a half of the sentence encoder.
#[derive(Args, Debug)]
#[command(after_help = recipe::table(SKIP_MODERN, SKIP_ORIGINAL))]
pub(crate) struct SkipThoughtsStep {
    /// Which half.
    #[arg(value_enum)]
    half: WhichHalf,
    /// Tokenised books, or folders of them.
    #[arg(required = true)]
    books: Vec<PathBuf>,
    /// Tokenised captions: those of one photo count as neighbours.
    #[arg(long)]
    captions: Option<PathBuf>,
    /// The word list.
    #[arg(long)]
    words: PathBuf,
    /// Where the weights go.
    #[arg(long)]
    out: PathBuf,
    /// How many updates.
    #[arg(long, default_value_t = 1300)]
    updates: usize,
    #[command(flatten)]
    recipe: RecipeFlags,
}

/// Of every so many triplets one is held out to measure on.
const HELD_OUT: usize = 97;
/// So many are held out at most.
const MOST_HELD_OUT: usize = 400;
/// Sentences of fewer or more words are not trained on.
const WORDS_OF_A_SENTENCE: std::ops::RangeInclusive<usize> = 4..=30;

impl SkipThoughtsStep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let words = Vocabulary::read(&self.words)?;
        let (train, held_out) = split(self.triplets(&words)?);
        let settings = self.settings()?;
        let keeper = self.recipe.keeper(&self.out)?;
        let recipe = skip_thoughts::Recipe {
            settings: &settings,
            half: match self.half {
                WhichHalf::Uni => Half::Uni,
                WhichHalf::Bi => Half::Bi,
            },
            objective: match self.recipe.is_original() {
                true => skip_thoughts::Objective::Original,
                false => skip_thoughts::Objective::Sampled(1500),
            },
            words: &words,
            triplets: &train,
        };
        let mut progress = TrainingProgress::new(
            &self.out,
            Box::new(|parameters| {
                if held_out.is_empty() {
                    return None;
                }
                let loss = recipe.held_out_loss(parameters, &held_out);
                Some(Measured {
                    value: loss,
                    numbers: serde_json::json!({"held_out_loss": loss}),
                })
            }),
        );
        let trained = recipe.run(Oversight {
            keeper: Some(&keeper),
            observer: &mut progress,
        });
        progress.finish(&keeper, trained)
    }

    /// Each sentence of the books and captions between its neighbours.
    fn triplets(&self, words: &Vocabulary) -> anyhow::Result<Vec<Triplet>> {
        let ids = |sentence: &String| -> Vec<i64> {
            sentence
                .split(' ')
                .map(|word| words.id(word, words.len() as i64))
                .collect()
        };
        let mut triplets = Vec::new();
        for path in corpus::find_texts(&self.books)? {
            let sentences: Vec<_> = corpus::read_book(&path)?.sentences().map(ids).collect();
            let neighbours = sentences.windows(3).filter(|three| {
                three
                    .iter()
                    .all(|one| WORDS_OF_A_SENTENCE.contains(&one.len()))
            });
            triplets.extend(neighbours.map(|three| triplet(&three[0], &three[1], &three[2])));
        }
        if let Some(captions) = &self.captions {
            for photo in Book::read(captions)?
                .paragraphs
                .iter()
                .filter(|photo| photo.len() >= 3)
            {
                let own: Vec<_> = photo.iter().map(ids).collect();
                let count = own.len();
                triplets.extend((0..count).map(|n| {
                    triplet(
                        &own[(n + count - 1) % count],
                        &own[n],
                        &own[(n + 1) % count],
                    )
                }));
            }
        }
        if triplets.is_empty() {
            bail!(
                "the books hold no three neighbouring sentences of {WORDS_OF_A_SENTENCE:?} words"
            );
        }
        Ok(triplets)
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        let (defaults, grouping) = match self.recipe.is_original() {
            true => (SKIP_ORIGINAL, Grouping::Turns),
            false => (SKIP_MODERN, Grouping::Equal),
        };
        self.recipe.choose(
            defaults,
            Rhythm {
                grouping,
                updates: self.updates,
                report_every: 50,
                measure_every: 500,
            },
        )
    }
}

/// What is trained on, and what is held out.
fn split(triplets: Vec<Triplet>) -> (Vec<Triplet>, Vec<Triplet>) {
    let (mut train, mut held_out) = (Vec::new(), Vec::new());
    for (place, triplet) in triplets.into_iter().enumerate() {
        if place % HELD_OUT == HELD_OUT - 1 && held_out.len() < MOST_HELD_OUT {
            held_out.push(triplet);
        } else {
            train.push(triplet);
        }
    }
    (train, held_out)
}

fn triplet(before: &[i64], middle: &[i64], after: &[i64]) -> Triplet {
    Triplet {
        before: before.to_vec(),
        middle: middle.to_vec(),
        after: after.to_vec(),
    }
}
