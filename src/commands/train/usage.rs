//! `storyteller train usage`: which words the books of each style of a bundle use more often than the others'.
//! Stories lean towards them (`usage_pull` in `bundle.toml` says how far). Run again after styles or books have changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use models::Bundle;
use models::bundle::language_model::fetched;
use models::text::book::Book;
use models::text::pieces::Pieces;
use models::text::usage::Usage;
use training::corpus::{find_texts, read_book};
use training::shelf::Shelf;
use training::usage::count;

use crate::commands::place::Weights;
use crate::commands::progress::LoadingBar;
use crate::commands::styles::say;

/// Counts words by style.
#[derive(Args, Debug)]
pub(crate) struct UsageOfWords {
    /// A folder with the books of each style in a folder that is called as the style is.
    #[arg(long)]
    books: PathBuf,
    /// So many words, those that tell styles apart best.
    #[arg(long, default_value_t = 3000)]
    words: usize,
    #[command(flatten)]
    weights: Weights,
}

impl UsageOfWords {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let folder = self.weights.bundle()?;
        let cache = self.weights.cache()?;
        let bundle = Bundle::open(&folder)?.remembering(&cache);
        let manifest = bundle.manifest();
        let part = manifest.language_model.as_ref();
        let part =
            part.context("this bundle has no [language_model], and its styles need no words")?;
        let pieces = Pieces::of_model(&fetched(&cache, &part.base)?)?;
        let mut bar = LoadingBar::new();
        let mut books = BTreeMap::new();
        for (done, style) in manifest.styles.iter().enumerate() {
            bar.show("reading books", done, manifest.styles.len());
            books.insert(style.name.clone(), self.books_of(&style.name)?);
        }
        let is_token = |word: &str| pieces.token_of(word).is_ok_and(|token| token.is_some());
        let mut counted = count(&books, self.words, &is_token);
        let captions = Book {
            name: manifest.caption_style.clone(),
            paragraphs: vec![bundle.captions()?],
        };
        let of_captions = Usage::new(counted.words.clone()).of(&[captions]);
        counted
            .usage
            .insert(manifest.caption_style.clone(), of_captions);
        Shelf::open(&folder)?.count(&counted.words, &counted.usage)?;
        say(&format!(
            "{} words are counted for {} styles; stories of {} lean towards those of their style",
            counted.words.len(),
            books.len(),
            folder.display()
        ))
    }

    fn books_of(&self, style: &str) -> anyhow::Result<Vec<Book>> {
        let folder = self.books.join(style);
        let texts = match folder.is_dir() {
            true => find_texts(std::slice::from_ref(&folder))?,
            false => Vec::new(),
        };
        if texts.is_empty() {
            bail!(
                "there is no .txt file in {}: every style of the bundle needs its books there, as `{style}` does",
                folder.display()
            );
        }
        let read = |path: &PathBuf| read_book(Path::new(path)).map_err(anyhow::Error::from);
        texts.iter().map(read).collect()
    }
}
