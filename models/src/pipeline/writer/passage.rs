//! One story on its way through the language model: what stands is computed once, its branches share it.
//! What must stay true: a branch sees what stands and its own tokens, nothing else.

use super::{Unit, Writer};
use crate::decoding::drawing::{DrawingRules, NextToken};
use crate::networks::llama::{Branches, Cache};
use tch::{Kind, Tensor};

/// One story being written: what stands, and the branches that draw what comes next.
pub(super) struct Passage<'a> {
    writer: &'a Writer,
    text: Cache,
    /// The hidden state (1, width) after what stands.
    last: Tensor,
    branches: Branches,
    /// Room of a branch.
    sentence: usize,
    /// How many of the allowed tokens may be drawn: ends of lines are the last ones.
    tokens: i64,
}

impl<'a> Passage<'a> {
    pub(super) fn begin(
        writer: &'a Writer,
        prefix: &Tensor,
        rules: &DrawingRules,
        unit: Unit,
    ) -> Self {
        let room = prefix.size()[1] + (rules.at_most + rules.sentence) as i64;
        let mut text = writer.llama.cache(1, room);
        let last = writer.llama.extend(prefix, &mut text).select(1, -1);
        Self {
            branches: writer.llama.branches(&text, 0, 0),
            writer,
            text,
            last,
            sentence: rules.sentence,
            tokens: writer.allowed.tokens_of(unit),
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
        let logits = output.forward(hidden).narrow(-1, 0, self.tokens);
        logits.to_kind(Kind::Float)
    }
}

impl NextToken for Passage<'_> {
    fn begin(&mut self) -> Tensor {
        self.logits(&self.last)
    }

    fn follow(&mut self, branch: usize, tokens: &[usize]) -> Tensor {
        let (llama, ids) = (&self.writer.llama, self.ids(tokens));
        let followed = llama.follow(&mut self.text, &self.branches, (branch, &ids));
        self.last = followed;
        self.logits(&self.last)
    }

    fn branch(&mut self, branches: usize) {
        let llama = &self.writer.llama;
        self.branches = llama.branches(&self.text, branches as i64, self.sentence as i64);
    }

    fn after(&mut self, tokens: &[usize]) -> Tensor {
        let llama = &self.writer.llama;
        let hidden = llama.step(&self.ids(tokens), &mut self.branches);
        self.logits(&hidden)
    }

    fn retain(&mut self, branches: &[i64]) {
        self.branches.retain(branches);
    }
}
