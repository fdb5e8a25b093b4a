//! Skip-thoughts: an encoder reads a sentence, two decoders tell its neighbours (algorithm.md §4.4, Kiros et al. 2015).
//!
//! `storyteller train skip-thoughts` runs a [`Recipe`] for each half, uni (one encoder) and bi (two, one of them reading
//! backwards). The decoders and the output layer exist only here: a bundle keeps `Wemb` and the encoders.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use crate::checkpoint::sum_of;
use crate::course::{Oversight, Step, follow};
use crate::order::Rounds;
use crate::parameters::Parameters;
use crate::recipes::costs::{Classes, sampled};
use crate::recipes::graph::{Graph, Half, Neighbours, Text};
use crate::recipes::settings::Settings;
use models::{Result, Vocabulary, Weights};

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// The original's: over all words, the end mark read too, summed over the batch.
    Original,
    /// A mean over the batch; the output layer looks at the words of the batch and this many others drawn at random
    /// (0: all words).
    Sampled(usize),
}

/// Three neighbouring sentences as word ids, without end marks.
#[derive(Clone, Debug)]
pub struct Triplet {
    /// The sentence before.
    pub before: Vec<i64>,
    /// The sentence that is read.
    pub middle: Vec<i64>,
    /// The sentence after.
    pub after: Vec<i64>,
}

/// A half of the sentence encoder to be trained.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// Sizes, batches and course; examples come together by the length of the middle sentence.
    pub settings: &'a Settings,
    /// Which half.
    pub half: Half,
    /// What is minimised.
    pub objective: Objective,
    /// The words of the sentences.
    pub words: &'a Vocabulary,
    /// What is trained on, at least one.
    pub triplets: &'a [Triplet],
}

