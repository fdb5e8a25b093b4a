//! The joint space of pictures and sentences (algorithm.md §3.5; Kiros, Salakhutdinov and Zemel 2014).
//!
//! `storyteller train vse` calls [`run`]; [`recall`] measures what came of it with the network as it is used to tell
//! stories. Features are taken as they come and brought to unit length once, before training.

use tch::{Device, Kind, Reduction, Tensor, no_grad};

use crate::checkpoint::sum_of;
use crate::course::{Lesson, follow};
use crate::order::{Grouping, Rounds};
use crate::recipes::graph::margin_cost;
use crate::{Course, Keeper, Parameters, Watcher};
use models::tensors::unit_rows::unit_rows;
use models::{Error, Result, Vocabulary, Vse, Weights};

/// What a good pair is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// The original's: wrong pairs must score less than right ones by this margin; pictures are not normalised.
    Margin(f64),
    /// Softmax over the batch in both directions, scores multiplied by this; both sides normalised.
    Contrastive(f64),
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Size of a word's vector.
    pub dim_word: i64,
    /// Size of the joint space.
    pub dim: i64,
    /// The loss.
    pub loss: Loss,
    /// Pairs an update.
    pub batch: usize,
    /// How pairs come together.
    pub grouping: Grouping,
    /// The share of a picture's feature and of word vectors that is dropped in training.
    pub dropout: f64,
    /// What the matrix products are computed in.
    pub kind: Kind,
    /// Where to compute.
    pub device: Device,
    /// Rate, optimiser, length and seed.
    pub course: Course,
}

impl Settings {
    /// All that decides the outcome, for the checkpoint.
    fn recipe(&self, features: &Tensor, pairs: &[Pair]) -> serde_json::Value {
        let captions = pairs.iter().map(|pair| pair.caption.as_slice());
        let pictures: Vec<i64> = pairs.iter().map(|pair| pair.picture).collect();
        serde_json::json!({
            "trains": "vse", "course": self.course, "dim_word": self.dim_word, "dim": self.dim, "loss": self.loss,
            "batch": self.batch, "grouping": self.grouping, "dropout": self.dropout,
            "kind": format!("{:?}", self.kind), "device": format!("{:?}", self.device),
            "captions": sum_of(captions), "pictures": sum_of([pictures.as_slice()].into_iter()),
            "features": format!("{:?} {}", features.size(), features.sum(Kind::Double).double_value(&[])),
        })
    }
}

/// How many updates see each of `pairs` once.
pub fn updates_of_a_round(pairs: &[Pair], (grouping, batch): (Grouping, usize)) -> usize {
    Rounds::new(lengths(pairs), grouping, (batch, 0)).batches()
}

fn lengths(pairs: &[Pair]) -> Vec<usize> {
    pairs.iter().map(|pair| pair.caption.len()).collect()
}

/// A caption as ids without the end mark, and the row of its picture.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Word ids.
    pub caption: Vec<i64>,
    /// Row of the features.
    pub picture: i64,
}

/// Trains on `pairs` over `features` (N, F) and returns the arrays of a [`Vse`].
///
/// # Errors
/// When there are fewer pairs than a batch has, or as [`follow`].
pub fn run(
    settings: &Settings,
    words: &Vocabulary,
    (features, pairs): (&Tensor, &[Pair]),
    (keeper, watcher): (Option<&Keeper>, &mut dyn Watcher),
) -> Result<Weights> {
    let seed = settings.course.seed;
    tch::manual_seed(seed as i64);
    let keeper = keeper.map(|keeper| keeper.of(settings.recipe(features, pairs)));
    let features = features.to_device(settings.device).to_kind(Kind::Float);
    let features = unit_rows(&features);
    let parameters = initial(settings, words.len() as i64, features.size()[1]);
    let parameters = parameters.to_device(settings.device);
    let mut rounds = Rounds::new(lengths(pairs), settings.grouping, (settings.batch, seed));
    if rounds.batches() == 0 {
        let reason = format!(
            "there are only {} of them, fewer than a batch of {}",
            pairs.len(),
            settings.batch
        );
        return Err(Error::format("the captions to train on", reason));
    }
    let watch = (keeper.as_ref(), watcher);
    let trained = follow(
        &settings.course,
        parameters,
        watch,
        &mut |parameters, update| {
            let batch: Vec<&Pair> = rounds.batch(update).iter().map(|&i| &pairs[i]).collect();
            Lesson {
                cost: cost(settings, parameters, &features, &batch),
                times: 1.0,
                told: batch.len(),
            }
        },
    )?;
    Ok(trained.weights("vse", |_| true))
}

/// Recall at 1, 5 and 10 in per cent and the median rank, from pictures to captions and back (§3.7).
#[derive(Clone, Debug, serde::Serialize)]
pub struct Recall {
    /// A caption of the picture among the first 1, 5, 10.
    pub picture_to_caption: [f64; 3],
    /// Median rank of the first caption of the picture.
    pub caption_median: usize,
    /// The picture of the caption among the first 1, 5, 10.
    pub caption_to_picture: [f64; 3],
    /// Median rank of the picture.
    pub picture_median: usize,
}

