//! `train features`: what all eyes see in a folder of pictures, as a table.
//! One row a picture, in the order of the names that are written beside it.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use indicatif::ProgressIterator as _;
use models::pipeline::picture::Caps;
use models::pipeline::seeing::eyes::Eyes;
use models::pipeline::seeing::part::SeeingPart;
use models::{Bundle, Picture};
use tch::{Kind, Tensor};

use crate::commands::place::Weights;

/// Looks at a folder of pictures and writes OUT.npy, a row of 3152 numbers a picture (1872 with one photo network), and
/// OUT.files.txt, its names.
#[derive(Args, Debug)]
pub(crate) struct Features {
    /// The folder of JPEG, PNG, WebP or GIF files; others are left alone.
    pictures: PathBuf,
    /// Where the table goes: the begin of two file names.
    out: PathBuf,
    #[command(flatten)]
    weights: Weights,
}

const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];

impl Features {
    pub(in crate::commands::train) fn run(self) -> anyhow::Result<()> {
        let eyes = self.eyes()?;
        let files = self.files()?;
        let (mut rows, mut names) = (Vec::new(), Vec::new());
        for file in files.iter().progress() {
            let bytes = Picture::file(file, &Caps::default())?;
            let picture = match Picture::decode(&bytes, &Caps::default()) {
                Ok(picture) => picture,
                Err(error) => {
                    // one broken file among thousands must not cost the others
                    writeln!(std::io::stderr(), "left out {}: {error}", file.display())?;
                    continue;
                }
            };
            rows.extend(
                eyes.look(&[&picture])
                    .iter()
                    .map(models::pipeline::seeing::Look::features),
            );
            names.push(
                file.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned()
                    + "\n",
            );
        }
        ensure!(
            !rows.is_empty(),
            "{} holds no picture that can be read",
            self.pictures.display()
        );
        let (table, list) = (
            self.out.with_extension("npy"),
            self.out.with_extension("files.txt"),
        );
        Tensor::stack(&rows, 0)
            .to_kind(Kind::Float)
            .write_npy(&table)
            .with_context(|| format!("cannot write {}", table.display()))?;
        std::fs::write(&list, names.concat())
            .with_context(|| format!("cannot write {}", list.display()))?;
        Ok(())
    }

    fn eyes(&self) -> anyhow::Result<Eyes> {
        let (folder, cache) = (self.weights.bundle()?, self.weights.cache()?);
        originals::fetched::prepare(&folder, &cache)?;
        let bundle = Bundle::open(&folder)?;
        let part = SeeingPart::read(&bundle)?;
        let device = models::tensors::device::choose(&self.weights.device)?;
        Ok(Eyes::open(&bundle, &part.detector, &cache, device)?)
    }

    fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = std::fs::read_dir(&self.pictures)
            .with_context(|| format!("cannot read {}", self.pictures.display()))?;
        let mut files = folder
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        files.retain(|file| {
            let ending = file
                .extension()
                .map(|ending| ending.to_string_lossy().to_lowercase());
            ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
        });
        files.sort();
        Ok(files)
    }
}
