//! The word head: from what the eyes see to the words that people would use, by logistic regression with a narrow waist.
//!
//! `storyteller train word-head` calls [`run`]. The target of a word is the share of a photo's captions that use it, so
//! what comes out is how likely one person's caption has it. Captions without pictures come in as pseudo pairs.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Reduction, Tensor};

use crate::course::Course;
use crate::course::{Oversight, Step, follow};
use crate::order::{Grouping, Rounds};
use crate::parameters::Parameters;
use crate::recipes::pseudo::{Mixture, Pseudo};
use models::{Error, Result, Weights};

/// The settings of a run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Settings {
    /// Size of the waist.
    pub rank: i64,
    /// What an update is made of.
    #[serde(flatten)]
    pub mixture: Mixture,
    /// The share of features that is dropped.
    pub dropout: f64,
    /// Rate, length and seed.
    pub course: Course,
}

/// What is learnt from.
#[derive(Debug)]
pub struct LabelledPhotos {
    /// Standardised features (N, F) of photos.
    pub pictures: Tensor,
    /// For each photo, (word, share of its captions that use it).
    pub words: Vec<Vec<(i64, f32)>>,
    /// For each caption without a picture, its words; empty without pseudo pairs.
    pub imagined: Vec<Vec<i64>>,
    /// How many words there are.
    pub count: i64,
}

/// Trains and returns `down`, `up` and `bias`.
///
/// # Errors
/// When there are fewer photos than a batch has, or as `follow`.
pub fn run(
    settings: &Settings,
    photos: &LabelledPhotos,
    pseudo: Option<&Pseudo>,
    oversight: Oversight,
) -> Result<Weights> {
    let seed = settings.course.seed;
    let lengths = vec![1; photos.words.len()];
    let mut rounds = Rounds::new(lengths, Grouping::Random, settings.mixture.batch, seed);
    if rounds.batches() == 0 {
        let reason = "there are fewer of them than a batch has";
        return Err(Error::format("the photos to train on", reason));
    }
    tch::manual_seed(seed as i64);
    let parameters = initial(settings.rank, photos);
    let oversight = oversight.of(|| {
        let sum = photos.pictures.sum(Kind::Double).double_value(&[]);
        serde_json::json!({
            "trains": "word head", "settings": settings, "words": photos.count, "pictures": sum,
            "imagined": photos.imagined.len(),
        })
    });
    let trained = follow(
        &settings.course,
        parameters,
        oversight,
        &mut |parameters, update| {
            let batch = rounds.batch(update);
            let (seen, wanted) = photos.of(batch);
            let mut cost = surprise(parameters, settings.dropout, &seen, &wanted);
            if let Some(pseudo) = pseudo {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(update as u64 + 1);
                let count = settings.mixture.pseudo;
                let (seen, captions) = pseudo.draw(&photos.pictures, count, &mut random);
                let wanted = photos.imagined_words(&captions);
                cost += surprise(parameters, settings.dropout, &seen, &wanted)
                    * settings.mixture.pseudo_weight;
            }
            Ok(Step {
                cost,
                times: batch.len() as f64,
                told: batch.len(),
            })
        },
    )?;
    Ok(trained.weights("word head", |_| true))
}

/// The biases begin at the words' log odds, so that training begins with what is usual.
fn initial(rank: i64, photos: &LabelledPhotos) -> Parameters {
    let mut usual = vec![0f32; photos.count as usize];
    for (word, share) in photos.words.iter().flatten() {
        usual[*word as usize] += share / photos.words.len() as f32;
    }
    let odds: Vec<f32> = usual
        .iter()
        .map(|&p| (p.max(1e-5) / (1.0 - p.min(0.99))).ln())
        .collect();
    let features = photos.pictures.size()[1];
    let mut parameters = Parameters::new();
    parameters.uniform("down", [rank, features], (features as f64).sqrt().recip());
    parameters.uniform(
        "up",
        [photos.count, rank],
        (rank as f64).sqrt().recip() * 0.1,
    );
    parameters.add("bias", Tensor::from_slice(&odds));
    parameters
}

impl LabelledPhotos {
    /// The features (B, F) of some photos, and the words wanted of each (B, W).
    fn of(&self, photos: &[usize]) -> (Tensor, Tensor) {
        let rows: Vec<i64> = photos.iter().map(|&photo| photo as i64).collect();
        let seen = self.pictures.index_select(0, &Tensor::from_slice(&rows));
        let wanted = photos
            .iter()
            .map(|&photo| self.words[photo].iter().copied());
        (seen, targets(self.count, wanted))
    }

    /// The words wanted of imagined pictures of these captions (B, W).
    fn imagined_words(&self, captions: &[i64]) -> Tensor {
        let words = |&caption: &i64| {
            let words = self.imagined[caption as usize].iter();
            words.map(|&word| (word, 1.0))
        };
        targets(self.count, captions.iter().map(words))
    }
}

/// The summed cross-entropy of a picture's words.
fn surprise(parameters: &Parameters, dropout: f64, seen: &Tensor, wanted: &Tensor) -> Tensor {
    let pictures = seen.size()[0] as f64;
    let waist = seen
        .dropout(dropout, true)
        .matmul(&parameters.get("down").tr());
    let odds = waist.matmul(&parameters.get("up").tr()) + parameters.get("bias");
    odds.binary_cross_entropy_with_logits::<Tensor>(wanted, None, None, Reduction::Sum) / pictures
}

/// Rows of zeros with the shares of the words that are there.
fn targets(
    count: i64,
    rows: impl ExactSizeIterator<Item = impl Iterator<Item = (i64, f32)>>,
) -> Tensor {
    let (width, height) = (count as usize, rows.len());
    let mut values = vec![0f32; width * height];
    for (row, words) in rows.enumerate() {
        for (word, share) in words {
            values[row * width + word as usize] = share;
        }
    }
    Tensor::from_slice(&values)
        .view([height as i64, count])
        .to_device(Device::Cpu)
}
