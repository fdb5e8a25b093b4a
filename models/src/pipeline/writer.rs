//! Writes a passage from a thought with a language model: prefix in, sentences out.
//!
//! All rows of one story share its prefix, which is computed once. The network may emit only tokens that its training
//! used, so the product over the vocabulary is half as large and no markup or foreign script can appear.

use crate::decoding::drawing::{DrawingRules, Drawn, NextToken, draw};
use crate::error::{Error, Result};
use crate::networks::llama::Llama;
use crate::networks::prefix::PrefixMap;
use crate::networks::projection::Projection;
use crate::tensors::device::shared::ReadOnly;
use crate::tensors::weights::Weights;
use crate::text::pieces::Pieces;
use crate::text::sentences::may_end_sentence;
use judging::InWords;
use passage::Passage;
use std::collections::HashMap;
use tch::{Device, Kind, Tensor};
use told::{BEGIN, END, SOFT, Told};

mod judging;
mod passage;
mod seat;
mod together;
pub mod told;

pub use seat::Seat;
pub use together::Together;

/// A language model with what turns a thought into its prefix.
#[derive(Debug)]
pub struct Writer {
    llama: Llama,
    pieces: Pieces,
    /// What becomes soft tokens where an adapter learnt to hear them.
    map: Option<PrefixMap>,
    /// What begins a text (1, T, width).
    begin: Tensor,
    allowed: Allowed,
}

/// Nothing of it changes once it is put together.
impl ReadOnly for Writer {}

/// The tokens that may be written.
#[derive(Debug)]
struct Allowed {
    /// Their ids in the model's vocabulary.
    ids: Vec<i64>,
    /// Their rows of the output matrix (V′, width).
    output: Projection,
    /// Which of them end a passage.
    ends: Vec<usize>,
    /// Whether a sentence may end with the token (V′).
    closing: Vec<bool>,
    /// Which of them end a line; of several the last one leaves a line empty too. They are the last of all.
    lines: Vec<usize>,
}

impl Allowed {
    /// How many of them may be drawn where the text is made of this.
    fn tokens_of(&self, unit: Unit) -> i64 {
        let lines = match unit {
            Unit::Sentence => self.lines.len(),
            Unit::Line => 0,
        };
        (self.ids.len() - lines) as i64
    }

    fn breaks(&self, token: usize) -> bool {
        self.lines.contains(&token)
    }
}

/// What a text is made of, drawn and chosen one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Prose.
    Sentence,
    /// Verse.
    Line,
}

/// What a passage is written from.
#[derive(Debug)]
pub struct Prompt {
    /// What the model is told.
    pub told: Told,
    /// What stands already; empty where it begins.
    pub before: String,
}

/// A sentence that might come next.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// Its text, without white space around it; empty where the passage would end instead.
    pub text: String,
    /// The mean log probability of its tokens, nats.
    pub fluency: f64,
    /// Whether it is a whole one.
    pub whole: bool,
    /// Whether the passage ends with it.
    pub last: bool,
}

/// Who chooses sentences.
pub trait Reader {
    /// The place of the sentence that is to stand; none if the passage is better over.
    ///
    /// # Errors
    /// When they cannot be judged.
    fn choose(&mut self, sentences: &[Sentence]) -> Result<Option<usize>>;
    /// Whether another sentence is wanted, given how likely the model would end the passage here.
    fn goes_on(&mut self, end_probability: f64) -> bool;
    /// What it chooses among.
    fn unit(&self) -> Unit;
    /// Whether the line that was chosen last is the last one of a stanza.
    fn stanza_ends(&self) -> bool;
}

/// A passage.
#[derive(Clone, Debug)]
pub struct Written {
    /// The text as it was drawn.
    pub text: String,
    /// The mean log probability of its tokens, nats.
    pub fluency: f64,
}

impl Writer {
    /// Puts a model (its adapter merged) together with its prefix; `tokens` are the ids that it may emit.
    ///
    /// # Errors
    /// When the tokenizer lacks a mark, or no end of a passage is among the tokens.
    pub fn new(
        llama: Llama,
        pieces: Pieces,
        map: Option<PrefixMap>,
        mut tokens: Vec<i64>,
    ) -> Result<Self> {
        let _no_grad = tch::no_grad_guard();
        let begin = embedded(&llama, &pieces.encode(BEGIN)?);
        let end = pieces.id(END);
        if !tokens.iter().any(|&id| Some(id) == end || id == 0) {
            return Err(Error::format(
                "the language model",
                format!("{END} is not among the tokens that it may write"),
            ));
        }
        let breaks = line_ends(&pieces)?;
        tokens.retain(|id| !breaks.contains(id));
        let lines = (tokens.len()..tokens.len() + breaks.len()).collect();
        tokens.extend(breaks);
        let ends: Vec<usize> = (0..tokens.len())
            .filter(|&place| Some(tokens[place]) == end || tokens[place] == 0)
            .collect();
        let rows = llama.output_rows(&Tensor::from_slice(&tokens).to_device(llama.device()));
        let mut output = Projection::new(rows);
        Projection::pack([&mut output]);
        let closing = |&id: &i64| Ok(may_end_sentence(&pieces.decode(&[id])?));
        let closing = tokens.iter().map(closing).collect::<Result<_>>()?;
        let allowed = Allowed {
            ids: tokens,
            output,
            ends,
            closing,
            lines,
        };
        Ok(Self {
            llama,
            pieces,
            map,
            begin,
            allowed,
        })
    }

