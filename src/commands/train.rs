//! `storyteller train`: the steps from plain files to a bundle, one subcommand each.
//! Every step reads and writes files, so that a recipe is a list of commands; docs/training.md has the starter bundle's.

mod adapter;
mod captioner;
mod curve;
mod encoders;
mod expansion;
mod finish;
mod invent;
pub(crate) mod photos;
mod progress;
mod recipe;
pub(crate) mod seeing;
mod storytelling;
pub(crate) mod texts;
mod usage;

use std::process::ExitCode;

use clap::{Args, Subcommand};

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
    /// Write a gallery of captions that nobody wrote, from captions that people wrote.
    InventCaptions(invent::InventCaptions),
    /// Teach a language model to write captions from words, for invent-captions.
    CaptionWriter(captioner::CaptionWriterStep),
    /// Train the joint space of pictures and sentences.
    Vse(encoders::VseStep),
    /// Train one half of the sentence encoder.
    SkipThoughts(encoders::SkipThoughtsStep),
    /// Give the sentence encoder words that it was not trained on, from GloVe or word2vec files.
    ExpandVocabulary(expansion::ExpandVocabulary),
    /// Compute what the encoder makes of books: for the decoder and for styles.
    Thoughts(storytelling::Thoughts),
    /// Train the decoder on passages and their thoughts: a recurrent one, or with --base a language model.
    Decoder(storytelling::DecoderStep),
    /// Look at a folder of pictures: a table of what both pairs of eyes see.
    Features(seeing::Features),
    /// Train the joint space of what the eyes see and what the sentence encoder reads.
    Joint(seeing::JointStep),
    /// Train the words that people would use for what the eyes see.
    WordHead(seeing::WordHeadStep),
    /// Put everything together into a bundle.
    Bundle(storytelling::BundleStep),
    /// Finish a folder with a language model's parts: caption style, sums of all files.
    Finish(finish::Finish),
    /// Count the words that tell a bundle's styles apart in the books of each: stories lean towards those of their style.
    Usage(usage::UsageOfWords),
}

impl Train {
    /// Carries out one step.
    ///
    /// # Errors
    /// When a file is missing or not as it should be.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if !self.step.teaches_a_language_model() {
            // the matrix products of small networks are small: more threads wait for each other more than they help
            tch::set_num_threads(1);
        }
        match self.step {
            Step::Corpus(step) => step.run()?,
            Step::Captions(step) => step.run()?,
            Step::Words(step) => step.run()?,
            Step::Gallery(step) => step.run()?,
            Step::InventCaptions(step) => step.run()?,
            Step::CaptionWriter(step) => step.run()?,
            Step::Vse(step) => step.run()?,
            Step::SkipThoughts(step) => step.run()?,
            Step::ExpandVocabulary(step) => step.run()?,
            Step::Thoughts(step) => step.run()?,
            Step::Decoder(step) => step.run()?,
            Step::Features(step) => step.run()?,
            Step::Joint(step) => step.run()?,
            Step::WordHead(step) => step.run()?,
            Step::Bundle(step) => step.run()?,
            Step::Finish(step) => step.run()?,
            Step::Usage(step) => step.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Step {
    fn teaches_a_language_model(&self) -> bool {
        match self {
            Self::CaptionWriter(_) => true,
            Self::Decoder(step) => step.has_base(),
            _ => false,
        }
    }
}
