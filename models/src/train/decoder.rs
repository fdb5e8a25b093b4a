//! The decoder: a thought vector in, a passage of prose out (algorithm.md §5.5).
//!
//! `storyteller train decoder` calls [`run`]. The encoder is frozen: thoughts are computed once, before. A thought
//! here is what the decoder will be given when it tells a story, the mean over sentences shifted to the style
//! of the passage's book, so that it learns what such a shift means.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::{IndexOp as _, Kind, Reduction, Tensor, no_grad};

use crate::train::parameters::shuffle;
use crate::train::thoughts::{Folder, sentences_of};
use crate::train::{Adam, AdamKind, Parameters, Progress, cosine_rate};
use crate::vocabulary::UNK;
use crate::{Error, Result, Vocabulary, Weights};

/// Longest opening that is trained on, in tokens: a story's length. A thought fades from the state with every word,
/// so shorter texts teach more about it.
const MOST_OPENING: usize = 90;
/// Shortest opening that is trained on.
const LEAST_OPENING: usize = 40;

/// The first sentences of a passage, if they are narration: beams through dialogue end in «he said, she said».
fn opening(passage: &str) -> Option<String> {
    let mut opening: Vec<String> = Vec::new();
    let mut words = 0;
    for sentence in sentences_of(passage) {
        words += sentence.split(' ').count();
        if words > MOST_OPENING {
            break;
        }
        opening.push(sentence);
    }
    let opening = opening.join(" ");
    let speech = opening.split(' ').any(|word| {
        matches!(word, "``" | "''" | "'" | "`") || word.starts_with('\'') && word.len() > 4
    });
    let long_enough = opening.split(' ').count() >= LEAST_OPENING;
    (long_enough && !speech).then_some(opening)
}

#[derive(Default)]
struct Gathered {
    words: Vec<Vec<i64>>,
    thoughts: Vec<Tensor>,
}

impl Gathered {
    fn finish(self) -> Result<Passages> {
        if self.words.is_empty() {
            return Err(Error::format(
                "the passages",
                "there are too few of them: give more or longer books",
            ));
        }
        Ok(Passages {
            words: self.words,
            thoughts: Tensor::stack(&self.thoughts, 0),
        })
    }
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Size of a word's vector.
    pub dim_word: i64,
    /// Size of the state.
    pub dim: i64,
    /// Passages an update.
    pub batch: usize,
    /// Updates in all.
    pub updates: usize,
    /// Peak learning rate.
    pub rate: f64,
    /// Gradients are clipped to this global norm.
    pub clip: f64,
    /// What the matrix products are computed in; weights and optimiser stay in f32.
    pub kind: Kind,
    /// Seed of initial weights and order.
    pub seed: u64,
}

/// Passages as word ids without end marks, and the thought of each, (N, ctx).
#[derive(Debug)]
pub struct Passages {
    /// Word ids.
    pub words: Vec<Vec<i64>>,
    /// One row a passage.
    pub thoughts: Tensor,
}

/// Of every so many passages one is held out.
const HELD_OUT: usize = 97;
/// A passage with a larger share of unknown words teaches little, in per cent.
const MOST_UNKNOWN: usize = 7;
/// How many passages are held out at most: enough for a perplexity to the third digit.
const MOST_HELD_OUT: usize = 300;

impl Passages {
    /// Gathers what [`crate::train::thoughts::Folder`] holds: passages to train on, and some held out. Each thought is
    /// the mean of the passage's sentences, minus the mean sentence of all books, plus the mean passage of its book.
    ///
    /// # Errors
    /// When a file is missing or broken, or too few passages are left.
    pub fn gather(folder: &Folder, words: &Vocabulary) -> Result<(Passages, Passages)> {
        let common = folder.mean_sentence()?;
        let (mut train, mut held) = (Gathered::default(), Gathered::default());
        for book in folder.books()? {
            let thoughts = &book.means - &common + book.style();
            for (row, passage) in book.passages.iter().enumerate() {
                let Some(opening) = opening(passage) else {
                    continue;
                };
                let ids: Vec<i64> = opening
                    .split(' ')
                    .map(|word| words.id(word, words.len() as i64))
                    .collect();
                if ids.iter().filter(|&&id| id == UNK).count() * 100 > ids.len() * MOST_UNKNOWN {
                    continue;
                }
                let out = row % HELD_OUT == HELD_OUT / 7 && held.words.len() < MOST_HELD_OUT;
                let to = if out { &mut held } else { &mut train };
                to.words.push(ids);
                to.thoughts.push(thoughts.get(row as i64).copy());
            }
        }
        Ok((train.finish()?, held.finish()?))
    }

