//! `train features`, `train joint` and `train word-head`: what the part of a bundle that sees is made of.
//! All three read plain tables: features and sentence vectors as .npy, captions as lines «photo TAB caption».

mod features;
mod joint;
mod word_head;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use models::Weights;
use models::networks::nanodet;
use models::pipeline::seeing::mentions::Mentions;
use tch::{Kind, Tensor};
use training::recipes::pseudo::{Mixture, Pseudo, Recognition};

use crate::commands::train::texts::lines;

pub(super) use features::Features;
pub(super) use joint::JointStep;
pub(super) use word_head::WordHeadStep;

/// Photos with features and captions.
#[derive(Args, Debug)]
struct Photos {
    /// Features of photos, an .npy of (photos, 1872 or 3152), as `train features` makes it.
    #[arg(long)]
    features: PathBuf,
    /// The photo of each row.
    #[arg(long)]
    photos: PathBuf,
    /// Lines «photo TAB caption».
    #[arg(long)]
    captions: PathBuf,
    /// The photos to train on; all unless given.
    #[arg(long)]
    train: Option<PathBuf>,
}

/// Captions without pictures, and what it takes to imagine one.
#[derive(Args, Debug)]
struct Texts {
    /// More captions, lines «source TAB caption», whose pictures are imagined from the classes that they name.
    #[arg(long, requires_all = ["classifier", "mentions"])]
    texts: Option<PathBuf>,
    /// A photo network as safetensors, for the directions of its classes; once for each that the features are of, in their
    /// order.
    #[arg(long)]
    classifier: Vec<PathBuf>,
    /// Phrases and the classes that they name.
    #[arg(long)]
    mentions: Option<PathBuf>,
    /// Imagined pictures an update.
    #[arg(long, default_value_t = 384)]
    imagined: usize,
    /// How much they count beside the photos.
    #[arg(long, default_value_t = 0.7)]
    imagined_weight: f64,
}

/// The photos that are trained on.
struct Chosen {
    /// (N, F).
    features: Tensor,
    /// For each photo, the lines of its captions.
    captions: Vec<Vec<usize>>,
    /// All captions of the file.
    texts: Vec<String>,
}

impl Photos {
    fn chosen(&self) -> anyhow::Result<Chosen> {
        let names = lines(&self.photos)?;
        let wanted: Option<HashSet<String>> = self
            .train
            .as_ref()
            .map(|path| Ok::<_, anyhow::Error>(lines(path)?.into_iter().collect()))
            .transpose()?;
        let (owners, texts) = pairs(&self.captions)?;
        let mut of: HashMap<String, Vec<usize>> = HashMap::new();
        for (line, owner) in owners.into_iter().enumerate() {
            of.entry(owner).or_default().push(line);
        }
        let (mut rows, mut captions) = (Vec::new(), Vec::new());
        for (row, name) in names.iter().enumerate() {
            let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.contains(name));
            if let Some(own) = of.get(name).filter(|_| is_wanted) {
                rows.push(row as i64);
                captions.push(own.clone());
            }
        }
        let all = table(&self.features)?;
        ensure!(
            all.size()[0] == names.len() as i64,
            "{} has {} rows, but {} names {} photos",
            self.features.display(),
            all.size()[0],
            self.photos.display(),
            names.len()
        );
        ensure!(!rows.is_empty(), "no photo has both a row and a caption");
        Ok(Chosen {
            features: all.index_select(0, &Tensor::from_slice(&rows)),
            captions,
            texts,
        })
    }
}

impl Texts {
    /// An update of so many photos.
    fn mixture(&self, batch: usize) -> Mixture {
        Mixture {
            batch,
            pseudo: self.imagined,
            pseudo_weight: self.imagined_weight,
        }
    }

    /// The captions and the pictures that can be imagined for them, in units of `spread`.
    fn pseudo(
        &self,
        pictures: &Tensor,
        spread: &Tensor,
    ) -> anyhow::Result<Option<(Pseudo, Vec<String>)>> {
        let (Some(texts), Some(mentions)) = (&self.texts, &self.mentions) else {
            return Ok(None);
        };
        let list = std::fs::read_to_string(mentions)
            .with_context(|| format!("cannot read {}", mentions.display()))?;
        let mentions = Mentions::parse(&mentions.display().to_string(), &list)?;
        let (_, captions) = pairs(texts)?;
        let classifiers = self
            .classifier
            .iter()
            .map(|file| Weights::from_safetensors(file)?.tensor("_fc.weight", &[-1, -1]))
            .collect::<models::Result<Vec<_>>>()?;
        let recognition = Recognition {
            classifiers: &classifiers,
            scores: nanodet::CLASSES,
            spread,
        };
        let named = captions.iter().map(|caption| mentions.every(caption));
        let pseudo = Pseudo::new(pictures, &recognition, named)?;
        Ok(Some((pseudo, captions)))
    }
}

/// Lines «photo TAB caption» as photos and captions.
pub(crate) fn pairs(path: &PathBuf) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let mut pairs = (Vec::new(), Vec::new());
    for line in lines(path)? {
        let (photo, caption) = line
            .split_once('\t')
            .with_context(|| format!("{}: no TAB in «{line}»", path.display()))?;
        pairs.0.push(photo.to_owned());
        pairs.1.push(caption.to_owned());
    }
    Ok(pairs)
}

/// An .npy of floats, in f32.
pub(crate) fn table(path: &Path) -> anyhow::Result<Tensor> {
    let table = Tensor::read_npy(path).with_context(|| format!("{} is no .npy", path.display()))?;
    Ok(table.to_kind(Kind::Float))
}

/// Sentence vectors, one a caption.
pub(crate) fn vectors(path: &Path, captions: &[String]) -> anyhow::Result<Tensor> {
    let vectors = table(path)?;
    ensure!(
        vectors.size()[0] == captions.len() as i64,
        "{} has {} vectors for {} captions",
        path.display(),
        vectors.size()[0],
        captions.len()
    );
    Ok(vectors)
}
