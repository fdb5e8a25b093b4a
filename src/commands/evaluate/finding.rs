//! `evaluate finding`: does each story find its own picture among others, by what people wrote about the pictures?
//! Reads stories that `evaluate stories --keep` wrote, so that they are told once only.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use models::bundle::language_model::fetched;
use models::networks::bert::SentenceEncoder;
use serde_json::json;
use training::measure::finding::{Captions, finding};

use crate::commands::evaluate::stories::read_stories;
use crate::commands::evaluate::table::{line, print};
use crate::commands::place::Weights;

/// The judge, wherever the bundle's own encoder is another.
const JUDGE: &str = "minilm-l6-v2";

/// Ranks the pictures for every story.
#[derive(Args, Debug)]
pub(crate) struct FindingQuestion {
    /// Stories kept by `evaluate stories --keep`.
    stories: PathBuf,
    /// What people wrote: a picture's file name, then a caption in the last column, tabs between.
    #[arg(long)]
    captions: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    weights: Weights,
}

impl FindingQuestion {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let captions = read_captions(&self.captions)?;
        let stories = read_stories(&self.stories)?;
        let device = models::tensors::device::choose(&self.weights.device)?;
        let judge = SentenceEncoder::open(&fetched(&self.weights.cache()?, JUDGE)?, device)?;
        let mut styles: Vec<Option<&str>> = vec![None];
        let mut named: Vec<&str> = stories.iter().map(|told| told.style.as_str()).collect();
        named.sort_unstable();
        named.dedup();
        styles.extend(named.into_iter().map(Some));
        let (mut lines, mut objects) = (Vec::new(), serde_json::Map::new());
        for style in styles {
            let some = stories
                .iter()
                .filter(|told| style.is_none_or(|style| told.style == style));
            let found = finding(&some.cloned().collect::<Vec<_>>(), &captions, &judge)?;
            let title = style.unwrap_or("all styles");
            let figures = format!(
                "{:.1} % first, {:.1} % among five, median rank {} of {}, {:.2} deviations ahead ({} stories)",
                found.first,
                found.first_five,
                found.median_rank,
                found.pictures,
                found.lead,
                found.stories
            );
            lines.push(line(title, figures));
            objects.insert(title.to_owned(), json!(found));
        }
        Ok(print(self.json, &objects.into(), &lines)?)
    }
}

fn read_captions(path: &Path) -> anyhow::Result<Captions> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut captions = Captions::new();
    for text in text.lines() {
        let mut fields = text.split('\t');
        if let (Some(photo), Some(caption)) = (fields.next(), fields.next_back()) {
            captions
                .entry(photo.to_owned())
                .or_default()
                .push(caption.trim().to_owned());
        }
    }
    if captions.len() < 2 {
        bail!(
            "{} names fewer than two pictures: a name, tabs, a caption on each line",
            path.display()
        );
    }
    Ok(captions)
}
