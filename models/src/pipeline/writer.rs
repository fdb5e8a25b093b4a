//! Writes passages from a thought with a language model: prefix in, drafts out.
//!
//! All drafts of one story share its prefix, which is computed once. The network may emit only tokens that its training
//! used, so the product over the vocabulary is half as large and no markup or foreign script can appear.

use crate::decoding::drawing::{DrawingRules, Drawn, NextToken, draw};
use crate::networks::llama::{Cache, Llama};
use crate::networks::prefix::PrefixMap;
use crate::networks::projection::Projection;
use crate::tensors::weights::Weights;
use crate::text::pieces::Pieces;
use crate::{Error, Result};
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
}

/// What a passage is written from.
#[derive(Debug)]
pub struct Prompt {
    /// The shifted thought (T).
    pub thought: Tensor,
    /// The style as a difference from the mean thought (T); zeros for none.
    pub style: Tensor,
    /// Tokens of the words that it should speak of.
    pub words: Vec<i64>,
}

/// A draft with its text.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The text as it was drawn.
    pub text: String,
    /// The mean log probability of its tokens, nats.
    pub fluency: f64,
    /// Whether it came to an end by itself.
    pub ended: bool,
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
        let allowed = Allowed {
            ids: tokens,
            output,
            ends,
        };
        Ok(Self {
            llama,
            pieces,
            map,
            frame,
            allowed,
        })
    }

    /// Text to tokens and back.
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// The prefix of a prompt: (1, P, width).
    pub fn prefix(&self, prompt: &Prompt) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let soft = self
            .map
            .forward(&prompt.thought.unsqueeze(0), &prompt.style.unsqueeze(0));
        let words = embedded(&self.llama, &prompt.words);
        let kind = self.llama.kind();
        Tensor::cat(
            &[
                &self.frame.before,
                &soft.to_kind(kind),
                &words,
                &self.frame.after,
            ],
            1,
        )
    }

    /// Draws `count` drafts. After each token `go_on` learns how many there are; a story that was dropped is `None`.
    ///
    /// # Errors
    /// When the network's answers are not numbers.
    pub fn drafts(
        &self,
        prompt: &Prompt,
        count: usize,
        rules: &DrawingRules,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Vec<Draft>>> {
        let mut passage = Passage::begin(self, &self.prefix(prompt), count, rules.at_most);
        let rules = DrawingRules {
            ends: self.allowed.ends.clone(),
            ..rules.clone()
        };
        let Some(drawn) = draw(&mut passage, count, &rules, go_on)? else {
            return Ok(None);
        };
        drawn
            .iter()
            .map(|drawn| self.draft(drawn))
            .collect::<Result<Vec<_>>>()
            .map(Some)
    }

    fn draft(&self, drawn: &Drawn) -> Result<Draft> {
        let ids: Vec<i64> = drawn
            .tokens
            .iter()
            .map(|&place| self.allowed.ids[place])
            .collect();
        Ok(Draft {
            text: self.pieces.decode(&ids)?,
            fluency: drawn.fluency(),
            ended: drawn.ended,
        })
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

/// Drafts of one story being written.
struct Passage<'a> {
    writer: &'a Writer,
    cache: Cache,
    hidden: Tensor,
}

impl<'a> Passage<'a> {
    fn begin(writer: &'a Writer, prefix: &Tensor, rows: usize, at_most: usize) -> Self {
        let room = prefix.size()[1] + at_most as i64;
        let mut cache = writer.llama.cache(1, room);
        let hidden = writer.llama.extend(prefix, &mut cache);
        let last = hidden.select(1, -1).repeat([rows as i64, 1]);
        cache.repeat(rows as i64);
        Self {
            writer,
            cache,
            hidden: last,
        }
    }

    fn logits(&self) -> Tensor {
        let output = &self.writer.allowed.output;
        output.forward(&self.hidden).to_kind(Kind::Float)
    }
}

impl NextToken for Passage<'_> {
    fn first(&mut self) -> Tensor {
        self.logits()
    }

    fn after(&mut self, tokens: &[usize]) -> Tensor {
        let llama = &self.writer.llama;
        let ids: Vec<i64> = tokens
            .iter()
            .map(|&place| self.writer.allowed.ids[place])
            .collect();
        let ids = Tensor::from_slice(&ids)
            .to_device(llama.device())
            .unsqueeze(1);
        self.hidden = llama
            .extend(&llama.embed(&ids), &mut self.cache)
            .select(1, 0);
        self.logits()
    }
}