    /// Where it writes.
    pub fn device(&self) -> Device {
        self.llama.device()
    }

    /// Whether its vocabulary has a token that ends a line.
    pub fn writes_lines(&self) -> bool {
        !self.allowed.lines.is_empty()
    }

    /// Text to tokens and back.
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// Where each word with a space before it stands among the tokens that may be written, as [`DrawingRules::leaning`] wants it;
    /// none for a word that is several tokens, or may not be written.
    ///
    /// # Errors
    /// When a word cannot be split into tokens.
    pub fn places_of(&self, words: &[String]) -> Result<Vec<Option<usize>>> {
        let places = self.allowed.ids.iter().enumerate();
        let places: HashMap<i64, usize> = places.map(|(place, &id)| (id, place)).collect();
        let place = |word: &String| {
            let token = self.pieces.token_of(word)?;
            Ok(token.and_then(|token| places.get(&token).copied()))
        };
        words.iter().map(place).collect()
    }

    /// The prefix of a prompt: (1, P, width).
    ///
    /// # Errors
    /// When what stands already cannot be split into tokens.
    pub fn prefix(&self, prompt: &Prompt) -> Result<Tensor> {
        let _no_grad = tch::no_grad_guard();
        let mut parts = vec![told_embedded(&self.llama, self.map.as_ref(), &prompt.told)];
        if !prompt.before.is_empty() {
            let before = self.pieces.encode_plain(&prompt.before)?;
            parts.push(embedded(&self.llama, &before));
        }
        Ok(Tensor::cat(&parts, 1))
    }

