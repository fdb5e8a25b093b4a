//! `train word-head`: the words that people would use, straight from what the eyes see.
//! Resumable as every course is; `docs/training.md` has the starter's command.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use models::Weights;
use models::tensors::weights::Form;
use models::text::words::{plain_words, stem};
use training::recipes::word_head::{self, LabelledPhotos, Settings};

use super::{Chosen, Photos, Texts};
use crate::commands::train::progress::TrainingProgress;
use crate::commands::train::recipe::{Defaults, RecipeFlags, Rhythm};
use crate::commands::train::texts::lines;

/// Trains the word head; its file holds 8 bits a number.
#[derive(Args, Debug)]
pub(crate) struct WordHeadStep {
    #[command(flatten)]
    photos: Photos,
    #[command(flatten)]
    texts: Texts,
    /// The words to choose from, one a line; what follows a TAB is left alone.
    #[arg(long)]
    words: PathBuf,
    /// Words that fewer captions use are not learnt.
    #[arg(long, default_value_t = 20)]
    least: usize,
    /// A trained joint space: its means and spreads are the word head's, too.
    #[arg(long)]
    joint: PathBuf,
    /// Updates in all.
    #[arg(long, default_value_t = 600)]
    updates: usize,
    /// Where the words go that were learnt, one for each stem.
    #[arg(long)]
    words_out: PathBuf,
    /// Where the weights go.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    recipe: RecipeFlags,
}

const DEFAULTS: Defaults = Defaults {
    rate: 1e-3,
    clip: 0.0,
    batch: 300,
    dropout: 0.6,
    width: 256,
    embedding: 0,
};

/// Words by their stems: those that share one are one word to the head.
struct Lexicon {
    words: Vec<String>,
    of_stem: HashMap<String, i64>,
}

impl WordHeadStep {
    pub(in crate::commands::train) fn run(self) -> anyhow::Result<()> {
        let chosen = self.photos.chosen()?;
        let standard = Weights::from_safetensors(&self.joint)?;
        let (mean, spread) = (
            standard.tensor("feature_mean", &[-1])?,
            standard.tensor("feature_sd", &[-1])?,
        );
        let clip = models::networks::joint::CLIP;
        let pictures = ((&chosen.features - &mean) / &spread).clamp(-clip, clip);
        let imagined = self.texts.pseudo(&pictures, &spread)?;
        let more = imagined
            .as_ref()
            .map_or(&[][..], |(_, captions)| captions.as_slice());
        let lexicon = Lexicon::of(
            &lines(&self.words)?,
            chosen.texts.iter().chain(more),
            self.least,
        );
        let list: String = lexicon
            .words
            .iter()
            .map(|word| format!("{word}\n"))
            .collect();
        std::fs::write(&self.words_out, list)
            .with_context(|| format!("cannot write {}", self.words_out.display()))?;
        let photos = LabelledPhotos {
            words: lexicon.shares(&chosen),
            imagined: more
                .iter()
                .map(|caption| lexicon.read(caption).into_iter().collect())
                .collect(),
            count: lexicon.words.len() as i64,
            pictures,
        };
        let settings = self.settings()?;
        let keeper = self.recipe.keeper(&self.out)?;
        let mut progress = TrainingProgress::new(&self.out, Box::new(|_| None));
        let pseudo = imagined.as_ref().map(|(pseudo, _)| pseudo);
        let trained = word_head::run(
            &settings,
            &photos,
            pseudo,
            training::Oversight {
                keeper: Some(&keeper),
                observer: &mut progress,
            },
        );
        let whole = trained.map(|trained| {
            let maps: Vec<_> = trained
                .iter()
                .map(|(name, array)| (name.to_owned(), array.shallow_clone()))
                .collect();
            let standard = [
                ("feature_mean".to_owned(), mean),
                ("feature_sd".to_owned(), spread),
            ];
            Weights::from_tensors("word head", maps.into_iter().chain(standard))
        });
        progress.finish_as(&keeper, whole, Form::EightBits)
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
            rank: chosen.dim,
            mixture: self.texts.mixture(chosen.batch),
            dropout: chosen.dropout,
            course: chosen.course,
        })
    }
}

impl Lexicon {
    /// The words of `list` that at least `least` captions use; of each stem the form that captions use most.
    fn of<'a>(list: &[String], captions: impl Iterator<Item = &'a String>, least: usize) -> Self {
        let mut uses: HashMap<String, usize> = HashMap::new();
        for caption in captions {
            for word in words(caption).collect::<HashSet<_>>() {
                *uses.entry(word).or_default() += 1;
            }
        }
        let listed = list
            .iter()
            .map(|line| line.split('\t').next().unwrap_or(line));
        let mut best: HashMap<String, (usize, String)> = HashMap::new();
        for word in listed.filter(|word| !word.starts_with('#')) {
            let count = uses.get(word).copied().unwrap_or(0);
            let held = best.entry(stem(word).to_owned()).or_default();
            if count > held.0 {
                *held = (count, word.to_owned());
            }
        }
        let mut known: Vec<(String, String)> = best
            .into_iter()
            .filter(|(_, (count, _))| *count >= least)
            .map(|(stem, (_, word))| (word, stem))
            .collect();
        known.sort();
        let of_stem = known
            .iter()
            .zip(0..)
            .map(|((_, stem), place)| (stem.clone(), place))
            .collect();
        Self {
            words: known.into_iter().map(|(word, _)| word).collect(),
            of_stem,
        }
    }

    /// The places of the words that a caption uses.
    fn read(&self, caption: &str) -> HashSet<i64> {
        words(caption)
            .filter_map(|word| self.of_stem.get(stem(&word)).copied())
            .collect()
    }

    /// For each photo, the share of its captions that use each word.
    fn shares(&self, chosen: &Chosen) -> Vec<Vec<(i64, f32)>> {
        let of = |lines: &Vec<usize>| {
            let mut shares: HashMap<i64, f32> = HashMap::new();
            for &line in lines {
                for word in self.read(&chosen.texts[line]) {
                    *shares.entry(word).or_default() += 1.0 / lines.len() as f32;
                }
            }
            shares.into_iter().collect()
        };
        chosen.captions.iter().map(of).collect()
    }
}

/// Runs of letters in lower case.
fn words(caption: &str) -> impl Iterator<Item = String> {
    let caption = caption.to_lowercase();
    let words: Vec<String> = plain_words(&caption)
        .filter(|word| word.len() > 2)
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_stem_are_one_word_in_the_form_that_captions_use_most() {
        let list = ["# word", "dog\t7", "dogs\t8", "runs\t9", "rare\t1"].map(str::to_owned);
        let captions = ["Dogs run.", "two dogs", "a dog runs", "he RUNS"].map(str::to_owned);
        let lexicon = Lexicon::of(&list, captions.iter(), 2);
        assert_eq!(lexicon.words, ["dogs", "runs"]);
        assert_eq!(
            lexicon.read("A running dog"),
            HashSet::from([0]),
            "runn is another stem"
        );
        assert_eq!(lexicon.read("dogs, runs"), HashSet::from([0, 1]));
    }
}
