//! The joint space over two pairs of eyes and a sentence encoder: two linear maps, softmax-contrastive both ways.
//!
//! `storyteller train joint` calls [`run`]. Captions without pictures come in as pseudo pairs (see `pseudo`). What comes
//! out is what `models::networks::joint` loads, with the pictures that hubs are told by beside it.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor, no_grad};

use crate::course::Course;
use crate::course::{Oversight, Step, follow};
use crate::order::{Grouping, Rounds};
use crate::parameters::Parameters;
use crate::recipes::costs::contrastive;
use crate::recipes::pseudo::{Mixture, Pseudo};
use models::networks::joint::{CLIP, Joint, TEXT_SCALE};
use models::tensors::unit_rows::unit_rows;
use models::{Error, Result, Weights};

/// The scale that scores begin with, and the largest: beyond it the loss looks at the hardest pairs only.
const SCALE: (f64, f64) = (20.0, 40.0);
/// A feature that never changes is not divided by nothing.
const LEAST_SPREAD: f64 = 1e-3;

/// The settings of a run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Settings {
    /// Size of the joint space.
    pub dim: i64,
    /// What an update is made of.
    #[serde(flatten)]
    pub mixture: Mixture,
    /// The shares of picture features and of sentence vectors that are dropped.
    pub dropout: [f64; 2],
    /// Pictures that are kept to tell hubs by.
    pub bank: i64,
    /// Rate, length and seed.
    pub course: Course,
}

/// Photos and captions.
#[derive(Debug)]
pub struct Material {
    /// Features (N, F) of the training photos.
    pub features: Tensor,
    /// Unit sentence vectors (C, T) of all captions.
    pub vectors: Tensor,
    /// For each photo, the rows of its captions.
    pub captions: Vec<Vec<i64>>,
}

/// What standardises: means and spreads of the photos, mean of the sentence vectors.
#[derive(Debug)]
pub struct Standard {
    /// Mean (F) of the features.
    pub feature_mean: Tensor,
    /// Spread (F) of the features.
    pub feature_sd: Tensor,
    /// Mean (T) of the sentence vectors.
    pub text_mean: Tensor,
}

impl Standard {
    /// Of some training material.
    pub fn of(material: &Material) -> Self {
        let mean = |rows: &Tensor| rows.mean_dim(0i64, false, Kind::Float);
        let feature_mean = mean(&material.features);
        let spread = mean(&(&material.features - &feature_mean).square()).sqrt();
        Self {
            feature_mean,
            feature_sd: spread + LEAST_SPREAD,
            text_mean: mean(&material.vectors),
        }
    }

    /// Features as the maps take them.
    pub fn features(&self, features: &Tensor) -> Tensor {
        ((features - &self.feature_mean) / &self.feature_sd).clamp(-CLIP, CLIP)
    }

    /// Sentence vectors as the maps take them.
    pub fn texts(&self, vectors: &Tensor) -> Tensor {
        (vectors - &self.text_mean) * TEXT_SCALE
    }
}

/// Trains and returns the arrays of a [`Joint`] and its `bank`; `pseudo` comes with the vectors of its captions.
///
/// # Errors
/// When there are fewer photos than a batch has, a photo without captions, or as `follow`.
pub fn run(
    settings: &Settings,
    material: &Material,
    pseudo: Option<(&Pseudo, &Tensor)>,
    oversight: Oversight,
) -> Result<Weights> {
    let refuse = |reason: &str| Err(Error::format("the photos to train on", reason));
    if material.captions.iter().any(Vec::is_empty) {
        return refuse("one of them has no caption");
    }
    let seed = settings.course.seed;
    let lengths = vec![1; material.captions.len()];
    let mut rounds = Rounds::new(lengths, Grouping::Random, settings.mixture.batch, seed);
    if rounds.batches() == 0 {
        return refuse("there are fewer of them than a batch has");
    }
    tch::manual_seed(seed as i64);
    let standard = Standard::of(material);
    let (pictures, texts) = (
        standard.features(&material.features),
        standard.texts(&material.vectors),
    );
    let imagined = pseudo.map(|(pseudo, vectors)| (pseudo, standard.texts(vectors)));
    let parameters = initial(settings.dim, pictures.size()[1], texts.size()[1]);
    let oversight = oversight.of(|| recipe(settings, material, imagined.as_ref()));
    let trained = follow(
        &settings.course,
        parameters,
        oversight,
        &mut |parameters, update| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(update as u64 + 1);
            let batch = rounds.batch(update);
            let photos: Vec<i64> = batch.iter().map(|&photo| photo as i64).collect();
            let captions: Vec<i64> = batch
                .iter()
                .map(|&photo| {
                    let own = &material.captions[photo];
                    own[random.random_range(0..own.len())]
                })
                .collect();
            let (seen, read) = (rows(&pictures, &photos), rows(&texts, &captions));
            let mut cost = contrast(parameters, settings.dropout, &seen, &read);
            if let Some((pseudo, texts)) = &imagined {
                let (seen, captions) = pseudo.draw(&pictures, settings.mixture.pseudo, &mut random);
                let read = rows(texts, &captions);
                cost += contrast(parameters, settings.dropout, &seen, &read)
                    * settings.mixture.pseudo_weight;
            }
            Ok(Step {
                cost,
                times: batch.len() as f64,
                told: batch.len(),
            })
        },
    )?;
    finished(&trained, standard, material, settings.bank)
}