impl Recipe<'_> {
    /// Trains and returns `Wemb` and the encoders.
    ///
    /// # Errors
    /// As `follow`.
    pub fn run(&self, oversight: Oversight) -> Result<Weights> {
        let settings = self.settings;
        let seed = settings.course.seed;
        tch::manual_seed(seed as i64);
        let parameters = self.initial().to_device(settings.device);
        let lengths = self.triplets.iter().map(|t| t.middle.len()).collect();
        let mut rounds = Rounds::new(lengths, settings.grouping, settings.batch, seed);
        let oversight = oversight.of(|| self.all_that_counts());
        let mut step = |parameters: &Parameters, update| {
            let batch: Vec<&Triplet> = rounds
                .batch(update)
                .iter()
                .map(|&i| &self.triplets[i])
                .collect();
            // by the number of the update, so that a resumed course draws the same words
            let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5EED);
            random.set_stream(update as u64);
            Ok(self.step(parameters, &batch, &mut random))
        };
        let trained = follow(&settings.course, parameters, oversight, &mut step)?;
        Ok(trained.weights("skip-thoughts", |name| {
            name == "Wemb" || name.starts_with("encoder")
        }))
    }

    /// Mean loss per told word on `triplets`, over all words of the vocabulary.
    pub fn held_out_loss(&self, parameters: &Parameters, triplets: &[Triplet]) -> f64 {
        let _no_grad = tch::no_grad_guard();
        let settings = Settings {
            dropout: 0.0,
            ..self.settings.clone()
        };
        let whole = Recipe {
            settings: &settings,
            objective: match self.objective {
                Objective::Original => Objective::Original,
                Objective::Sampled(_) => Objective::Sampled(0),
            },
            ..*self
        };
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut all: Vec<&Triplet> = triplets.iter().collect();
        all.sort_by_key(|triplet| triplet.middle.len());
        let (mut loss, mut told) = (0.0, 0);
        for batch in all.chunk_by(|one, other| one.middle.len() == other.middle.len()) {
            for batch in batch.chunks(32) {
                let step = whole.step(parameters, batch, &mut random);
                loss += step.cost.double_value(&[]) * step.times;
                told += step.told;
            }
        }
        loss / told.max(1) as f64
    }

    /// All that decides the outcome, for the checkpoint.
    fn all_that_counts(&self) -> serde_json::Value {
        let texts = self
            .triplets
            .iter()
            .flat_map(|t| [t.before.as_slice(), &t.middle, &t.after]);
        self.settings.recipe(serde_json::json!({
            "trains": "skip-thoughts", "half": self.half, "costs": self.objective, "sentences": sum_of(texts),
        }))
    }

    /// The cost of a batch.
    fn step(&self, parameters: &Parameters, batch: &[&Triplet], random: &mut ChaCha8Rng) -> Step {
        let device = parameters.device();
        let side = |sentence: &dyn Fn(&Triplet) -> &[i64]| -> Vec<&[i64]> {
            batch.iter().map(|&triplet| sentence(triplet)).collect()
        };
        let middle = side(&|triplet| &triplet.middle);
        let texts = Neighbours {
            read: match self.objective {
                Objective::Original => Text::new(&middle, device),
                Objective::Sampled(_) => Text::without_ends(&middle, device),
            },
            next: Text::new(&side(&|triplet| &triplet.after), device),
            previous: Text::new(&side(&|triplet| &triplet.before), device),
        };
        let told = texts.next.told() + texts.previous.told();
        let graph = Graph {
            parameters,
            kind: self.settings.kind,
            dropout: self.settings.dropout,
        };
        match self.objective {
            Objective::Original => Step {
                cost: graph.skip_thoughts(self.half, &texts),
                times: 1.0,
                told,
            },
            Objective::Sampled(others) => {
                let count = batch.len() as f64;
                Step {
                    cost: self.sampled(&graph, &texts, others, random) / count,
                    times: count,
                    told,
                }
            }
        }
    }

    /// The summed cost of telling both neighbours, over some of the words.
    fn sampled(
        &self,
        graph: &Graph,
        texts: &Neighbours,
        others: usize,
        random: &mut ChaCha8Rng,
    ) -> Tensor {
        let thought = graph.thought(self.half, &texts.read);
        let tell = |decoder: &str, text: &Text| {
            let states = graph.states(decoder, &graph.embed(&text.ids), &thought);
            let (places, ids) = text.targets(None);
            let size = states.size()[2];
            let states = states.contiguous().view([-1, size]);
            (states.index_select(0, &places), ids)
        };
        let (after, before) = (
            tell("decoder_f", &texts.next),
            tell("decoder_b", &texts.previous),
        );
        let states = Tensor::cat(&[after.0, before.0], 0);
        let targets = Tensor::cat(&[after.1, before.1], 0);
        let layer = ["ff_logit_W", "ff_logit_b"].map(|name| graph.parameters.get(name));
        let classes = Classes::drawn(&targets, layer[1].size()[0], others, random);
        sampled(&states, layer[0], layer[1], &classes)
    }

    /// Parameters as they begin.
    fn initial(&self) -> Parameters {
        let (settings, words) = (self.settings, self.words.len() as i64);
        let mut parameters = Parameters::new();
        parameters.uniform("Wemb", [words, settings.dim_word], 0.1);
        match self.half {
            Half::Uni => parameters.gru("encoder", settings.dim_word, settings.dim),
            Half::Bi => {
                parameters.gru("encoder", settings.dim_word, settings.dim / 2);
                parameters.gru("encoder_r", settings.dim_word, settings.dim / 2);
            }
        }
        parameters.gru("decoder_f", settings.dim_word, settings.dim);
        parameters.gru("decoder_b", settings.dim_word, settings.dim);
        match self.objective {
            Objective::Original => parameters.affine("ff_logit", [settings.dim, words]),
            // rows are words, so that the rows of a batch's words can be picked
            Objective::Sampled(_) => {
                parameters.uniform("ff_logit_W", [words, settings.dim], 0.1);
                parameters.zeros("ff_logit_b", words);
            }
        }
        parameters
    }
}
