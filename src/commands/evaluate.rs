//! `storyteller evaluate`: what the networks of a bundle are worth, one subcommand a question.
//! Prints a table, or with `--json` one object; the same inputs and seed give the same numbers.

mod beside;
mod encoders;
mod finding;
mod reading;
mod rows;
mod seeing;
mod stories;
mod table;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// What `evaluate` takes.
#[derive(Args, Debug)]
pub(crate) struct Evaluate {
    /// The question.
    #[command(subcommand)]
    question: Question,
}

/// What can be measured.
#[derive(Subcommand, Debug)]
enum Question {
    /// Find captions by pictures and pictures by captions: recall and median rank both ways.
    Retrieval(encoders::Retrieval),
    /// Find captions by what both pairs of eyes see, and compare strangers' captions with a photo's own.
    Seeing(seeing::SeeingQuestion),
    /// Let sentence vectors choose the next sentence among ten, and show near neighbours.
    Sentences(encoders::Sentences),
    /// How surprised the decoder is by held-out passages, with their own thought and with another's.
    Decoder(stories::DecoderQuestion),
    /// Let stories find their own pictures among others, by what people wrote about the pictures.
    Finding(finding::FindingQuestion),
    /// Tell stories and measure variety, repetition, length, endings and whether styles can be told apart.
    Stories(stories::Stories),
}

impl Evaluate {
    /// Measures and prints.
    ///
    /// # Errors
    /// When a file is missing or not as it should be, or holds too little to measure.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.question {
            Question::Retrieval(question) => question.run()?,
            Question::Seeing(question) => question.run()?,
            Question::Sentences(question) => question.run()?,
            Question::Decoder(question) => question.run()?,
            Question::Finding(question) => question.run()?,
            Question::Stories(question) => question.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
