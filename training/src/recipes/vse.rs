//! The joint space of pictures and sentences (algorithm.md §3.5; Kiros, Salakhutdinov and Zemel 2014).
//!
//! `storyteller train vse` runs a [`Recipe`]; [`recall`] measures what came of it with the network as it is used to tell
//! stories. Features are taken as they come and brought to unit length once, before training.

use tch::{Kind, Tensor, no_grad};

use crate::checkpoint::sum_of;
use crate::course::{Oversight, Step, follow};
use crate::order::{Grouping, Rounds};
use crate::parameters::Parameters;
use crate::recipes::costs;
use crate::recipes::graph::{Graph, Text};
use crate::recipes::settings::Settings;
use models::networks::vse::SentenceEncoder;
use models::tensors::unit_rows::unit_rows;
use models::{Error, Result, Vocabulary, Vse, Weights};

/// What a good pair is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// The original's: wrong pairs must score less than right ones by this margin; pictures are not normalised.
    Margin(f64),
    /// Softmax over the batch in both directions, scores multiplied by this; both sides normalised.
    Contrastive(f64),
}

/// A joint space to be trained.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// Sizes, batches and course.
    pub settings: &'a Settings,
    /// What is minimised.
    pub objective: Objective,
    /// The words of the captions.
    pub words: &'a Vocabulary,
    /// What the image encoder makes of each picture, (N, F).
    pub features: &'a Tensor,
    /// What belongs together.
    pub pairs: &'a [Pair],
}

/// How many updates see each of `pairs` once.
pub fn updates_of_a_round(pairs: &[Pair], grouping: Grouping, batch: usize) -> usize {
    Rounds::new(lengths(pairs), grouping, batch, 0).batches()
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

impl Recipe<'_> {
    /// Trains and returns the arrays of a [`Vse`].
    ///
    /// # Errors
    /// When there are fewer pairs than a batch has, or as `follow`.
    pub fn run(&self, oversight: Oversight) -> Result<Weights> {
        let settings = self.settings;
        let seed = settings.course.seed;
        tch::manual_seed(seed as i64);
        let features = self
            .features
            .to_device(settings.device)
            .to_kind(Kind::Float);
        let features = unit_rows(&features);
        let parameters = initial(settings, self.words.len() as i64, features.size()[1]);
        let parameters = parameters.to_device(settings.device);
        let lengths = lengths(self.pairs);
        let mut rounds = Rounds::new(lengths, settings.grouping, settings.batch, seed);
        if rounds.batches() == 0 {
            let reason = format!(
                "there are only {} of them, fewer than a batch of {}",
                self.pairs.len(),
                settings.batch
            );
            return Err(Error::format("the captions to train on", reason));
        }
        let oversight = oversight.of(|| self.all_that_counts());
        let mut step = |parameters: &Parameters, update| {
            let batch: Vec<&Pair> = rounds
                .batch(update)
                .iter()
                .map(|&i| &self.pairs[i])
                .collect();
            Ok(Step {
                cost: self.cost(parameters, &features, &batch),
                times: 1.0,
                told: batch.len(),
            })
        };
        let trained = follow(&settings.course, parameters, oversight, &mut step)?;
        Ok(trained.weights("vse", |_| true))
    }

    /// All that decides the outcome, for the checkpoint.
    fn all_that_counts(&self) -> serde_json::Value {
        let captions = self.pairs.iter().map(|pair| pair.caption.as_slice());
        let pictures: Vec<i64> = self.pairs.iter().map(|pair| pair.picture).collect();
        let features = self.features;
        self.settings.recipe(serde_json::json!({
            "trains": "vse", "loss": self.objective, "captions": sum_of(captions),
            "pictures": sum_of([pictures.as_slice()].into_iter()),
            "features": format!("{:?} {}", features.size(), features.sum(Kind::Double).double_value(&[])),
        }))
    }

    /// The summed cost of a batch, over pictures (N, F) of unit length.
    fn cost(&self, parameters: &Parameters, features: &Tensor, batch: &[&Pair]) -> Tensor {
        let rows: Vec<i64> = batch.iter().map(|pair| pair.picture).collect();
        let rows = Tensor::from_slice(&rows).to_device(features.device());
        let seen = features.index_select(0, &rows);
        let captions: Vec<&[i64]> = batch.iter().map(|pair| pair.caption.as_slice()).collect();
        let captions = Text::new(&captions, parameters.device());
        let graph = Graph {
            parameters,
            kind: self.settings.kind,
            dropout: self.settings.dropout,
        };
        match self.objective {
            Objective::Margin(margin) => graph.vse(SentenceEncoder::Gru, margin, &captions, &seen),
            Objective::Contrastive(scale) => {
                let sentences = graph.sentences(SentenceEncoder::Gru, &captions);
                let pictures = unit_rows(&graph.pictures(&seen));
                costs::contrastive(&(pictures.matmul(&sentences.tr()) * scale), &rows)
            }
        }
    }
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

/// The weights as a network that can be measured.
///
/// # Errors
/// When the arrays do not fit the vocabulary.
pub fn network(weights: &Weights, words: Vocabulary) -> Result<Vse> {
    let known = words.len();
    no_grad(|| Vse::new(weights, words, known, SentenceEncoder::Gru))
}
