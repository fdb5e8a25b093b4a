//! What might come after a text, tried side by side: branches share what stands and each adds tokens of its own.
//!
//! On a processor a step by libtorch's operations spends most of its time between the products: fifty small operations a
//! layer, each with a tensor of its own. So there a step is written out over plain numbers ([`beside`]), and what stands is
//! held once for all branches. Elsewhere the branches are rows of a cache, each with a copy of it.

mod beside;
mod numbers;
mod product;

use super::{Cache, Llama};
use beside::Beside;
use tch::{Device, Kind, Tensor};

/// Branches of one text.
#[derive(Debug)]
pub struct Branches(Way);

#[derive(Debug)]
enum Way {
    Copied(Cache),
    Beside(Beside),
}

impl Branches {
    /// Of those that go on only these still do, in this order.
    pub fn retain(&mut self, rows: &[i64]) {
        match &mut self.0 {
            Way::Copied(cache) => cache.retain(&Tensor::from_slice(rows).to_device(cache.device())),
            Way::Beside(beside) => beside.retain(rows),
        }
    }
}

impl Llama {
    /// So many branches of the one sequence in `text`, with room for `more` tokens each.
    pub fn branches(&self, text: &Cache, rows: i64, more: i64) -> Branches {
        let plain = self.kind() == Kind::Float && self.device() == Device::Cpu;
        Branches(if plain {
            Way::Beside(Beside::new(
                self,
                text,
                [rows, more].map(|count| count as usize),
            ))
        } else {
            Way::Copied(text.branches(rows, more))
        })
    }

    /// Adds a token to each branch: `ids` (B) → normed hidden states (B, width).
    ///
    /// # Panics
    /// When the branches have no room left for it.
    pub fn step(&self, ids: &Tensor, branches: &mut Branches) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let shown = self.embed(&ids.unsqueeze(1));
        match &mut branches.0 {
            Way::Copied(cache) => self.run(&shown, Some(cache)).select(1, 0),
            Way::Beside(beside) => self.step_beside(ids, &shown, beside),
        }
    }

    /// The text goes on with tokens (T) of a branch, counted as they began: normed hidden state (1, width) after the last.
    /// What the branch has read of them is taken over; it need not go on any more.
    ///
    /// # Panics
    /// When there are no tokens, or the text has no room for them.
    pub fn follow(
        &self,
        text: &mut Cache,
        branches: &Branches,
        branch: (usize, &Tensor),
    ) -> Tensor {
        let _no_grad = tch::no_grad_guard();
        let (row, ids) = branch;
        let read = match &branches.0 {
            Way::Copied(_) => 0,
            Way::Beside(beside) => beside.hand_over(row, ids, text),
        };
        let left = ids.narrow(0, read, ids.size()[0] - read);
        self.run(&self.embed(&left.unsqueeze(0)), Some(text))
            .select(1, -1)
    }
}

/// Numbers to test with.
#[cfg(test)]
fn some(count: usize) -> Vec<f32> {
    let numbers = 0..count;
    numbers
        .map(|i| ((i * 37 + 11) % 23) as f32 / 7.0 - 1.5)
        .collect()
}
