//! Writes a passage from a thought with a language model: prefix in, sentences out.
//!
//! All rows of one story share its prefix, which is computed once. The network may emit only tokens that its training
//! used, so the product over the vocabulary is half as large and no markup or foreign script can appear.

use crate::decoding::drawing::{DrawingRules, Drawn, Ending, Judge, NextToken, draw};
use crate::error::{Error, Result};
use crate::networks::llama::{Cache, Llama};
use crate::networks::prefix::PrefixMap;
use crate::networks::projection::Projection;
use crate::tensors::weights::Weights;
use crate::text::pieces::Pieces;
use crate::text::sentences::{ends_sentence, may_end_sentence};
use tch::{Device, Kind, Tensor};

/// A language model with what turns a thought into its prefix.
#[derive(Debug)]
pub struct Writer {
    llama: Llama,
    pieces: Pieces,
    map: PrefixMap,
    frame: Frame,
    allowed: Allowed,
}

/// The fixed embeddings around a prefix, (1, T, width) each.
#[derive(Debug)]
struct Frame {
    before: Tensor,
    after: Tensor,
}

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
}

/// What a passage is written from.
#[derive(Debug)]
pub struct Prompt {
    /// How the model is told what to write.
    pub opening: Opening,
    /// What stands already; empty where it begins.
    pub before: String,
}

/// How a model is told what to write.
#[derive(Debug)]
pub enum Opening {
    /// It is asked in words, marks included.
    Asked(String),
    /// It is shown what an adapter was trained with: soft tokens of a thought, and words.
    Learnt {
        /// The shifted thought (T).
        thought: Tensor,
        /// The style as a difference from the mean thought (T); zeros for none.
        style: Tensor,
        /// Tokens of the words that it should speak of.
        words: Vec<i64>,
    },
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
}

/// A passage.
#[derive(Clone, Debug)]
pub struct Written {
    /// The text as it was drawn.
    pub text: String,
    /// The mean log probability of its tokens, nats.
    pub fluency: f64,
}

/// What begins a prefix.
const BEFORE: &str = "<|im_start|>";
/// What ends a prefix, and the passage after it.
const AFTER: &str = "<|im_end|>";

impl Writer {
    /// Puts a model (its adapter merged) together with its prefix; `tokens` are the ids that it may emit.
    ///
    /// # Errors
    /// When the tokenizer lacks a mark, or no end of a passage is among the tokens.
    pub fn new(llama: Llama, pieces: Pieces, map: PrefixMap, tokens: Vec<i64>) -> Result<Self> {
        let _no_grad = tch::no_grad_guard();
        let frame = Frame {
            before: embedded(&llama, &pieces.encode(BEFORE)?),
            after: embedded(&llama, &pieces.encode(&format!("{AFTER}\n"))?),
        };
        let end = pieces.id(AFTER);
        let ends: Vec<usize> = (0..tokens.len())
            .filter(|&place| Some(tokens[place]) == end || tokens[place] == 0)
            .collect();
        if ends.is_empty() {
            return Err(Error::format(
                "the language model",
                format!("{AFTER} is not among the tokens that it may write"),
            ));
        }
        let rows = llama.output_rows(&Tensor::from_slice(&tokens).to_device(llama.device()));
        let mut output = Projection::new(rows);
        output.pack();
        let closing = |&id: &i64| Ok(may_end_sentence(&pieces.decode(&[id])?));
        let closing = tokens.iter().map(closing).collect::<Result<_>>()?;
        let allowed = Allowed {
            ids: tokens,
            output,
            ends,
            closing,
        };
        Ok(Self {
            llama,
            pieces,
            map,
            frame,
            allowed,
        })
    }

    /// Where it writes.
    pub fn device(&self) -> Device {
        self.llama.device()
    }

    /// Text to tokens and back.
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// The prefix of a prompt: (1, P, width).
    ///
    /// # Errors
    /// When what stands already cannot be split into tokens.
    pub fn prefix(&self, prompt: &Prompt) -> Result<Tensor> {
        let _no_grad = tch::no_grad_guard();
        let mut parts = match &prompt.opening {
            Opening::Asked(request) => vec![embedded(&self.llama, &self.pieces.encode(request)?)],
            Opening::Learnt {
                thought,
                style,
                words,
            } => self.learnt(thought, style, words),
        };
        if !prompt.before.is_empty() {
            let before = self.pieces.encode_plain(&prompt.before)?;
            parts.push(embedded(&self.llama, &before));
        }
        Ok(Tensor::cat(&parts, 1))
    }

    /// The prefix that an adapter was trained with: soft tokens and words.
    fn learnt(&self, thought: &Tensor, style: &Tensor, words: &[i64]) -> Vec<Tensor> {
        let soft = self.map.forward(&thought.unsqueeze(0), &style.unsqueeze(0));
        vec![
            self.frame.before.shallow_clone(),
            soft.to_kind(self.llama.kind()),
            embedded(&self.llama, words),
            self.frame.after.shallow_clone(),
        ]
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
        let mut passage = Passage::begin(self, &self.prefix(prompt)?, rules);
        let rules = DrawingRules {
            ends: self.allowed.ends.clone(),
            ..rules.clone()
        };
        let mut judge = InWords {
            writer: self,
            reader,
        };
        let drawn = draw(&mut passage, &rules, &mut judge, go_on)?;
        let written = |drawn: Drawn| {
            Ok(Written {
                text: self.text(&drawn.tokens)?,
                fluency: drawn.fluency(),
            })
        };
        drawn.map(written).transpose()
    }

