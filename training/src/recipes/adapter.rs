//! A language model learns to write a passage from its thought: low-rank matrices beside its layers, and the map to soft
//! tokens (Hu et al. 2021, Li & Liang 2021).
//!
//! `storyteller train decoder --base` calls [`Recipe::run`]; [`lessons`] says what a passage is written from. The published
//! weights stay as they are, in bfloat16 where the device is quicker in it; what learns stays in 32 bits. The loss is that
//! of the passage's own tokens, the prefix costs nothing, and the softmax is over the tokens that may be written.

mod ahead;
pub mod lessons;

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor, no_grad};

use crate::course::Course;
use crate::course::{Oversight, Step, follow};
use crate::low_rank::{self, Output, SCALE};
use crate::parameters::Parameters;
use ahead::{Ahead, Batch, rounds};
use lessons::Lessons;
use models::networks::llama::Llama;
use models::networks::prefix::{PrefixMap, Spread};
use models::networks::projection::Adapter;
use models::pipeline::writer::told::Told;
use models::pipeline::writer::{all_embedded, told_embedded};
use models::{Error, Result, Weights};

/// Size of the prefix map's hidden layer.
const HIDDEN: i64 = 384;

/// The settings of a run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Settings {
    /// Rank of the matrices, where training begins without any.
    pub rank: i64,
    /// Soft tokens, where training begins without a map.
    pub soft_tokens: i64,
    /// Passages an update.
    pub batch: usize,
    /// Passages computed at once: what fits the memory.
    pub at_once: usize,
    /// The share of each style's passages that is learnt from.
    pub nearest: f64,
    /// Rate, length and seed.
    pub course: Course,
}

/// A language model with everything that learns.
#[derive(Debug)]
pub struct Learner {
    llama: Llama,
    map: PrefixMap,
    output: Output,
}

impl Learner {
    /// Puts `parameters` beside the layers of `llama`; they are used as they are, so what learns is heard at once. `allowed`:
    /// all tokens that may be written.
    ///
    /// # Errors
    /// When one is missing or does not fit.
    pub fn new(
        mut llama: Llama,
        parameters: &Parameters,
        spread: &Spread,
        allowed: &[i64],
    ) -> Result<Self> {
        low_rank::listen(&mut llama, parameters)?;
        let shared = parameters.names().zip(parameters.tensors());
        let shared = shared.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()));
        let held = Weights::from_tensors("the prefix map", shared);
        let map = PrefixMap::load(&held, spread, llama.config().width)?;
        Ok(Self {
            output: Output::of(&llama, allowed),
            map,
            llama,
        })
    }

    /// What the published weights are computed in.
    pub fn kind(&self) -> Kind {
        self.llama.kind()
    }

    /// What the network hears before it writes: (1, P, width).
    pub fn prefix(&self, told: &Told) -> Tensor {
        told_embedded(&self.llama, Some(&self.map), told)
    }

    /// The loss of every token of every passage, rows in order, padding left out: (tokens).
    pub fn losses(&self, told: &[Told], passages: &[&[i64]]) -> Tensor {
        let soft = self.map.soft_tokens();
        let rows = told.iter().zip(passages);
        let rows: Vec<(Vec<i64>, &[i64])> = rows
            .map(|(told, &passage)| (told.tokens(soft), passage))
            .collect();
        let (shown, targets) = low_rank::behind(&rows, self.llama.device());
        let told: Vec<&Told> = told.iter().collect();
        let heard = all_embedded(&self.llama, Some(&self.map), &told, &shown);
        self.output.losses(&self.llama.forward(&heard), &targets)
    }
}

/// Everything that learns, from the beginning: matrices that change nothing yet, and a map that hears thought and style.
/// `thoughts`: size of a thought.
pub fn initial(llama: &Llama, settings: &Settings, thoughts: i64) -> Parameters {
    tch::manual_seed(settings.course.seed as i64);
    let options = (Kind::Float, Device::Cpu);
    let mut parameters = Parameters::new();
    low_rank::add_matrices(&mut parameters, llama, settings.rank);
    let (inputs, outputs) = (2 * thoughts, settings.soft_tokens * llama.config().width);
    let mut add = |name: &str, shape: &[i64], deviation: f64| {
        let tensor = Tensor::randn(shape, options) * deviation;
        parameters.add(&format!("prefix.{name}"), tensor);
    };
    add("linear.weight", &[outputs, inputs], 0.006);
    add("linear.bias", &[outputs], 0.05);
    add("hidden.weight", &[HIDDEN, inputs], 0.02);
    add("hidden.bias", &[HIDDEN], 0.02);
    add("out.weight", &[outputs, HIDDEN], 0.0);
    add("out.bias", &[outputs], 0.0);
    parameters
}

