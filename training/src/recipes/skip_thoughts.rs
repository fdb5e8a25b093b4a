//! Skip-thoughts: an encoder reads a sentence, two decoders tell its neighbours (algorithm.md §4.4, Kiros et al. 2015).
//!
//! `storyteller train skip-thoughts` calls [`run`] for each half, uni (one encoder) and bi (two, one of them reading
//! backwards). The decoders and the output layer exist only here: a bundle keeps `Wemb` and the encoders.

use std::collections::HashMap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::{Device, IndexOp as _, Kind, Reduction, Tensor};

use crate::checkpoint::sum_of;
use crate::course::{Lesson, follow};
use crate::order::{Grouping, Rounds};
use crate::recipes::graph::{Graph, Neighbours, Text};
use crate::{Course, Keeper, Parameters, Watcher};
use models::{Result, Vocabulary, Weights};

/// Which half of the encoder is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// One encoder that reads forwards.
    Uni,
    /// Two encoders of half the size, one for each direction.
    Bi,
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which half.
    pub half: Half,
    /// Size of a word's vector.
    pub dim_word: i64,
    /// Size of a sentence's vector.
    pub dim: i64,
    /// Triplets an update.
    pub batch: usize,
    /// How triplets come together; by the length of the middle sentence.
    pub grouping: Grouping,
    /// How the cost is computed.
    pub costs: Costs,
    /// The share of word vectors that is dropped in training; not with the original's costs.
    pub dropout: f64,
    /// What the matrix products are computed in; weights and optimiser stay in f32.
    pub kind: Kind,
    /// Where to compute.
    pub device: Device,
    /// Rate, optimiser, length and seed.
    pub course: Course,
}

/// How the cost is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Costs {
    /// As the original's: over all words, the end mark read too, summed over the batch.
    Original,
    /// A mean over the batch; the output layer looks at the words of the batch and this many others drawn at random
    /// (0: all words).
    Sampled(usize),
}

impl Settings {
    /// All that decides the outcome, for the checkpoint.
    fn recipe(&self, triplets: &[Triplet]) -> serde_json::Value {
        let texts = triplets
            .iter()
            .flat_map(|t| [t.before.as_slice(), &t.middle, &t.after]);
        serde_json::json!({
            "trains": "skip-thoughts", "half": self.half, "course": self.course, "dim_word": self.dim_word,
            "dim": self.dim, "batch": self.batch, "grouping": self.grouping, "costs": self.costs,
            "dropout": self.dropout, "kind": format!("{:?}", self.kind), "device": format!("{:?}", self.device),
            "sentences": sum_of(texts),
        })
    }
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

/// Trains on `triplets` (at least one) and returns `Wemb` and the encoders.
///
/// # Errors
/// As [`follow`].
pub fn run(
    settings: &Settings,
    words: &Vocabulary,
    triplets: &[Triplet],
    (keeper, watcher): (Option<&Keeper>, &mut dyn Watcher),
) -> Result<Weights> {
    let seed = settings.course.seed;
    tch::manual_seed(seed as i64);
    let keeper = keeper.map(|keeper| keeper.of(settings.recipe(triplets)));
    let parameters = initial(settings, words.len() as i64).to_device(settings.device);
    let lengths = triplets.iter().map(|t| t.middle.len()).collect();
    let mut rounds = Rounds::new(lengths, settings.grouping, (settings.batch, seed));
    let watch = (keeper.as_ref(), watcher);
    let trained = follow(
        &settings.course,
        parameters,
        watch,
        &mut |parameters, update| {
            let batch: Vec<&Triplet> = rounds.batch(update).iter().map(|&i| &triplets[i]).collect();
            let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x5EED);
            random.set_stream(update as u64);
            match settings.costs {
                Costs::Original => original(settings, parameters, &batch),
                Costs::Sampled(_) => {
                    let (cost, told) = cost(settings, parameters, &batch, &mut random);
                    Lesson {
                        cost,
                        times: batch.len() as f64,
                        told,
                    }
                }
            }
        },
    )?;
    Ok(trained.weights("skip-thoughts", |name| {
        name == "Wemb" || name.starts_with("encoder")
    }))
}

