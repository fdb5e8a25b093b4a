//! One story on its way through the language model: what stands is computed once, its branches share it.
//! What must stay true: a branch sees what stands and its own tokens, nothing else.

use super::{Unit, Writer};
use crate::decoding::drawing::{
    DrawingRules, Likeliest, Next, NextToken, Shift, leaning, share_of,
};
use crate::error::Result;
use crate::networks::llama::{Branches, Cache};
use tch::Tensor;

/// One story being written: what stands, and the branches that draw what comes next.
pub(super) struct Passage<'a> {
    writer: &'a Writer,
    text: Cache,
    /// The hidden state (1, width) after what stands.
    last: Tensor,
    branches: Branches,
    /// What it leans towards (1, V).
    leaning: Option<Tensor>,
    /// Room of a branch.
    sentence: usize,
    unit: Unit,
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
        let tokens = writer.allowed.tokens_of(unit);
        Self {
            branches: writer.llama.branches(&text, 0, 0),
            writer,
            text,
            last,
            leaning: leaning(&rules.leaning, tokens, writer.device()),
            sentence: rules.sentence,
            unit,
        }
    }

    fn ids(&self, tokens: &[usize]) -> Tensor {
        Tensor::from_slice(&self.writer.ids_of(tokens)).to_device(self.writer.llama.device())
    }

    fn logits(&self, hidden: &Tensor) -> Tensor {
        self.writer.logits(hidden, self.unit)
    }
}

impl Passage<'_> {
    fn next(&self, shift: Shift) -> Result<Next> {
        let logits = self.logits(&self.last);
        Ok(Next {
            end: share_of(&self.writer.allowed.ends, &logits),
            likeliest: Likeliest::of(&logits, self.leaning.as_ref(), &[shift])?,
        })
    }
}

impl NextToken for Passage<'_> {
    fn begin(&mut self, shift: Shift) -> Result<Next> {
        self.next(shift)
    }

    fn follow(&mut self, branch: usize, tokens: &[usize], shift: Shift) -> Result<Next> {
        let (llama, ids) = (&self.writer.llama, self.ids(tokens));
        self.last = llama.follow(&mut self.text, &self.branches, (branch, &ids));
        self.next(shift)
    }

    fn branch(&mut self, branches: usize) {
        let llama = &self.writer.llama;
        self.branches = llama.branches(&self.text, branches as i64, self.sentence as i64);
    }

    fn after(&mut self, tokens: &[usize], shifts: Vec<Shift>) -> Result<Likeliest> {
        let llama = &self.writer.llama;
        let hidden = llama.step(&self.ids(tokens), &mut self.branches);
        Likeliest::of(&self.logits(&hidden), self.leaning.as_ref(), &shifts)
    }

    fn retain(&mut self, branches: &[i64]) {
        self.branches.retain(branches);
    }
}
