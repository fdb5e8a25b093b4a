//! A language model learns to write a caption from a few words, as people write them: `a cat, a sofa` → what one sees.
//!
//! `storyteller train caption-writer` calls [`Recipe::run`]; [`crate::caption_writer`] writes with what comes of it. Each time
//! a caption is seen, other words of it are told, now and then none, so that the model learns both to say what it is asked
//! for and what people see beside it. The loss is that of the caption's own tokens.

use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor, no_grad};

use crate::caption_model::CaptionModel;
use crate::caption_writer::{END, asked};
use crate::course::{Course, Oversight, Step, follow};
use crate::low_rank::{self, Output};
use crate::order::{Grouping, Rounds, luck};
use crate::parameters::Parameters;
use models::networks::llama::Llama;
use models::text::pieces::Pieces;
use models::{Error, Result, Weights};

/// How many words of a caption are told, and how often.
const TOLD: [(usize, f64); 5] = [(0, 0.08), (1, 0.22), (2, 0.35), (3, 0.25), (4, 0.1)];

/// The settings of a run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Settings {
    /// Rank of the matrices.
    pub rank: i64,
    /// Captions an update.
    pub batch: usize,
    /// Rate, length and seed.
    pub course: Course,
}

/// A caption, ready to be learnt.
#[derive(Debug)]
struct Example {
    /// Words that it can be asked for by.
    words: Vec<String>,
    /// The caption and its end.
    tokens: Vec<i64>,
}

/// Captions to learn from or to measure on.
#[derive(Debug)]
pub struct CaptionSet<'a> {
    pieces: &'a Pieces,
    examples: Vec<Example>,
}

impl<'a> CaptionSet<'a> {
    /// The captions of `model` at `places`.
    ///
    /// # Errors
    /// When a caption has no tokens in this language model.
    pub fn new(
        model: &CaptionModel,
        places: impl Iterator<Item = usize>,
        pieces: &'a Pieces,
    ) -> Result<Self> {
        let example = |place: usize| {
            let things = model.things(place).into_iter();
            Ok(Example {
                words: things.map(str::to_owned).collect(),
                tokens: pieces.encode_plain(&format!(" {}{END}", model.caption(place)))?,
            })
        };
        let examples = places.map(example).collect::<Result<_>>()?;
        Ok(Self { pieces, examples })
    }

    /// Every token of every caption.
    pub fn written(&self) -> impl Iterator<Item = i64> {
        let all = self.examples.iter();
        all.flat_map(|example| example.tokens.iter().copied())
    }

    /// The captions at `places`, each behind words drawn from it: what comes before, and the caption.
    fn draw(&self, places: &[usize], random: &mut ChaCha8Rng) -> Result<Vec<(Vec<i64>, &[i64])>> {
        let mut drawn = |&place: &usize| {
            let example = &self.examples[place];
            let told = TOLD.choose_weighted(random, |&(_, often)| often);
            let told = told.map_or(0, |&(told, _)| told);
            let mut words: Vec<&String> = example.words.iter().collect();
            words.shuffle(random);
            words.truncate(told);
            let before = self.pieces.encode_plain(&asked(&words))?;
            Ok((before, example.tokens.as_slice()))
        };
        places.iter().map(&mut drawn).collect()
    }
}

/// A language model that learns captions.
#[derive(Debug)]
pub struct Learner {
    llama: Llama,
    output: Output,
}

impl Learner {
    /// Puts `parameters` beside the layers of `llama`; `allowed`: all tokens of captions.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn new(mut llama: Llama, parameters: &Parameters, allowed: &[i64]) -> Result<Self> {
        low_rank::listen(&mut llama, parameters)?;
        Ok(Self {
            output: Output::of(&llama, allowed),
            llama,
        })
    }

    /// What the published weights are computed in.
    pub fn kind(&self) -> Kind {
        self.llama.kind()
    }

    /// The loss of every token of captions behind what comes before them: (tokens).
    fn losses(&self, rows: &[(Vec<i64>, &[i64])]) -> Tensor {
        let (shown, targets) = low_rank::behind(rows, self.llama.device());
        let hidden = self.llama.forward(&self.llama.embed(&shown));
        self.output.losses(&hidden, &targets)
    }
}

/// All that learns, from the beginning.
pub fn initial(llama: &Llama, settings: &Settings) -> Parameters {
    tch::manual_seed(settings.course.seed as i64);
    let mut parameters = Parameters::new();
    low_rank::add_matrices(&mut parameters, llama, settings.rank);
    parameters
}

/// A run.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// Sizes, rate, length and seed.
    pub settings: &'a Settings,
    /// What is learnt from.
    pub captions: &'a CaptionSet<'a>,
    /// The network with `parameters` beside its layers.
    pub learner: &'a Learner,
    /// What besides settings and captions decides the outcome, for the checkpoint.
    pub about: serde_json::Value,
}

impl Recipe<'_> {
    /// Trains `parameters`, which `learner` listens to, and returns them.
    ///
    /// # Errors
    /// When there are fewer captions than a batch has, or as `follow`.
    pub fn run(&self, parameters: Parameters, oversight: Oversight) -> Result<Weights> {
        let settings = self.settings;
        let seed = settings.course.seed;
        let lengths = self.captions.examples.iter();
        let lengths = lengths.map(|example| example.tokens.len()).collect();
        let mut rounds = Rounds::new(lengths, Grouping::Similar, settings.batch, seed);
        if rounds.batches() == 0 {
            let reason = "there are none of 7 to 20 plain English words to learn from";
            return Err(Error::format("the captions", reason));
        }
        let oversight = oversight.of(|| {
            serde_json::json!({
                "trains": "captions", "settings": settings, "captions": self.captions.examples.len(), "about": self.about,
            })
        });
        let trained = follow(&settings.course, parameters, oversight, &mut |_, update| {
            let mut random = luck(seed, update as u64);
            let rows = self.captions.draw(rounds.batch(update), &mut random)?;
            let losses = self.learner.losses(&rows);
            let told = losses.size()[0] as usize;
            Ok(Step {
                cost: losses.mean(Kind::Float),
                times: told as f64,
                told,
            })
        })?;
        Ok(trained.weights("the caption writer", |_| true))
    }
}

/// What held-out captions cost, nats a token, each behind the same words every time.
///
/// # Errors
/// When a word has no tokens.
pub fn held_out(learner: &Learner, captions: &CaptionSet, at_once: usize) -> Result<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let places: Vec<usize> = (0..captions.examples.len()).collect();
    let (mut sum, mut tokens) = (0.0, 0);
    for part in places.chunks(at_once.max(1)) {
        let rows = captions.draw(part, &mut random)?;
        let losses = no_grad(|| learner.losses(&rows));
        sum += losses.sum(Kind::Double).double_value(&[]);
        tokens += losses.size()[0];
    }
    Ok(sum / tokens.max(1) as f64)
}
