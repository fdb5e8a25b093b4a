//! `storyteller train`: the steps from plain files to a bundle, one subcommand each.
//! Every step reads and writes files, so that a recipe is a list of commands; models/README.md has the starter bundle's.

mod encoders;
pub(crate) mod photos;
mod storytelling;
mod texts;

use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use models::train::Progress;

/// What `train` takes.
#[derive(Args, Debug)]
pub(crate) struct Train {
    /// The step.
    #[command(subcommand)]
    step: Step,
}

/// The steps of training, in the order in which they are taken.
#[derive(Subcommand, Debug)]
enum Step {
    /// Cut books (plain text) into tokenised paragraphs and sentences.
    Corpus(texts::Corpus),
    /// Tokenise captions, five or so a photo, as neighbours of each other.
    Captions(texts::Captions),
    /// List the words of tokenised texts, the most frequent first.
    Words(texts::Words),
    /// Write a gallery of captions from a grammar.
    Gallery(texts::Gallery),
    /// Train the joint space of pictures and sentences.
    Vse(encoders::VseStep),
    /// Train one half of the sentence encoder.
    SkipThoughts(encoders::SkipThoughtsStep),
    /// Compute what the encoder makes of books: for the decoder and for styles.
    Thoughts(storytelling::Thoughts),
    /// Train the decoder on passages and their thoughts.
    Decoder(storytelling::DecoderStep),
    /// Put everything together into a bundle.
    Bundle(storytelling::BundleStep),
}

impl Train {
    /// Carries out one step.
    ///
    /// # Errors
    /// When a file is missing or not as it should be.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        // the matrix products of training are small: more threads wait for each other more than they help
        tch::set_num_threads(1);
        match self.step {
            Step::Corpus(step) => step.run()?,
            Step::Captions(step) => step.run()?,
            Step::Words(step) => step.run()?,
            Step::Gallery(step) => step.run()?,
            Step::Vse(step) => step.run()?,
            Step::SkipThoughts(step) => step.run()?,
            Step::Thoughts(step) => step.run()?,
            Step::Decoder(step) => step.run()?,
            Step::Bundle(step) => step.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows a training's progress: a bar on a terminal, and a JSON line a report on standard output.
struct Report {
    bar: ProgressBar,
    begun: Instant,
}

impl Report {
    fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed} eta {eta}")
            .expect("the template above is a valid one");
        Report {
            bar: ProgressBar::new(1).with_style(style),
            begun: Instant::now(),
        }
    }

    fn show(&self, progress: &Progress, more: &serde_json::Value) -> std::io::Result<()> {
        use std::io::Write as _;
        self.bar.set_length(progress.of as u64);
        self.bar.set_position(progress.update as u64);
        self.bar.set_message(format!(
            "loss {:.3}, {:.0} words/s",
            progress.loss, progress.rate
        ));
        let mut line =
            serde_json::json!({"progress": progress, "seconds": self.begun.elapsed().as_secs()});
        if !more.is_null() {
            line["measured"] = more.clone();
        }
        writeln!(std::io::stdout(), "{line}")
    }
}
