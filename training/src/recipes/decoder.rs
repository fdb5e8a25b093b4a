//! The decoder: a thought vector in, a passage of prose out (algorithm.md §5.5).
//!
//! `storyteller train decoder` runs a [`Recipe`]. The encoder is frozen: thoughts are computed once, before. A thought
//! here is what the decoder will be given when it tells a story, the mean over sentences shifted to the style
//! of the passage's book, so that it learns what such a shift means.

use tch::{Device, Kind, Tensor, no_grad};

use crate::checkpoint::sum_of;
use crate::course::{Oversight, Step, follow};
use crate::order::Rounds;
use crate::parameters::Parameters;
use crate::recipes::costs::surprise;
use crate::recipes::graph::{Graph, Output, Text};
use crate::recipes::settings::Settings;
use crate::thoughts::{Folder, sentences_of};
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

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// The original's: summed over the batch, unknown words told as such.
    Original,
    /// The mean over the words that are told; unknown words are not.
    Mean,
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

    /// The texts of some of them side by side, and their thoughts (B, ctx).
    fn side_by_side(&self, batch: &[usize], device: Device) -> (Text, Tensor) {
        let texts: Vec<&[i64]> = batch
            .iter()
            .map(|&index| self.words[index].as_slice())
            .collect();
        (Text::new(&texts, device), self.of(batch).to_device(device))
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

/// A decoder to be trained.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// Sizes, batches and course.
    pub settings: &'a Settings,
    /// What is minimised.
    pub objective: Objective,
    /// The words it will write.
    pub words: &'a Vocabulary,
    /// What is trained on.
    pub passages: &'a Passages,
}

impl Recipe<'_> {
    /// Trains and returns the arrays of a [`models::Decoder`] with deep output.
    ///
    /// # Errors
    /// As `follow`.
    pub fn run(&self, oversight: Oversight) -> Result<Weights> {
        let (settings, passages) = (self.settings, self.passages);
        let seed = settings.course.seed;
        tch::manual_seed(seed as i64);
        let parameters = initial(
            settings,
            self.words.len() as i64,
            passages.thoughts.size()[1],
        );
        let parameters = parameters.to_device(settings.device);
        let lengths = passages.words.iter().map(Vec::len).collect();
        let mut rounds = Rounds::new(lengths, settings.grouping, settings.batch, seed);
        let oversight = oversight.of(|| self.all_that_counts());
        let mut step =
            |parameters: &Parameters, update| Ok(self.step(parameters, rounds.batch(update)));
        let trained = follow(&settings.course, parameters, oversight, &mut step)?;
        Ok(trained.weights("decoder", |_| true))
    }

    /// All that decides the outcome, for the checkpoint.
    fn all_that_counts(&self) -> serde_json::Value {
        let passages = self.passages;
        let thoughts = passages.thoughts.sum(Kind::Double).double_value(&[]);
        self.settings.recipe(serde_json::json!({
            "trains": "decoder", "costs": self.objective,
            "passages": sum_of(passages.words.iter().map(Vec::as_slice)), "thoughts": thoughts.to_string(),
        }))
    }

    /// The cost of a batch.
    fn step(&self, parameters: &Parameters, batch: &[usize]) -> Step {
        let graph = Graph {
            parameters,
            kind: self.settings.kind,
            dropout: self.settings.dropout,
        };
        match self.objective {
            Objective::Original => {
                let (text, thoughts) = self.passages.side_by_side(batch, parameters.device());
                Step {
                    cost: graph.decoder(Output::Deep, &text, &thoughts),
                    times: 1.0,
                    told: text.told(),
                }
            }
            Objective::Mean => {
                let (cost, told) = cost(&graph, self.passages, batch);
                Step {
                    cost: cost / told as f64,
                    times: told as f64,
                    told,
                }
            }
        }
    }
}

/// Perplexity per word on `passages`, unknown words left out, with each passage's own thought and with another's.
pub fn perplexity(parameters: &Parameters, passages: &Passages) -> (f64, f64) {
    let of = |passages: &Passages| {
        let all: Vec<usize> = (0..passages.len()).collect();
        let (mut loss, mut said) = (0.0, 0);
        for batch in all.chunks(32) {
            let graph = Graph::of_the_original(parameters);
            let (cost, told) = no_grad(|| cost(&graph, passages, batch));
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

/// Summed cost of a batch and how many words it is over; unknown words are never told.
fn cost(graph: &Graph, passages: &Passages, batch: &[usize]) -> (Tensor, usize) {
    let (text, thoughts) = passages.side_by_side(batch, graph.parameters.device());
    let states = graph.told(&text, &thoughts);
    let (places, ids) = text.targets(Some(UNK));
    let size = states.size()[2];
    let states = states.contiguous().view([-1, size]);
    let scores = graph.scores(Output::Deep, &states.index_select(0, &places));
    (surprise(&scores, &ids), ids.size()[0] as usize)
}
