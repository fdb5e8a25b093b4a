//! `evaluate seeing`: how well the part of a bundle that sees finds captions, on photos with features and captions.
//! Tells both ways of retrieval, and how true the captions are that the gallery offers.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;
use models::Bundle;
use models::networks::efficientnet::{Classifier, FEATURE as PHOTO};
use models::networks::nanodet::FEATURES;
use models::pipeline::seeing::part::SeeingPart;
use models::pipeline::seeing::{Look, PhotoLook};
use serde_json::json;
use tch::Tensor;
use training::measure::seeing::{self, Captions, Pictures, Truth};

use crate::commands::evaluate::table::{line, print};
use crate::commands::train::seeing::{pairs, table, vectors};
use crate::commands::train::texts::lines;

/// Measures how captions are found for photos.
#[derive(Args, Debug)]
pub(crate) struct SeeingQuestion {
    /// The bundle's folder, which holds `seeing.toml`.
    #[arg(long, default_value = "models/bundles/starter")]
    bundle: PathBuf,
    /// A photo network as safetensors, for its classifier; once for each that the features are of, in their order.
    #[arg(long, required = true)]
    classifier: Vec<PathBuf>,
    /// Features of photos, an .npy of (photos, 1872 or 3152), as `train features` makes it.
    #[arg(long)]
    features: PathBuf,
    /// The photo of each row.
    #[arg(long)]
    photos: PathBuf,
    /// Lines «photo TAB caption».
    #[arg(long)]
    captions: PathBuf,
    /// Unit sentence vectors of these captions, an .npy.
    #[arg(long)]
    vectors: PathBuf,
    /// Captions to choose from, lines «source TAB caption»; a photo's own are never chosen.
    #[arg(long, requires = "gallery_vectors")]
    gallery: Option<PathBuf>,
    /// Their unit sentence vectors.
    #[arg(long)]
    gallery_vectors: Option<PathBuf>,
    /// Only photos in rows of this kind: weights are tuned on the even ones and told of the odd ones.
    #[arg(long, value_enum, default_value = "all")]
    half: Half,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Half {
    /// All of them.
    All,
    /// 0, 2, 4, …
    Even,
    /// 1, 3, 5, …
    Odd,
}

impl SeeingQuestion {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let bundle = Bundle::open(&self.bundle)?;
        let network = SeeingPart::read(&bundle)?.seeing(&bundle)?;
        let pictures = self.pictures(network.features())?;
        let own = told(&self.captions, &self.vectors)?;
        let found = seeing::retrieval(&seeing::ranks(&network, &pictures, &own)?);
        let mut rows = vec![
            line("photos", pictures.names.len()),
            line("captions", own.texts.len()),
            line(
                "R@1/5/10",
                found.recall.map(|share| format!("{share:.3}")).join(" / "),
            ),
            line("median rank", found.median),
        ];
        let truth = match (&self.gallery, &self.gallery_vectors) {
            (Some(texts), Some(vectors)) => {
                let gallery = told(texts, vectors)?;
                Some(seeing::mean(&seeing::truths(
                    &network, &pictures, &own, &gallery,
                )?))
            }
            _ => None,
        };
        rows.extend(truth.iter().flat_map(told_truth));
        let object = json!({"photos": pictures.names.len(), "captions": own.texts.len(), "retrieval": found, "truth": truth});
        Ok(print(self.json, &object, &rows)?)
    }

    /// The looks, of which the joint spaces read so many numbers.
    fn pictures(&self, read: i64) -> anyhow::Result<Pictures> {
        let features = table(&self.features)?;
        let names = lines(&self.photos)?;
        let (rows, width) = features.size2()?;
        let file = self.features.display();
        ensure!(
            rows == names.len() as i64,
            "{file} has {rows} rows for {} photos",
            names.len()
        );
        ensure!(
            width == read || width == PHOTO + FEATURES,
            "{file} has {width} numbers a photo, the joint spaces read {read}: make it with `storyteller train features`"
        );
        if width < read {
            writeln!(
                std::io::stderr(),
                "{file} has {width} of the {read} numbers that are read of a photo: the second photo network has not looked"
            )?;
        }
        let networks = self.photo_networks(&features)?;
        let wanted = (0..rows).filter(|row| match self.half {
            Half::All => true,
            Half::Even => row % 2 == 0,
            Half::Odd => row % 2 == 1,
        });
        let (names, looks) = wanted
            .map(|row| {
                let look = Look {
                    photo: networks[0].row(row),
                    nanodet: features.get(row).narrow(0, PHOTO, FEATURES),
                    beside: networks.get(1).map(|found| found.row(row)),
                };
                (key(&names[row as usize]), look)
            })
            .unzip();
        Ok(Pictures { names, looks })
    }

    /// What the photo networks found, (N, 1280) and (N, 1000) each: one before the detector's numbers, one after them if the
    /// file has them.
    fn photo_networks(&self, features: &Tensor) -> anyhow::Result<Vec<PhotoLook>> {
        let width = features.size()[1];
        let places = [0, PHOTO + FEATURES].into_iter();
        let held: Vec<i64> = places.filter(|place| place + PHOTO <= width).collect();
        ensure!(
            held.len() == self.classifier.len(),
            "{} holds what {} photo networks saw, but {} are given as --classifier",
            self.features.display(),
            held.len(),
            self.classifier.len()
        );
        let each = held.into_iter().zip(&self.classifier);
        each.map(|(place, file)| {
            let feature = features.narrow(1, place, PHOTO);
            let classifier = Classifier::load(&models::Weights::from_safetensors(file)?)?;
            let likely = classifier.likely(&feature);
            Ok(PhotoLook { feature, likely })
        })
        .collect()
    }
}

fn told(texts: &PathBuf, table: &Path) -> anyhow::Result<Captions> {
    let (owners, texts) = pairs(texts)?;
    Ok(Captions {
        vectors: vectors(table, &texts)?,
        owners: owners.iter().map(|owner| key(owner)).collect(),
        texts,
    })
}

/// `000000000042.jpg` and `42` are one picture.
fn key(name: &str) -> String {
    let stem = name.split('.').next().unwrap_or(name);
    stem.trim_start_matches('0').to_owned()
}

fn told_truth(truth: &Truth) -> [(String, String); 3] {
    let three = |value: f64| format!("{value:.3}");
    [
        line("similarity to own captions", three(truth.similarity)),
        line("objects named that are there", three(truth.named_are_there)),
        line("objects there that are named", three(truth.there_are_named)),
    ]
}
