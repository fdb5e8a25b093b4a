//! A language model that reads stories, and passages of books beside them, for `evaluate stories --reader`.
//! It reads in 32-bit floats on the processor, so that the numbers are the same everywhere.

use std::path::Path;

use models::networks::llama::Llama;
use models::text::pieces::Pieces;
use tch::{Device, Kind};
use training::measure::reading::{Reader, Reading};
use training::measure::stories::Specimen;

use crate::commands::evaluate::table::{Row, line};
use crate::commands::progress::LoadingBar;

/// One that is open.
pub(super) struct LanguageModel {
    llama: Llama,
    pieces: Pieces,
}

impl LanguageModel {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            llama: Llama::open(path, (Kind::Float, Device::Cpu))?,
            pieces: Pieces::of_model(path)?,
        })
    }

    pub(super) fn read(&self, told: &[Specimen]) -> anyhow::Result<Reading> {
        let texts: Vec<&str> = told.iter().map(|one| one.story.as_str()).collect();
        let mut bar = LoadingBar::new();
        let mut progress = |done, of| bar.show("reading", done, of);
        Ok(Reader::new(&self.llama, &self.pieces).read(&texts, &mut progress)?)
    }
}

pub(super) fn read_as(of: &str, reading: &Reading) -> [Row; 2] {
    [
        line(
            &format!("nats a token{of}, as the reader expects them"),
            format!("{:.3}", reading.nats),
        ),
        line(
            &format!("nats a token by which the second half{of} belongs to the first"),
            format!("{:.3}", reading.belonging),
        ),
    ]
}
