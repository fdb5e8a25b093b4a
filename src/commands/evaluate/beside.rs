//! Stories beside the books of their styles: does a probe of real passages know their style, are they copied, and what are
//! the same measures of people's passages? `stories` prints it where `--books` names some.

use std::path::Path;

use models::text::encoding;
use training::corpus;
use training::measure::copying::{self, Copied};
use training::measure::probe::{self, Separability};
use training::measure::reading::Reading;
use training::measure::stories::{Measures, Specimen, measure};
use training::passages::{self, Take};

use crate::commands::evaluate::reading::{LanguageModel, read_as};
use crate::commands::evaluate::rows::{flowing, told_apart};
use crate::commands::evaluate::table::{Row, line};
use crate::commands::progress::LoadingBar;

/// Passages of a style that the probe learns from.
const PASSAGES: usize = 1200;

/// Stories beside the books of their styles.
#[derive(serde::Serialize)]
pub(super) struct Beside {
    /// What a probe that learnt from passages says.
    styles: Option<Separability>,
    /// What such a probe says of the passages of books that it did not learn from.
    styles_of_people: Option<Separability>,
    /// The longest run of words that a story shares with a book.
    copied: Option<Copied>,
    /// The median of those runs, in words; shorter than six count as none.
    copied_median: usize,
    /// What people wrote: the variety of as many passages as there are stories.
    people: Measures,
    /// How a language model reads those passages.
    reading: Option<Reading>,
}

impl Beside {
    pub(super) fn of(
        books: &Path,
        told: &[Specimen],
        reader: Option<&LanguageModel>,
    ) -> anyhow::Result<Self> {
        let take = Take {
            learnt: PASSAGES,
            measured: PASSAGES / 10,
        };
        let mut bar = LoadingBar::new();
        let passages = passages::gather(books, take, &|_| false, &mut |done, of| {
            bar.show("reading the books", done, of);
        })?;
        let passages: Vec<Specimen> = passages
            .into_iter()
            .filter_map(|passage| {
                Some(Specimen {
                    story: passage.text(),
                    style: passage.style?,
                    photo: passage.book,
                })
            })
            .collect();
        let files = corpus::find_texts(&[books.to_owned()])?;
        let texts = files.iter().filter_map(|file| {
            let name = file.file_name()?.to_string_lossy().into_owned();
            Some((name, encoding::read_text(file).ok()?))
        });
        let mut runs = copying::longest_runs(told, texts);
        runs.sort_by_key(|run| run.as_ref().map_or(0, |run| run.words));
        let middle = runs.get(runs.len() / 2).and_then(Option::as_ref);
        let every = (passages.len() / told.len().max(1)).max(1);
        let some: Vec<Specimen> = passages.iter().step_by(every).cloned().collect();
        Ok(Self {
            styles: probe::taught_by(&passages, told),
            styles_of_people: probe::of_passages(&passages),
            copied_median: middle.map_or(0, |run| run.words),
            copied: runs.pop().flatten(),
            people: measure(&some),
            reading: reader.map(|reader| reader.read(&some)).transpose()?,
        })
    }

    pub(super) fn lines(&self) -> Vec<Row> {
        let mut lines = Vec::new();
        if let Some(styles) = &self.styles {
            lines.extend(told_apart(
                "style named by a probe of real passages",
                styles,
            ));
        }
        if let Some(styles) = &self.styles_of_people {
            lines.extend(told_apart(
                "style of these passages named by a probe of other books",
                styles,
            ));
        }
        let copied = self.copied.as_ref().map_or("none".to_owned(), |run| {
            format!("{} words: «{}» ({})", run.words, run.text, run.book)
        });
        lines.push(line("longest run that a book has, too", copied));
        lines.push(line("median of such runs", self.copied_median));
        let people = format!("{:.3}", self.people.distinct_2);
        lines.push(line("distinct-2 of as many passages", people));
        lines.extend(flowing(" of these passages", &self.people.flow));
        let reading = self.reading.iter();
        lines.extend(reading.flat_map(|reading| read_as(" of these passages", reading)));
        lines
    }
}
