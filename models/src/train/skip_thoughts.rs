//! Skip-thoughts: an encoder reads a sentence, two decoders tell its neighbours (algorithm.md §4.4, Kiros et al. 2015).
//!
//! `storyteller train skip-thoughts` calls [`run`] for each half, uni (one encoder) and bi (two, one of them reading
//! backwards). The decoders and the output layer exist only here: a bundle keeps `Wemb` and the encoders.

use std::collections::HashMap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::{Device, IndexOp as _, Kind, Reduction, Tensor};

use crate::train::parameters::shuffle;
use crate::train::{Adam, AdamKind, Parameters, Progress, cosine_rate};
use crate::{Vocabulary, Weights};

/// Which half of the encoder is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Updates in all.
    pub updates: usize,
    /// Peak learning rate.
    pub rate: f64,
    /// Gradients are clipped to this global norm.
    pub clip: f64,
    /// The output layer looks at the words of the batch and this many others drawn at random; 0: all words.
    pub other_words: usize,
    /// What the matrix products are computed in; weights and optimiser stay in f32.
    pub kind: Kind,
    /// Seed of initial weights and order.
    pub seed: u64,
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

/// Trains on `triplets` and returns `Wemb` and the encoders.
pub fn run(
    settings: &Settings,
    words: &Vocabulary,
    triplets: &[Triplet],
    watch: &mut dyn FnMut(&Progress),
) -> Weights {
    tch::manual_seed(settings.seed as i64);
    let parameters = initial(settings, words.len() as i64);
    let mut adam = Adam::new(&parameters, AdamKind::Textbook, settings.clip);
    let mut order = Order::new(triplets, settings);
    let (mut loss, mut said, mut begun) = (0.0, 0, std::time::Instant::now());
    for update in 0..settings.updates {
        let batch = order.next_batch();
        let (cost, targets) = cost(settings, &parameters, &batch, &mut order.random);
        cost.backward();
        adam.step(
            &parameters,
            cosine_rate(settings.rate, update, settings.updates),
        );
        loss += cost.double_value(&[]) * batch.len() as f64;
        said += targets;
        if (update + 1) % 50 == 0 || update + 1 == settings.updates {
            watch(&Progress {
                update: update + 1,
                of: settings.updates,
                loss: loss / said as f64,
                rate: said as f64 / begun.elapsed().as_secs_f64(),
            });
            (loss, said, begun) = (0.0, 0, std::time::Instant::now());
        }
    }
    parameters.weights("skip-thoughts", |name| {
        name == "Wemb" || name.starts_with("encoder")
    })
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
    // rows are words, so that the rows of a batch's words can be picked
    parameters.uniform("ff_logit_W", [words, settings.dim], 0.1);
    parameters.zeros("ff_logit_b", words);
    parameters
}

/// Cost per triplet, and how many words the decoders had to tell.
fn cost(
    settings: &Settings,
    parameters: &Parameters,
    batch: &[&Triplet],
    random: &mut ChaCha8Rng,
) -> (Tensor, usize) {
    let (ids, _) = columns(batch.iter().map(|triplet| triplet.middle.as_slice()));
    let read = embed(parameters, &ids, settings.kind);
    let thought = match settings.half {
        Half::Uni => last(
            &parameters
                .cell("encoder", settings.kind)
                .run(&read, None, None),
        ),
        Half::Bi => Tensor::cat(
            &[
                last(
                    &parameters
                        .cell("encoder", settings.kind)
                        .run(&read, None, None),
                ),
                last(
                    &parameters
                        .cell("encoder_r", settings.kind)
                        .run(&read.flip([0]), None, None),
                ),
            ],
            1,
        ),
    };
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
    let classes = Classes::draw(
        &targets,
        parameters.get("ff_logit_b").size()[0],
        settings.other_words,
        random,
    );
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
    let states = states
        .reshape([steps * batch, -1])
        .index_select(0, &Tensor::from_slice(&places));
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
        .index_select(0, &ids.view([-1]))
        .to_kind(kind)
        .view([size[0], size[1], -1])
}

fn last(states: &Tensor) -> Tensor {
    states.i(-1)
}

/// The words an update's softmax runs over, and the targets as places among them.
struct Classes {
    words: Tensor,
    targets: Tensor,
}

impl Classes {
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

/// Triplets in batches of one length of the middle sentence, reshuffled each time round.
struct Order<'a> {
    triplets: &'a [Triplet],
    batch: usize,
    random: ChaCha8Rng,
    waiting: Vec<Vec<usize>>,
}

impl<'a> Order<'a> {
    fn new(triplets: &'a [Triplet], settings: &Settings) -> Self {
        let random = ChaCha8Rng::seed_from_u64(settings.seed);
        Order {
            triplets,
            batch: settings.batch,
            random,
            waiting: Vec::new(),
        }
    }

    fn next_batch(&mut self) -> Vec<&'a Triplet> {
        if self.waiting.is_empty() {
            self.refill();
        }
        let batch = self
            .waiting
            .pop()
            .expect("there is at least one triplet to train on");
        batch
            .into_iter()
            .map(|index| &self.triplets[index])
            .collect()
    }

    fn refill(&mut self) {
        let mut all: Vec<usize> = (0..self.triplets.len()).collect();
        shuffle(&mut all, &mut self.random);
        let mut lengths: HashMap<usize, Vec<usize>> = HashMap::new();
        for index in all {
            let group = lengths
                .entry(self.triplets[index].middle.len())
                .or_default();
            group.push(index);
            if group.len() == self.batch {
                self.waiting.push(std::mem::take(group));
            }
        }
        let mut rest: Vec<_> = lengths
            .into_iter()
            .filter(|(_, group)| !group.is_empty())
            .collect();
        rest.sort();
        self.waiting
            .extend(rest.into_iter().map(|(_, group)| group));
        shuffle(&mut self.waiting, &mut self.random);
    }
}