/// The original's cost of a batch.
fn original(settings: &Settings, parameters: &Parameters, batch: &[&Triplet]) -> Lesson {
    let side = |sentence: &dyn Fn(&Triplet) -> &[i64]| {
        let texts: Vec<&[i64]> = batch.iter().map(|&triplet| sentence(triplet)).collect();
        Text::new(&texts, parameters.device())
    };
    let texts = Neighbours {
        read: side(&|triplet| &triplet.middle),
        next: side(&|triplet| &triplet.after),
        previous: side(&|triplet| &triplet.before),
    };
    let graph = Graph {
        parameters,
        kind: settings.kind,
    };
    Lesson {
        cost: graph.skip_thoughts(settings.half, &texts),
        times: 1.0,
        told: texts.next.told() + texts.previous.told(),
    }
}

/// Mean loss per told word on `triplets`, over all words of the vocabulary.
pub fn held_out_loss(settings: &Settings, parameters: &Parameters, triplets: &[Triplet]) -> f64 {
    let _no_grad = tch::no_grad_guard();
    let settings = Settings {
        costs: match settings.costs {
            Costs::Original => Costs::Original,
            Costs::Sampled(_) => Costs::Sampled(0),
        },
        dropout: 0.0,
        ..settings.clone()
    };
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut all: Vec<&Triplet> = triplets.iter().collect();
    all.sort_by_key(|triplet| triplet.middle.len());
    let (mut loss, mut told) = (0.0, 0);
    for batch in all.chunk_by(|one, other| one.middle.len() == other.middle.len()) {
        for batch in batch.chunks(32) {
            let lesson = match settings.costs {
                Costs::Original => original(&settings, parameters, batch),
                Costs::Sampled(_) => {
                    let (cost, told) = cost(&settings, parameters, batch, &mut random);
                    Lesson {
                        cost,
                        times: batch.len() as f64,
                        told,
                    }
                }
            };
            loss += lesson.cost.double_value(&[]) * lesson.times;
            told += lesson.told;
        }
    }
    loss / told.max(1) as f64
}

fn initial(settings: &Settings, words: i64) -> Parameters {
    let mut parameters = Parameters::new();
    parameters.uniform("Wemb", [words, settings.dim_word], 0.1);
    match settings.half {
        Half::Uni => parameters.gru("encoder", settings.dim_word, settings.dim),
        Half::Bi => {
            parameters.gru("encoder", settings.dim_word, settings.dim / 2);
            parameters.gru("encoder_r", settings.dim_word, settings.dim / 2);
        }
    }
    parameters.gru("decoder_f", settings.dim_word, settings.dim);
    parameters.gru("decoder_b", settings.dim_word, settings.dim);
    match settings.costs {
        Costs::Original => parameters.affine("ff_logit", [settings.dim, words]),
        // rows are words, so that the rows of a batch's words can be picked
        Costs::Sampled(_) => {
            parameters.uniform("ff_logit_W", [words, settings.dim], 0.1);
            parameters.zeros("ff_logit_b", words);
        }
    }
    parameters
}

/// Cost per triplet, and how many words the decoders had to tell.
fn cost(
    settings: &Settings,
    parameters: &Parameters,
    batch: &[&Triplet],
    random: &mut ChaCha8Rng,
) -> (Tensor, usize) {
    let thought = read(settings, parameters, batch);
    let after = neighbour(
        parameters,
        "decoder_f",
        &thought,
        batch.iter().map(|t| t.after.as_slice()),
    );
    let before = neighbour(
        parameters,
        "decoder_b",
        &thought,
        batch.iter().map(|t| t.before.as_slice()),
    );
    let states = Tensor::cat(&[&after.0, &before.0], 0);
    let targets: Vec<i64> = after.1.into_iter().chain(before.1).collect();
    let others = match settings.costs {
        Costs::Original => 0,
        Costs::Sampled(others) => others,
    };
    let classes = Classes::draw(
        &targets,
        parameters.get("ff_logit_b").size()[0],
        others,
        random,
    )
    .to_device(parameters.device());
    let rows = parameters
        .get("ff_logit_W")
        .index_select(0, &classes.words)
        .to_kind(settings.kind);
    let bias = parameters.get("ff_logit_b").index_select(0, &classes.words);
    let logits = states.matmul(&rows.tr()).to_kind(Kind::Float) + bias;
    let cost =
        logits.cross_entropy_loss::<Tensor>(&classes.targets, None, Reduction::Sum, -100, 0.0);
    (cost / batch.len() as f64, targets.len())
}

