//! The decoder: a thought vector in, a passage of prose out (algorithm.md §5.5).
//!
//! `storyteller train decoder` calls [`run`]. The encoder is frozen: thoughts are computed once, before. A thought
//! here is what the decoder will be given when it tells a story, the mean over sentences shifted to the style
//! of the passage's book, so that it learns what such a shift means.

use tch::{Device, IndexOp as _, Kind, Reduction, Tensor, no_grad};

use crate::checkpoint::sum_of;
use crate::course::{Lesson, follow};
use crate::order::{Grouping, Rounds};
use crate::recipes::graph::{Graph, Output, Text};
use crate::thoughts::{Folder, sentences_of};
use crate::{Course, Keeper, Parameters, Watcher};
use models::text::vocabulary::UNK;
use models::{Error, Result, Vocabulary, Weights};

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
    /// How passages come together.
    pub grouping: Grouping,
    /// How the cost is computed.
    pub costs: Costs,
    /// The share of word vectors and of what the output layer sees that is dropped; not with the original's costs.
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
    /// As the original's: summed over the batch, unknown words told as such.
    Original,
    /// The mean over the words that are told; unknown words are not.
    Mean,
}

impl Settings {
    /// All that decides the outcome, for the checkpoint.
    fn recipe(&self, passages: &Passages) -> serde_json::Value {
        let thoughts = passages.thoughts.sum(Kind::Double).double_value(&[]);
        serde_json::json!({
            "trains": "decoder", "course": self.course, "dim_word": self.dim_word, "dim": self.dim,
            "batch": self.batch, "grouping": self.grouping, "costs": self.costs, "dropout": self.dropout,
            "kind": format!("{:?}", self.kind), "device": format!("{:?}", self.device),
            "passages": sum_of(passages.words.iter().map(Vec::as_slice)), "thoughts": thoughts.to_string(),
        })
    }
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
    /// Gathers what [`crate::thoughts::Folder`] holds: passages to train on, and some held out. Each thought is
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

    /// The thoughts (B, ctx) of some of them.
    fn of(&self, batch: &[usize]) -> Tensor {
        let rows: Vec<i64> = batch.iter().map(|&index| index as i64).collect();
        let rows = Tensor::from_slice(&rows).to_device(self.thoughts.device());
        self.thoughts.index_select(0, &rows).to_kind(Kind::Float)
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

/// Trains and returns the arrays of a [`models::Decoder`] with deep output.
///
/// # Errors
/// As [`follow`].
pub fn run(
    settings: &Settings,
    words: &Vocabulary,
    passages: &Passages,
    (keeper, watcher): (Option<&Keeper>, &mut dyn Watcher),
) -> Result<Weights> {
    let seed = settings.course.seed;
    tch::manual_seed(seed as i64);
    let keeper = keeper.map(|keeper| keeper.of(settings.recipe(passages)));
    let parameters = initial(settings, words.len() as i64, passages.thoughts.size()[1]);
    let parameters = parameters.to_device(settings.device);
    let lengths = passages.words.iter().map(Vec::len).collect();
    let mut rounds = Rounds::new(lengths, settings.grouping, (settings.batch, seed));
    let watch = (keeper.as_ref(), watcher);
    let trained = follow(
        &settings.course,
        parameters,
        watch,
        &mut |parameters, update| {
            let batch = rounds.batch(update);
            match settings.costs {
                Costs::Original => original(settings, parameters, (passages, batch)),
                Costs::Mean => {
                    let how = (settings.kind, settings.dropout);
                    let (cost, told) = cost(how, parameters, passages, batch);
                    Lesson {
                        cost: cost / told as f64,
                        times: told as f64,
                        told,
                    }
                }
            }
        },
    )?;
    Ok(trained.weights("decoder", |_| true))
}

/// The original's cost of a batch.
fn original(
    settings: &Settings,
    parameters: &Parameters,
    (passages, batch): (&Passages, &[usize]),
) -> Lesson {
    let texts: Vec<&[i64]> = batch
        .iter()
        .map(|&index| passages.words[index].as_slice())
        .collect();
    let text = Text::new(&texts, parameters.device());
    let graph = Graph {
        parameters,
        kind: settings.kind,
    };
    Lesson {
        cost: graph.decoder(
            Output::Deep,
            &text,
            &passages.of(batch).to_device(parameters.device()),
        ),
        times: 1.0,
        told: text.told(),
    }
}

/// Perplexity per word on `passages`, unknown words left out, with each passage's own thought and with another's.
pub fn perplexity(parameters: &Parameters, passages: &Passages) -> (f64, f64) {
    let of = |passages: &Passages| {
        let all: Vec<usize> = (0..passages.len()).collect();
        let (mut loss, mut said) = (0.0, 0);
        for batch in all.chunks(32) {
            let (cost, told) = no_grad(|| cost((Kind::Float, 0.0), parameters, passages, batch));
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
    (kind, dropout): (Kind, f64),
    parameters: &Parameters,
    passages: &Passages,
    batch: &[usize],
) -> (Tensor, usize) {
    let device = parameters.device();
    let thoughts = passages.of(batch).to_device(device);
    let first = parameters.apply("ff_state", &thoughts).tanh().to_kind(kind);
    let (shown, targets, told) = columns(passages, batch);
    let count = batch.len() as i64;
    let steps = shown.len() as i64 / count;
    let x = parameters
        .get("Wemb")
        .index_select(0, &Tensor::from_slice(&shown).to_device(device))
        .dropout(dropout, true)
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
    let logits = affine(
        "ff_logit",
        &affine("ff_hid", &states).tanh().dropout(dropout, true),
    )
    .to_kind(Kind::Float);
    let cost = logits.cross_entropy_loss::<Tensor>(
        &Tensor::from_slice(&targets).to_device(device),
        None,
        Reduction::Sum,
        IGNORED,
        0.0,
    );
    (cost, told)
}

/// Passages side by side, step after step: what is shown, what is to be told (or not), and how much of that there is.
fn columns(passages: &Passages, batch: &[usize]) -> (Vec<i64>, Vec<i64>, usize) {
    let lengths = batch.iter().map(|&index| passages.words[index].len());
    let places = (lengths.max().unwrap_or(0) + 1) * batch.len();
    let (mut shown, mut targets, mut told) = (vec![0; places], vec![IGNORED; places], 0);
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
    (shown, targets, told)
}

/// A target that no loss is taken over: what comes after a passage's end, and unknown words, which are never told.
const IGNORED: i64 = -100;