fn recipe(
    settings: &Settings,
    material: &Material,
    imagined: Option<&(&Pseudo, Tensor)>,
) -> serde_json::Value {
    let sum = |tensor: &Tensor| {
        format!(
            "{:?} {}",
            tensor.size(),
            tensor.sum(Kind::Double).double_value(&[])
        )
    };
    serde_json::json!({
        "trains": "joint", "settings": settings, "features": sum(&material.features),
        "vectors": sum(&material.vectors), "imagined": imagined.map(|(_, texts)| sum(texts)),
    })
}

fn initial(dim: i64, features: i64, texts: i64) -> Parameters {
    let mut parameters = Parameters::new();
    for (side, inputs) in [("image", features), ("text", texts)] {
        let bound = (inputs as f64).sqrt().recip();
        parameters.uniform(&format!("{side}.weight"), [dim, inputs], bound);
        parameters.zeros(&format!("{side}.bias"), dim);
    }
    parameters.add("log_scale", Tensor::from_slice(&[SCALE.0.ln() as f32]));
    parameters
}

/// Softmax over the batch in both directions, halved.
fn contrast(
    parameters: &Parameters,
    dropout: [f64; 2],
    pictures: &Tensor,
    texts: &Tensor,
) -> Tensor {
    let side = |name: &str, x: &Tensor, dropout: f64| {
        let (weight, bias) = (
            parameters.get(&format!("{name}.weight")),
            parameters.get(&format!("{name}.bias")),
        );
        unit_rows(&x.dropout(dropout, true).linear(weight, Some(bias)))
    };
    let rows = pictures.size()[0];
    let (pictures, texts) = (
        side("image", pictures, dropout[0]),
        side("text", texts, dropout[1]),
    );
    let scale = parameters.get("log_scale").exp().clamp_max(SCALE.1);
    let scores = pictures.matmul(&texts.tr()) * scale;
    // each photo stands there once, with one of its captions
    let photos = Tensor::arange(rows, (Kind::Int64, Device::Cpu));
    contrastive(&scores, &photos) / rows as f64
}

/// The arrays of the network, and every n-th photo in it.
fn finished(
    trained: &Parameters,
    standard: Standard,
    material: &Material,
    bank: i64,
) -> Result<Weights> {
    let maps = trained.weights("joint", |name| name != "log_scale");
    let Standard {
        feature_mean,
        feature_sd,
        text_mean,
    } = standard;
    let standard = [
        ("feature_mean", feature_mean),
        ("feature_sd", feature_sd),
        ("text_mean", text_mean),
    ];
    let held = maps
        .iter()
        .map(|(name, array)| (name.to_owned(), array.shallow_clone()));
    let arrays: Vec<(String, Tensor)> = held
        .chain(standard.map(|(name, array)| (name.to_owned(), array)))
        .collect();
    let copy = |(name, array): &(String, Tensor)| (name.clone(), array.shallow_clone());
    let network = Joint::load(&Weights::from_tensors("joint", arrays.iter().map(copy)))?;
    let photos = material.features.size()[0];
    let every = (photos / bank.clamp(1, photos)).max(1);
    let some = Tensor::arange(bank.clamp(1, photos), (Kind::Int64, Device::Cpu)) * every;
    let bank = no_grad(|| network.image(&material.features.index_select(0, &some)));
    Ok(Weights::from_tensors(
        "joint",
        arrays.into_iter().chain([("bank".to_owned(), bank)]),
    ))
}

fn rows(of: &Tensor, places: &[i64]) -> Tensor {
    of.index_select(0, &Tensor::from_slice(places))
}