    /// The same passages with thoughts of zeros: for a decoder that is told nothing.
    pub fn without_thoughts(&self) -> Passages {
        Passages {
            words: self.words.clone(),
            thoughts: self.thoughts.zeros_like(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// Trains and returns the arrays of a [`crate::Decoder`] with deep output; `watch` sees the weights now and then.
pub fn run(
    settings: &Settings,
    words: &Vocabulary,
    passages: &Passages,
    watch: &mut dyn FnMut(&Progress, &Parameters),
) -> Weights {
    tch::manual_seed(settings.seed as i64);
    let parameters = initial(settings, words.len() as i64, passages.thoughts.size()[1]);
    let mut adam = Adam::new(&parameters, AdamKind::Textbook, settings.clip);
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut waiting: Vec<Vec<usize>> = Vec::new();
    let (mut loss, mut said, mut begun) = (0.0, 0, std::time::Instant::now());
    for update in 0..settings.updates {
        if waiting.is_empty() {
            waiting = batches(passages, settings.batch, &mut random);
        }
        let batch = waiting
            .pop()
            .expect("there is at least one passage to train on");
        let (cost, told) = cost(settings.kind, &parameters, passages, &batch);
        (&cost / told as f64).backward();
        adam.step(
            &parameters,
            cosine_rate(settings.rate, update, settings.updates),
        );
        loss += cost.double_value(&[]);
        said += told;
        if (update + 1) % 25 == 0 || update + 1 == settings.updates {
            let progress = Progress {
                update: update + 1,
                of: settings.updates,
                loss: loss / said as f64,
                rate: said as f64 / begun.elapsed().as_secs_f64(),
            };
            watch(&progress, &parameters);
            (loss, said, begun) = (0.0, 0, std::time::Instant::now());
        }
    }
    parameters.weights("decoder", |_| true)
}

/// Perplexity per word on `passages`, unknown words left out, with each passage's own thought and with another's.
pub fn perplexity(parameters: &Parameters, passages: &Passages) -> (f64, f64) {
    let of = |passages: &Passages| {
        let all: Vec<usize> = (0..passages.len()).collect();
        let (mut loss, mut said) = (0.0, 0);
        for batch in all.chunks(32) {
            let (cost, told) = no_grad(|| cost(Kind::Float, parameters, passages, batch));
            loss += cost.double_value(&[]);
            said += told;
        }
        (loss / said as f64).exp()
    };
    let others = Passages {
        words: passages.words.clone(),
        thoughts: passages.thoughts.roll([37], [0]),
    };
    (of(passages), of(&others))
}

fn initial(settings: &Settings, words: i64, thought: i64) -> Parameters {
    let mut parameters = Parameters::new();
    parameters.uniform("Wemb", [words, settings.dim_word], 0.1);
    parameters.affine("ff_state", [thought, settings.dim]);
    parameters.gru("decoder", settings.dim_word, settings.dim);
    parameters.affine("ff_hid", [settings.dim, settings.dim_word]);
    parameters.affine("ff_logit", [settings.dim_word, words]);
    parameters
}

/// Summed cost of a batch and how many words it is over.
fn cost(
    kind: Kind,
    parameters: &Parameters,
    passages: &Passages,
    batch: &[usize],
) -> (Tensor, usize) {
    let rows: Vec<i64> = batch.iter().map(|&index| index as i64).collect();
    let thoughts = passages
        .thoughts
        .index_select(0, &Tensor::from_slice(&rows))
        .to_kind(Kind::Float);
    let first = parameters.apply("ff_state", &thoughts).tanh().to_kind(kind);
    let longest = batch
        .iter()
        .map(|&index| passages.words[index].len())
        .max()
        .unwrap_or(0)
        + 1;
    let (mut shown, mut targets, mut told) = (
        vec![0i64; longest * batch.len()],
        vec![IGNORED; longest * batch.len()],
        0,
    );
    for (column, &index) in batch.iter().enumerate() {
        let ids = &passages.words[index];
        for (step, id) in ids.iter().copied().chain([0]).enumerate() {
            let place = step * batch.len() + column;
            shown[place] = id;
            if id != UNK {
                targets[place] = id;
                told += 1;
            }
        }
    }
    let (steps, count) = (longest as i64, batch.len() as i64);
    let x = parameters
        .get("Wemb")
        .index_select(0, &Tensor::from_slice(&shown))
        .to_kind(kind)
        .view([steps, count, -1]);
    // shifted by one: the first word is told from the thought alone, after a vector of zeros
    let x = Tensor::cat(&[&x.i(..1).zeros_like(), &x.i(..steps - 1)], 0);
    let states = parameters
        .cell("decoder", kind)
        .run(&x, Some(&first), None)
        .view([steps * count, -1]);
    let affine = |prefix: &str, x: &Tensor| {
        let weight = parameters.get(&format!("{prefix}_W")).to_kind(kind);
        x.matmul(&weight) + parameters.get(&format!("{prefix}_b")).to_kind(kind)
    };
    let logits = affine("ff_logit", &affine("ff_hid", &states).tanh()).to_kind(Kind::Float);
    let cost = logits.cross_entropy_loss::<Tensor>(
        &Tensor::from_slice(&targets),
        None,
        Reduction::Sum,
        IGNORED,
        0.0,
    );
    (cost, told)
}

/// A target that no loss is taken over: what comes after a passage's end, and unknown words, which are never told.
const IGNORED: i64 = -100;

/// Passages of like length together, in random order.
fn batches(passages: &Passages, size: usize, random: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = (0..passages.len()).collect();
    shuffle(&mut all, random);
    all.sort_by_key(|&index| passages.words[index].len());
    let mut batches: Vec<Vec<usize>> = all.chunks(size).map(<[usize]>::to_vec).collect();
    shuffle(&mut batches, random);
    batches
}
