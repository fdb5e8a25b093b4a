//! `evaluate retrieval` and `evaluate sentences`: the networks that look and read.
//! Both read the bundle's parts straight from its folder; no gallery is needed.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use models::Bundle;
use serde_json::json;
use training::corpus;
use training::measure::sentences;
use training::measure::sentences::Settings;
use training::recipes::vse;

use crate::commands::evaluate::table::{line, print};
use crate::commands::place::Weights;
use crate::commands::train::photos::Photos;

/// Measures the joint space.
#[derive(Args, Debug)]
pub(crate) struct Retrieval {
    #[command(flatten)]
    photos: Photos,
    /// The photos to measure on, a name a line.
    #[arg(long)]
    test: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    weights: Weights,
}

impl Retrieval {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = models::tensors::device::choose(&self.weights.device)?;
        let network = Bundle::open(&self.weights.bundle()?)?.vse(device)?;
        let rows = self.photos.rows()?;
        let test = self.photos.held_out(&self.test, &rows)?;
        let captions: Vec<(&str, i64)> = test
            .captions
            .iter()
            .map(|(text, row)| (text.as_str(), *row))
            .collect();
        let recall = vse::recall(&network, &test.features.to_device(device), &captions);
        let three = |shares: [f64; 3]| shares.map(|share| format!("{share:.1}")).join(" / ");
        let lines = [
            line("photos", test.features.size()[0]),
            line("captions", captions.len()),
            line(
                "photo → caption R@1/5/10 %",
                three(recall.picture_to_caption),
            ),
            line("photo → caption median rank", recall.caption_median),
            line(
                "caption → photo R@1/5/10 %",
                three(recall.caption_to_picture),
            ),
            line("caption → photo median rank", recall.picture_median),
        ];
        Ok(print(self.json, &json!(recall), &lines)?)
    }
}

/// Measures the sentence encoder.
#[derive(Args, Debug)]
pub(crate) struct Sentences {
    /// Held-out books, .txt or .tok, or folders of them.
    #[arg(required = true)]
    books: Vec<PathBuf>,
    /// How many sentences are asked for their next one.
    #[arg(long, default_value_t = 2000)]
    questions: usize,
    /// Candidates of each question, the right one among them.
    #[arg(long, default_value_t = 10)]
    candidates: usize,
    /// At most this many sentences are read from a book, from its middle.
    #[arg(long, default_value_t = 2000)]
    most: usize,
    /// How many near neighbours are shown.
    #[arg(long, default_value_t = 5)]
    show: usize,
    /// Which questions, candidates and neighbours.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    weights: Weights,
}

impl Sentences {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let device = models::tensors::device::choose(&self.weights.device)?;
        let encoder = Bundle::open(&self.weights.bundle()?)?.skip_thoughts(device)?;
        let books = corpus::find_texts(&self.books)?
            .iter()
            .map(|path| corpus::read_book(path))
            .collect::<Result<Vec<_>, _>>()?;
        let held = sentences::Sentences::encode(&encoder, &books, self.most);
        let settings = Settings {
            questions: self.questions,
            candidates: self.candidates,
            seed: self.seed,
        };
        let next = held
            .choose_next(settings)
            .context("too few neighbouring sentences of 5 to 40 words: give more text")?;
        let near = held.nearest(self.show, self.seed);
        let share = |value: f64| format!("{value:.1} %");
        let mut lines = vec![
            line("sentences", held.len()),
            line("questions", next.questions),
            line("next sentence by chance", share(next.chance)),
            line("by cosine", share(next.cosine)),
            line("by cosine, less the mean", share(next.centred)),
            line("by cosine, whitened", share(next.whitened)),
            line("the same, within the book", share(next.whitened_same_book)),
        ];
        for one in &near {
            lines.push(line("", ""));
            lines.push(line(&format!("{:.2}", one.cosine), &one.sentence));
            lines.push(line("", &one.nearest));
        }
        let object = json!({"sentences": held.len(), "next_sentence": next, "nearest": near, "seed": self.seed});
        Ok(print(self.json, &object, &lines)?)
    }
}
