//! The likeliest tokens of each row of logits, after the rules of a text have shifted them: all that the host needs to draw.
//!
//! The arithmetic over the vocabulary stays on the device; a row costs the host two hundred numbers. What must stay true: a
//! row does not depend on those beside it.

use super::picking::{ids_of, rows_of};
use crate::error::Result;
use tch::{Device, Kind, Tensor};

/// How many of the likeliest tokens a nucleus may be made of.
const LIKELIEST: i64 = 200;
/// Added to a logit, what no token survives.
pub(super) const NEVER: f32 = -1e9;

/// What is added to the logits of one row, token by token; what is there twice is added twice.
pub type Shift = Vec<(usize, f32)>;

/// The likeliest tokens of some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Likeliest {
    /// How many a row has.
    look: usize,
    values: Vec<f32>,
    tokens: Vec<i64>,
    plain: Vec<f32>,
}

/// Those of one row, in falling order.
#[derive(Clone, Copy, Debug)]
pub struct LikeliestRow<'a> {
    /// Their shifted logits.
    pub values: &'a [f32],
    /// Which tokens they are.
    pub tokens: &'a [i64],
    /// Their log probabilities as the network gave them, before any rule.
    pub plain: &'a [f32],
}

impl Likeliest {
    /// Of logits (B, V), of which each row is shifted by its own and by `leaning` (1, V).
    ///
    /// # Errors
    /// When the logits cannot be read.
    pub fn of(logits: &Tensor, leaning: Option<&Tensor>, shifts: &[Shift]) -> Result<Self> {
        let totals = logits.logsumexp([1i64].as_slice(), true);
        Self::among([logits, &totals], leaning, shifts)
    }

    /// As [`Likeliest::of`], of logits (B, V) with the logarithm of the sum of each row's exponentials (B, 1); `leaning` may
    /// be each row's own (B, V).
    ///
    /// # Errors
    /// When the logits cannot be read.
    pub fn among(
        [logits, totals]: [&Tensor; 2],
        leaning: Option<&Tensor>,
        shifts: &[Shift],
    ) -> Result<Self> {
        let _no_grad = tch::no_grad_guard();
        let shifted = shifted(logits, leaning, shifts);
        let look = LIKELIEST.min(logits.size()[1]);
        let (values, places) = shifted.topk(look, 1, true, true);
        // the probability that counts is the network's own, whatever the rules made of it
        let plain = logits.gather(1, &places, false) - totals;
        Ok(Self {
            look: look as usize,
            values: rows_of(&values)?,
            tokens: ids_of(&places)?,
            plain: rows_of(&plain)?,
        })
    }

    /// One of its rows.
    pub fn row(&self, row: usize) -> LikeliestRow<'_> {
        let range = row * self.look..(row + 1) * self.look;
        LikeliestRow {
            values: &self.values[range.clone()],
            tokens: &self.tokens[range.clone()],
            plain: &self.plain[range],
        }
    }

    /// So many rows like its first.
    #[must_use]
    pub fn repeated(&self, rows: usize) -> Self {
        let one = self.row(0);
        Self {
            look: self.look,
            values: one.values.repeat(rows),
            tokens: one.tokens.repeat(rows),
            plain: one.plain.repeat(rows),
        }
    }

    /// Its rows `first` to `first + count`.
    #[must_use]
    pub fn some(&self, first: usize, count: usize) -> Self {
        let range = first * self.look..(first + count) * self.look;
        Self {
            look: self.look,
            values: self.values[range.clone()].to_vec(),
            tokens: self.tokens[range.clone()].to_vec(),
            plain: self.plain[range].to_vec(),
        }
    }
}

fn shifted(logits: &Tensor, leaning: Option<&Tensor>, shifts: &[Shift]) -> Tensor {
    let longest = shifts.iter().map(Vec::len).max().unwrap_or_default();
    let (mut ids, mut nats) = (Vec::new(), Vec::new());
    for shift in shifts {
        ids.extend(shift.iter().map(|&(token, _)| token as i64));
        nats.extend(shift.iter().map(|&(_, nats)| nats));
        // rows are as long as the longest: nothing is added to token 0
        ids.resize(ids.len() + longest - shift.len(), 0);
        nats.resize(ids.len(), 0.0);
    }
    let table = [shifts.len() as i64, longest as i64];
    let ids = Tensor::from_slice(&ids).view(table);
    let nats = Tensor::from_slice(&nats).view(table);
    let [ids, nats] = [ids, nats].map(|numbers| numbers.to_device(logits.device()));
    match leaning {
        Some(leaning) => (logits + leaning).scatter_add_(1, &ids, &nats),
        None => logits.scatter_add(1, &ids, &nats),
    }
}

/// What is added to all logits (1, V) of so many tokens for these; nothing where there are none.
pub fn leaning(towards: &[(usize, f32)], tokens: i64, device: Device) -> Option<Tensor> {
    let (places, nats): (Vec<i64>, Vec<f32>) = towards
        .iter()
        .map(|&(token, nats)| (token as i64, nats))
        .unzip();
    let [places, nats] = [Tensor::from_slice(&places), Tensor::from_slice(&nats)]
        .map(|numbers| numbers.unsqueeze(0).to_device(device));
    (!towards.is_empty()).then(|| {
        let none = Tensor::zeros([1, tokens], (Kind::Float, device));
        none.scatter_add(1, &places, &nats)
    })
}

/// How likely one of `ends` comes next, given logits (1, V).
pub fn share_of(ends: &[usize], next: &Tensor) -> f64 {
    let ends: Vec<i64> = ends.iter().map(|&end| end as i64).collect();
    let ends = Tensor::from_slice(&ends).to_device(next.device());
    let shares = next.get(0).softmax(0, Kind::Float);
    shares
        .index_select(0, &ends)
        .sum(Kind::Float)
        .double_value(&[])
}