/// Measures `vse` on pictures (N, F) and captions, each with the row of its picture.
pub fn recall(vse: &Vse, features: &Tensor, captions: &[(&str, i64)]) -> Recall {
    let _no_grad = tch::no_grad_guard();
    let pictures = vse.embed_images(&features.to_kind(Kind::Float));
    let texts: Vec<&str> = captions.iter().map(|(text, _)| *text).collect();
    let owners: Vec<i64> = captions.iter().map(|(_, picture)| *picture).collect();
    let scores = pictures.matmul(&vse.embed_sentences(&texts, &mut |_| {}).tr());
    recall_of(&scores, &owners)
}

/// The same from scores (pictures, captions) and the row of each caption's picture.
pub fn recall_of(scores: &Tensor, owners: &[i64]) -> Recall {
    let rows = Tensor::arange(scores.size()[0], (Kind::Int64, scores.device())).unsqueeze(1);
    let own = rows.eq_tensor(&Tensor::from_slice(owners).unsqueeze(0));
    let best = scores
        .masked_fill(&own.logical_not(), f64::NEG_INFINITY)
        .amax([1i64].as_slice(), true);
    let forth = ranks(
        &scores
            .gt_tensor(&best)
            .sum_dim_intlist(1i64, false, Kind::Int64),
    );
    let right =
        scores
            .masked_fill(&own.logical_not(), 0.0)
            .sum_dim_intlist(0i64, true, Kind::Float);
    let back = ranks(
        &scores
            .gt_tensor(&right)
            .sum_dim_intlist(0i64, false, Kind::Int64),
    );
    Recall {
        picture_to_caption: at(&forth),
        caption_median: forth[forth.len() / 2] as usize + 1,
        caption_to_picture: at(&back),
        picture_median: back[back.len() / 2] as usize + 1,
    }
}

fn ranks(better: &Tensor) -> Vec<i64> {
    let mut ranks = Vec::<i64>::try_from(better).expect("ranks are whole numbers");
    ranks.sort_unstable();
    ranks
}

fn at(ranks: &[i64]) -> [f64; 3] {
    [1, 5, 10]
        .map(|k| 100.0 * ranks.iter().filter(|&&rank| rank < k).count() as f64 / ranks.len() as f64)
}

fn initial(settings: &Settings, words: i64, feature: i64) -> Parameters {
    let mut parameters = Parameters::new();
    parameters.uniform("Wemb", [words, settings.dim_word], 0.1);
    parameters.gru("encoder", settings.dim_word, settings.dim);
    parameters.xavier("ff_image_W", [feature, settings.dim]);
    parameters.zeros("ff_image_b", settings.dim);
    parameters
}

/// The summed cost of a batch.
fn cost(
    settings: &Settings,
    parameters: &Parameters,
    features: &Tensor,
    batch: &[&Pair],
) -> Tensor {
    let rows: Vec<i64> = batch.iter().map(|pair| pair.picture).collect();
    let rows = Tensor::from_slice(&rows).to_device(features.device());
    let seen = features
        .index_select(0, &rows)
        .dropout(settings.dropout, true);
    let pictures = parameters.apply("ff_image", &seen);
    let sentences = unit_rows(&read(settings, parameters, batch));
    match settings.loss {
        Loss::Margin(margin) => margin_cost(&pictures.matmul(&sentences.tr()), margin),
        Loss::Contrastive(scale) => {
            let scores = unit_rows(&pictures).matmul(&sentences.tr()) * scale;
            // another caption of the same picture is no wrong answer
            let same = rows.unsqueeze(1).eq_tensor(&rows.unsqueeze(0));
            let _ = same.shallow_clone().fill_diagonal_(0, false);
            let scores = scores.masked_fill(&same, -1e4);
            let right = Tensor::arange(batch.len() as i64, (Kind::Int64, scores.device()));
            let loss = |scores: &Tensor| {
                scores.cross_entropy_loss::<Tensor>(&right, None, Reduction::Sum, -100, 0.0)
            };
            (loss(&scores) + loss(&scores.tr())) * 0.5
        }
    }
}

/// The last states (B, D) of captions of mixed lengths: what comes after a caption's end is not looked at.
fn read(settings: &Settings, parameters: &Parameters, batch: &[&Pair]) -> Tensor {
    let device = parameters.device();
    let count = batch.len() as i64;
    let longest = batch
        .iter()
        .map(|pair| pair.caption.len())
        .max()
        .unwrap_or(0) as i64
        + 1;
    let mut ids = vec![0i64; (longest * count) as usize];
    let mut ends = Vec::with_capacity(batch.len());
    for (column, pair) in batch.iter().enumerate() {
        for (step, id) in pair.caption.iter().enumerate() {
            ids[step * batch.len() + column] = *id;
        }
        ends.push(pair.caption.len() as i64 * count + column as i64);
    }
    let x = parameters
        .get("Wemb")
        .index_select(0, &Tensor::from_slice(&ids).to_device(device))
        .dropout(settings.dropout, true)
        .to_kind(settings.kind)
        .view([longest, count, -1]);
    let states = parameters
        .cell("encoder", settings.kind)
        .run(&x, None, None);
    states
        .view([longest * count, -1])
        .index_select(0, &Tensor::from_slice(&ends).to_device(device))
        .to_kind(Kind::Float)
}

/// The weights as a network that can be measured.
///
/// # Errors
/// When the arrays do not fit the vocabulary.
pub fn network(weights: &Weights, words: Vocabulary) -> Result<Vse> {
    let known = words.len();
    no_grad(|| {
        Vse::new(
            weights,
            words,
            known,
            models::networks::vse::SentenceEncoder::Gru,
        )
    })
}