    /// Writes a passage. After each token `go_on` learns how many there are; a story that was dropped is `None`.
    ///
    /// # Errors
    /// When the network's answers are not numbers, or the reader cannot judge.
    pub fn write(
        &self,
        prompt: &Prompt,
        rules: &DrawingRules,
        reader: &mut dyn Reader,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Written>> {
        let mut passage = Passage::begin(self, &self.prefix(prompt)?, rules, reader.unit());
        self.draw(&mut passage, rules, reader, go_on)
    }

    /// Draws a passage from `network`, which stands where the prompt ends.
    fn draw(
        &self,
        network: &mut dyn NextToken,
        rules: &DrawingRules,
        reader: &mut dyn Reader,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Written>> {
        let rules = DrawingRules {
            ends: self.allowed.ends.clone(),
            ..rules.clone()
        };
        let mut judge = InWords {
            writer: self,
            reader,
        };
        let drawn = draw(network, &rules, &mut judge, go_on)?;
        let written = |drawn: Drawn| {
            Ok(Written {
                text: self.text(&drawn.tokens)?,
                fluency: drawn.fluency(),
            })
        };
        drawn.map(written).transpose()
    }

    /// How likely each text is as the beginning of one: the mean log probability of its tokens, nats, among those that may be
    /// written.
    ///
    /// # Errors
    /// When a text cannot be split into tokens.
    pub fn fluency(&self, texts: &[&str]) -> Result<Vec<f64>> {
        let _no_grad = tch::no_grad_guard();
        let ids = texts.iter().map(|text| self.pieces.encode_plain(text));
        let ids = ids.collect::<Result<Vec<_>>>()?;
        let longest = ids.iter().map(Vec::len).max().unwrap_or_default();
        // what is after a text is seen by none of its tokens, so anything may stand there
        let padded = ids.iter().flat_map(|ids| {
            let rest = std::iter::repeat_n(0, longest - ids.len());
            ids.iter().copied().chain(rest).collect::<Vec<i64>>()
        });
        let padded: Vec<i64> = padded.collect();
        let rows = texts.len() as i64;
        let shown = Tensor::from_slice(&padded)
            .view([rows, longest as i64])
            .to_device(self.device());
        let begin = self.begin.expand([rows, -1, -1], false);
        let input = Tensor::cat(&[&begin, &self.llama.embed(&shown)], 1);
        let mut cache = self.llama.cache(rows, input.size()[1]);
        let hidden = self.llama.extend(&input, &mut cache);
        // the last mark before the text tells its first token
        let hidden = hidden.narrow(1, begin.size()[1] - 1, longest as i64);
        let row = |(row, ids): (usize, &Vec<i64>)| row * longest..row * longest + ids.len();
        let real: Vec<i64> = ids
            .iter()
            .enumerate()
            .flat_map(row)
            .map(|at| at as i64)
            .collect();
        let real = Tensor::from_slice(&real).to_device(self.device());
        let hidden = hidden.flatten(0, 1).index_select(0, &real);
        // a text may hold any token, but is weighed against those alone that may be written: their matrix is the faster one
        let own = self
            .llama
            .output_rows(&shown.flatten(0, -1).index_select(0, &real));
        let own = (&hidden * own).sum_dim_intlist([-1i64].as_slice(), false, Kind::Float);
        let all = self.allowed.output.forward(&hidden).to_kind(Kind::Float);
        let costs = (own - all.logsumexp([-1i64].as_slice(), false)).to_device(Device::Cpu);
        let lengths: Vec<i64> = ids.iter().map(|ids| ids.len() as i64).collect();
        let of_each = costs.split_with_sizes(lengths, 0).into_iter();
        Ok(of_each
            .map(|costs| costs.mean(Kind::Float).double_value(&[]))
            .collect())
    }

    fn text(&self, tokens: &[usize]) -> Result<String> {
        self.pieces.decode(&self.ids_of(tokens))
    }

    /// The ids of tokens that may be written, in the model's vocabulary.
    fn ids_of(&self, tokens: &[usize]) -> Vec<i64> {
        let tokens = tokens.iter();
        tokens.map(|&place| self.allowed.ids[place]).collect()
    }

    /// Hidden states (B, width) → logits (B, V) of the tokens that a text of this unit may be made of: ends of lines, which
    /// prose does without, are the last ones.
    fn logits(&self, hidden: &Tensor, unit: Unit) -> Tensor {
        let logits = self.allowed.output.forward(hidden);
        let own = logits.narrow(-1, 0, self.allowed.tokens_of(unit));
        own.to_kind(Kind::Float)
    }
}

/// The tokens that are an end of a line, and one with an empty line after it, where the model has one for it.
fn line_ends(pieces: &Pieces) -> Result<Vec<i64>> {
    let mut ends = Vec::new();
    for text in ["\n", "\n\n"] {
        if let [id] = pieces.encode_plain(text)?[..] {
            ends.push(id);
        }
    }
    Ok(ends)
}

/// What a model is told, as it hears it: tokens, and soft ones where the map puts them (1, P, width).
pub fn told_embedded(llama: &Llama, map: Option<&PrefixMap>, told: &Told) -> Tensor {
    let ids = told.tokens(map.map_or(0, PrefixMap::soft_tokens));
    let ids = Tensor::from_slice(&ids)
        .unsqueeze(0)
        .to_device(llama.device());
    all_embedded(llama, map, &[told], &ids)
}

/// Tokens of several texts (B, T), [`SOFT`] among them, as a model hears them (B, T, width); the soft ones are what `map`
/// makes of the thoughts in `told`, row by row.
pub fn all_embedded(
    llama: &Llama,
    map: Option<&PrefixMap>,
    told: &[&Told],
    ids: &Tensor,
) -> Tensor {
    let plain = llama.embed(&ids.clamp_min(0));
    let heard: Vec<_> = told.iter().filter_map(|told| told.heard()).collect();
    let Some(map) = map.filter(|_| !heard.is_empty()) else {
        return plain;
    };
    let rows = |rows: Vec<&Tensor>| Tensor::stack(&rows, 0).to_device(llama.device());
    let soft = map.forward(
        &rows(heard.iter().map(|heard| &heard.thought).collect()),
        &rows(heard.iter().map(|heard| &heard.style).collect()),
    );
    let places = ids.eq(SOFT).unsqueeze(-1);
    plain.masked_scatter(&places, &soft.to_kind(plain.kind()))
}

fn embedded(llama: &Llama, ids: &[i64]) -> Tensor {
    llama
        .embed(&Tensor::from_slice(ids).to_device(llama.device()))
        .unsqueeze(0)
}

/// The tokens that a bundle's model may write: whole numbers under the name `tokens`.
///
/// # Errors
/// When there is no such array, or an id is none of the model's.
pub fn allowed_tokens(weights: &Weights, vocabulary: i64) -> Result<Vec<i64>> {
    let numbers: Vec<f32> = Vec::try_from(weights.tensor("tokens", &[-1])?.to_device(Device::Cpu))?;
    let ids: Vec<i64> = numbers.into_iter().map(|number| number as i64).collect();
    match ids.iter().find(|&&id| id < 0 || id >= vocabulary) {
        Some(id) => Err(Error::format(
            weights.label(),
            format!("token {id} is none of the model's {vocabulary}"),
        )),
        None => Ok(ids),
    }
}