    /// How likely each text is as the beginning of one: the mean log probability of its tokens, nats.
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
        let begin = self.frame.before.expand([rows, -1, -1], false);
        let input = Tensor::cat(&[&begin, &self.llama.embed(&shown)], 1);
        let mut cache = self.llama.cache(rows, input.size()[1]);
        let hidden = self.llama.extend(&input, &mut cache);
        // the last mark before the text tells its first token
        let hidden = hidden.narrow(1, begin.size()[1] - 1, longest as i64);
        let costs = self
            .llama
            .logits(&hidden)
            .to_kind(Kind::Float)
            .log_softmax(-1, Kind::Float);
        let costs = costs
            .gather(-1, &shown.unsqueeze(-1), false)
            .squeeze_dim(-1);
        let costs = costs.to_device(Device::Cpu);
        let mean = |(row, ids): (usize, &Vec<i64>)| {
            let own = costs.get(row as i64).narrow(0, 0, ids.len() as i64);
            own.mean(Kind::Float).double_value(&[])
        };
        Ok(ids.iter().enumerate().map(mean).collect())
    }

    fn text(&self, tokens: &[usize]) -> Result<String> {
        let ids: Vec<i64> = tokens
            .iter()
            .map(|&place| self.allowed.ids[place])
            .collect();
        self.pieces.decode(&ids)
    }
}

/// Judges tokens by the text that they are.
struct InWords<'a> {
    writer: &'a Writer,
    reader: &'a mut dyn Reader,
}

impl Judge for InWords<'_> {
    fn closes(&self, tokens: &[usize]) -> bool {
        let may = |&last: &usize| self.writer.allowed.closing[last];
        tokens.last().is_some_and(may)
            && self
                .writer
                .text(tokens)
                .is_ok_and(|text| ends_sentence(&text))
    }

    fn choose(&mut self, sentences: &[Drawn]) -> Result<Option<usize>> {
        let read = |drawn: &Drawn| {
            let text = self.writer.text(&drawn.tokens)?.trim().to_owned();
            let closed = drawn.ending == Ending::Closed || ends_sentence(&text);
            Ok(Sentence {
                whole: closed && drawn.ending != Ending::Open,
                last: drawn.ending == Ending::OfText,
                fluency: drawn.fluency(),
                text,
            })
        };
        let sentences = sentences.iter().map(read).collect::<Result<Vec<_>>>()?;
        self.reader.choose(&sentences)
    }

    fn goes_on(&mut self, end_probability: f64) -> bool {
        self.reader.goes_on(end_probability)
    }
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

/// One story being written: what stands, and the branches that draw what comes next.
struct Passage<'a> {
    writer: &'a Writer,
    text: Cache,
    /// The hidden state (1, width) after what stands.
    last: Tensor,
    branches: Cache,
    /// Room of a branch.
    sentence: usize,
}

impl<'a> Passage<'a> {
    fn begin(writer: &'a Writer, prefix: &Tensor, rules: &DrawingRules) -> Self {
        let room = prefix.size()[1] + (rules.at_most + rules.sentence) as i64;
        let mut text = writer.llama.cache(1, room);
        let last = writer.llama.extend(prefix, &mut text).select(1, -1);
        Self {
            branches: text.branches(0, 0),
            writer,
            text,
            last,
            sentence: rules.sentence,
        }
    }

    fn ids(&self, tokens: &[usize]) -> Tensor {
        let ids: Vec<i64> = tokens
            .iter()
            .map(|&place| self.writer.allowed.ids[place])
            .collect();
        Tensor::from_slice(&ids).to_device(self.writer.llama.device())
    }

    fn logits(&self, hidden: &Tensor) -> Tensor {
        let output = &self.writer.allowed.output;
        output.forward(hidden).to_kind(Kind::Float)
    }
}

impl NextToken for Passage<'_> {
    fn read(&mut self, tokens: &[usize]) -> Tensor {
        if !tokens.is_empty() {
            let llama = &self.writer.llama;
            let shown = llama.embed(&self.ids(tokens).unsqueeze(0));
            self.last = llama.extend(&shown, &mut self.text).select(1, -1);
        }
        self.logits(&self.last)
    }

    fn branch(&mut self, branches: usize) {
        self.branches = self.text.branches(branches as i64, self.sentence as i64);
    }

    fn after(&mut self, tokens: &[usize]) -> Tensor {
        let llama = &self.writer.llama;
        let shown = llama.embed(&self.ids(tokens).unsqueeze(1));
        let hidden = llama.extend(&shown, &mut self.branches).select(1, 0);
        self.logits(&hidden)
    }

    fn retain(&mut self, branches: &[i64]) {
        let rows = Tensor::from_slice(branches).to_device(self.writer.llama.device());
        self.branches.retain(&rows);
    }
}