/// The last states (B, D) of the encoder over the sentences in the middle, which are of one length.
fn read(settings: &Settings, parameters: &Parameters, batch: &[&Triplet]) -> Tensor {
    let (ids, _) = columns(batch.iter().map(|triplet| triplet.middle.as_slice()));
    let words = embed(parameters, &ids, settings.kind).dropout(settings.dropout, true);
    let encode = |prefix: &str, words: &Tensor| {
        let cell = parameters.cell(prefix, settings.kind);
        cell.run(words, None, None).i(-1)
    };
    match settings.half {
        Half::Uni => encode("encoder", &words),
        Half::Bi => {
            let back = encode("encoder_r", &words.flip([0]));
            Tensor::cat(&[encode("encoder", &words), back], 1)
        }
    }
}

/// The states of a decoder that is shown the sentence (shifted, a zero vector first), one row a target; and the targets.
fn neighbour<'a>(
    parameters: &Parameters,
    decoder: &str,
    thought: &Tensor,
    sentences: impl Iterator<Item = &'a [i64]>,
) -> (Tensor, Vec<i64>) {
    let (ids, lengths) = columns(sentences);
    let shown = embed(parameters, &ids, thought.kind());
    let shown = Tensor::cat(&[&shown.i(..1).zeros_like(), &shown], 0);
    let states = parameters
        .cell(decoder, thought.kind())
        .run(&shown, Some(thought), None);
    let (steps, batch) = (ids.size()[0] + 1, ids.size()[1]);
    let ids = Vec::<i64>::try_from(ids.view([-1])).expect("ids are whole numbers on the CPU");
    let (mut targets, mut places) = (Vec::new(), Vec::new());
    for step in 0..steps {
        for (column, length) in lengths.iter().enumerate() {
            let target = match step.cmp(length) {
                std::cmp::Ordering::Less => ids[(step * batch) as usize + column],
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => continue,
            };
            targets.push(target);
            places.push(step * batch + column as i64);
        }
    }
    let states = states.reshape([steps * batch, -1]).index_select(
        0,
        &Tensor::from_slice(&places).to_device(parameters.device()),
    );
    (states, targets)
}

/// Sentences side by side: ids (longest, n), short ones filled with 0, and their lengths.
fn columns<'a>(sentences: impl Iterator<Item = &'a [i64]>) -> (Tensor, Vec<i64>) {
    let sentences: Vec<&[i64]> = sentences.collect();
    let longest = sentences
        .iter()
        .map(|sentence| sentence.len())
        .max()
        .unwrap_or(0);
    let mut ids = vec![0i64; longest * sentences.len()];
    for (column, sentence) in sentences.iter().enumerate() {
        for (row, id) in sentence.iter().enumerate() {
            ids[row * sentences.len() + column] = *id;
        }
    }
    let lengths = sentences
        .iter()
        .map(|sentence| sentence.len() as i64)
        .collect();
    (
        Tensor::from_slice(&ids).view([longest as i64, sentences.len() as i64]),
        lengths,
    )
}

fn embed(parameters: &Parameters, ids: &Tensor, kind: Kind) -> Tensor {
    let size = ids.size();
    parameters
        .get("Wemb")
        .index_select(0, &ids.view([-1]).to_device(parameters.device()))
        .to_kind(kind)
        .view([size[0], size[1], -1])
}

/// The words an update's softmax runs over, and the targets as places among them.
struct Classes {
    words: Tensor,
    targets: Tensor,
}

impl Classes {
    fn to_device(&self, device: Device) -> Classes {
        Classes {
            words: self.words.to_device(device),
            targets: self.targets.to_device(device),
        }
    }

    fn draw(targets: &[i64], all: i64, others: usize, random: &mut ChaCha8Rng) -> Classes {
        if others == 0 || others as i64 >= all {
            return Classes {
                words: Tensor::arange(all, (Kind::Int64, Device::Cpu)),
                targets: Tensor::from_slice(targets),
            };
        }
        let mut places: HashMap<i64, i64> = HashMap::new();
        let mut words = Vec::new();
        let mut place = |word: i64| {
            *places.entry(word).or_insert_with(|| {
                words.push(word);
                words.len() as i64 - 1
            })
        };
        let targets: Vec<i64> = targets.iter().map(|&word| place(word)).collect();
        for _ in 0..others {
            place(random.random_range(0..all));
        }
        Classes {
            words: Tensor::from_slice(&words),
            targets: Tensor::from_slice(&targets),
        }
    }
}
