//! Photos as training and measuring read them: a table of features, the names of its rows, captions and splits.
//! Used by `train vse` and `evaluate retrieval`, which must not read them differently.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use tch::{Kind, Tensor};

use crate::commands::train::texts::lines;

/// Where features and captions are.
#[derive(Args, Debug)]
pub(crate) struct Photos {
    /// Picture features, an .npy of (photos, numbers).
    #[arg(long)]
    features: PathBuf,
    /// The photo of each row.
    #[arg(long)]
    photos: PathBuf,
    /// Lines «photo TAB caption».
    #[arg(long)]
    captions: PathBuf,
}

/// A caption and the row of its photo.
pub(crate) type Caption = (String, i64);

/// The features of some photos and their captions, with rows counted among them.
#[derive(Debug)]
pub(crate) struct HeldOut {
    /// (photos, numbers).
    pub(crate) features: Tensor,
    /// In the order of the file.
    pub(crate) captions: Vec<Caption>,
}

impl Photos {
    /// The features, in f32.
    pub(crate) fn features(&self) -> anyhow::Result<Tensor> {
        Ok(Tensor::read_npy(&self.features)
            .with_context(|| format!("{} is no .npy", self.features.display()))?
            .to_kind(Kind::Float))
    }

    /// The row of each photo.
    pub(crate) fn rows(&self) -> anyhow::Result<HashMap<String, i64>> {
        Ok(lines(&self.photos)?.into_iter().zip(0..).collect())
    }

    /// The captions of the photos named in `split`.
    pub(crate) fn captions_of(
        &self,
        split: &PathBuf,
        rows: &HashMap<String, i64>,
    ) -> anyhow::Result<Vec<Caption>> {
        let wanted: HashSet<String> = lines(split)?.into_iter().collect();
        let mut captions = Vec::new();
        for line in lines(&self.captions)? {
            let (photo, caption) = line
                .split_once('\t')
                .with_context(|| format!("{}: no TAB in «{line}»", self.captions.display()))?;
            if wanted.contains(photo) {
                let row = rows
                    .get(photo)
                    .with_context(|| format!("{photo} has a caption but no row of features"))?;
                let caption = caption.split_whitespace().collect::<Vec<_>>().join(" ");
                captions.push((caption, *row));
            }
        }
        if captions.is_empty() {
            bail!(
                "no caption in {} is of a photo in {}",
                self.captions.display(),
                split.display()
            );
        }
        Ok(captions)
    }

    /// The photos named in `split` with their captions.
    pub(crate) fn held_out(
        &self,
        split: &PathBuf,
        rows: &HashMap<String, i64>,
    ) -> anyhow::Result<HeldOut> {
        let captions = self.captions_of(split, rows)?;
        let mut places: Vec<i64> = captions.iter().map(|(_, row)| *row).collect();
        places.sort_unstable();
        places.dedup();
        let features = self
            .features()?
            .index_select(0, &Tensor::from_slice(&places));
        let place = |row: i64| places.binary_search(&row).map_or(0, |place| place as i64);
        let captions = captions
            .into_iter()
            .map(|(caption, row)| (caption, place(row)))
            .collect();
        Ok(HeldOut { features, captions })
    }
}
