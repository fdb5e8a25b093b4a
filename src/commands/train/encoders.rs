//! The steps that train what looks and reads: the joint space and the two halves of the sentence encoder.
//! Both measure as they go, so that a run that learns nothing can be stopped early.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};
use models::Vocabulary;
use models::corpus::{self, Book};
use models::train::skip_thoughts::{self, Half, Triplet};
use models::train::vse::{self, Loss, Pair};
use tch::Kind;

use crate::commands::train::Report;
use crate::commands::train::photos::Photos;

/// Trains the joint space.
#[derive(Args, Debug)]
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
    /// Size of a word's vector.
    #[arg(long, default_value_t = 200)]
    dim_word: i64,
    /// Size of the joint space.
    #[arg(long, default_value_t = 512)]
    dim: i64,
    /// Train with the original's max-margin loss of this margin (0.2) instead of the softmax over the batch.
    #[arg(long)]
    margin: Option<f64>,
    /// Seed of initial weights and order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
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
        let report = Report::new();
        let weights = vse::run(
            &self.settings(),
            &words,
            (&features, &pairs),
            &mut |progress, weights| {
                let captions: Vec<(&str, i64)> = test
                    .captions
                    .iter()
                    .map(|(caption, row)| (caption.as_str(), *row))
                    .collect();
                let measured = vse::network(weights, words.clone())
                    .map(|network| vse::recall(&network, &test.features, &captions));
                let measured =
                    measured.map_or(serde_json::Value::Null, |recall| serde_json::json!(recall));
                // a full disk or a closed pipe must not end hours of training
                let _ = report.show(progress, &measured);
            },
        );
        weights.save(&self.out, Kind::Float)?;
        Ok(())
    }

    fn settings(&self) -> vse::Settings {
        vse::Settings {
            dim_word: self.dim_word,
            dim: self.dim,
            loss: self.margin.map_or(Loss::Contrastive(20.0), Loss::Margin),
            batch: 200,
            epochs: self.epochs,
            rate: 1.5e-3,
            clip: 50.0,
            dropout: 0.2,
            kind: Kind::BFloat16,
            seed: self.seed,
        }
    }
}

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
    /// Size of a word's vector.
    #[arg(long, default_value_t = 160)]
    dim_word: i64,
    /// Size of the half.
    #[arg(long, default_value_t = 480)]
    dim: i64,
    /// Seed of initial weights and order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Sentences of fewer or more words are not trained on.
const WORDS_OF_A_SENTENCE: std::ops::RangeInclusive<usize> = 4..=30;

impl SkipThoughtsStep {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let words = Vocabulary::read(&self.words)?;
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
        let report = Report::new();
        let weights = skip_thoughts::run(&self.settings(), &words, &triplets, &mut |progress| {
            let _ = report.show(progress, &serde_json::Value::Null);
        });
        weights.save(&self.out, Kind::Float)?;
        Ok(())
    }

    fn settings(&self) -> skip_thoughts::Settings {
        skip_thoughts::Settings {
            half: match self.half {
                WhichHalf::Uni => Half::Uni,
                WhichHalf::Bi => Half::Bi,
            },
            dim_word: self.dim_word,
            dim: self.dim,
            batch: 96,
            updates: self.updates,
            rate: 1e-3,
            clip: 5.0,
            other_words: 1500,
            kind: Kind::BFloat16,
            seed: self.seed,
        }
    }
}

fn triplet(before: &[i64], middle: &[i64], after: &[i64]) -> Triplet {
    Triplet {
        before: before.to_vec(),
        middle: middle.to_vec(),
        after: after.to_vec(),
    }
}