/// Everything that learns, as an earlier run left it. A map that heard the thought alone gets ears for the style, which
/// change nothing yet.
///
/// # Errors
/// When an array is missing or does not fit this model.
pub fn resumed(llama: &Llama, trained: &Weights, thoughts: i64) -> Result<Parameters> {
    let mut arrays: BTreeMap<String, Tensor> = BTreeMap::new();
    for (name, extents) in llama.adaptable() {
        let held = Adapter::load(trained, &name, extents, SCALE)?;
        arrays.insert(format!("{name}.lora_a"), held.a);
        arrays.insert(format!("{name}.lora_b"), held.b);
    }
    for layer in ["linear", "hidden", "out"] {
        for part in ["weight", "bias"] {
            let name = format!("prefix.{layer}.{part}");
            let axes = if part == "weight" { 2 } else { 1 };
            let mut array = trained.tensor(&name, &vec![-1; axes])?;
            if part == "weight" && layer != "out" && array.size()[1] == thoughts {
                array = Tensor::cat(&[&array, &array.zeros_like()], 1);
            }
            arrays.insert(name, array);
        }
    }
    let arrays = Weights::from_tensors(trained.label(), arrays);
    Ok(Parameters::from_weights(&arrays))
}

/// A run.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// Sizes, rate, length and seed.
    pub settings: &'a Settings,
    /// What is learnt from.
    pub lessons: &'a Lessons<'a>,
    /// The network with `parameters` beside its layers.
    pub learner: &'a Learner,
    /// What besides settings and passages decides the outcome, for the checkpoint: base, books.
    pub about: serde_json::Value,
}

impl Recipe<'_> {
    /// Trains `parameters`, which `learner` listens to, and returns them.
    ///
    /// # Errors
    /// When there are fewer passages than a batch has, or as `follow`.
    pub fn run(&self, parameters: Parameters, oversight: Oversight) -> Result<Weights> {
        let settings = self.settings;
        let (size, seed) = (settings.batch, settings.course.seed);
        if rounds(self.lessons, size, seed).batches() == 0 {
            let reason = "there are fewer passages in them than a batch has";
            return Err(Error::format("the books", reason));
        }
        let oversight = oversight.of(|| {
            serde_json::json!({
                "trains": "adapter", "settings": settings, "passages": self.lessons.len(), "about": self.about,
            })
        });
        let trained = std::thread::scope(|scope| {
            let mut ahead = Ahead::new(scope, self.lessons, (size, seed));
            follow(&settings.course, parameters, oversight, &mut |_, update| {
                self.step(ahead.next(update)?)
            })
        })?;
        Ok(trained.weights("adapter", |_| true))
    }

    /// The mean loss of a batch. All parts but the last send their gradients back here, so that only one is in memory.
    fn step(&self, batch: Batch) -> Result<Step> {
        let tokens = |place: &usize| self.lessons.tokens(*place);
        let told: usize = batch.places.iter().map(|place| tokens(place).len()).sum();
        let at_once = self.settings.at_once.max(1);
        let parts = batch.places.chunks(at_once).zip(batch.told.chunks(at_once));
        let last = parts.len().saturating_sub(1);
        let mut done = 0.0;
        let mut cost = Tensor::from(0f32);
        for (number, (places, drawn)) in parts.enumerate() {
            let passages: Vec<&[i64]> = places.iter().map(tokens).collect();
            let own = self.learner.losses(drawn, &passages).sum(Kind::Float) / told as f64;
            if number < last {
                own.backward();
                done += own.double_value(&[]);
            } else {
                cost = own;
            }
        }
        Ok(Step {
            cost: cost + done,
            times: told as f64,
            told,
        })
    }
}

/// What held-out passages cost, nats a token.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct HeldOut {
    /// With their own thoughts.
    pub own: f64,
    /// With another passage's.
    pub other: f64,
    /// What the thought is worth: the difference.
    pub conditioning: f64,
}

/// Measures on passages of held-out books, `at_once` at a time.
///
/// # Errors
/// When a passage cannot be asked for.
pub fn held_out(learner: &Learner, lessons: &Lessons, at_once: usize) -> Result<HeldOut> {
    let count = lessons.len();
    let places: Vec<usize> = (0..count).collect();
    let mean = |shift: usize| {
        let (mut sum, mut tokens) = (0.0, 0usize);
        for part in places.chunks(at_once.max(1)) {
            let told = part
                .iter()
                .map(|&place| lessons.as_of(place, (place + shift) % count))
                .collect::<Result<Vec<Told>>>()?;
            let passages: Vec<&[i64]> = part.iter().map(|&place| lessons.tokens(place)).collect();
            let losses = no_grad(|| learner.losses(&told, &passages));
            sum += losses.sum(Kind::Double).double_value(&[]);
            tokens += losses.size()[0] as usize;
        }
        Ok::<f64, Error>(sum / tokens.max(1) as f64)
    };
    // passages of one style stand together: half way round is another style's
    let (own, other) = (mean(0)?, mean(count / 2)?);
    Ok(HeldOut {
        own,
        other,
        conditioning: other - own,
    })
}
