//! What is known of a gallery's captions before any picture is seen: read once, asked for every picture.
//!
//! A product in the joint space is linear in the sentence vector but for one length, so nothing larger than the sentence
//! vectors themselves is kept.

mod kept;

use super::Seeing;
use super::mentions::Mentions;
use crate::error::{Error, Result};
use crate::networks::joint::lengths;
use tch::Tensor;

/// How many rows are mapped at once: a block of the joint space is 8 MiB.
const BLOCK: i64 = 4096;

/// The captions of a gallery as the score wants them.
#[derive(Debug)]
pub struct Readings {
    /// Unit sentence vectors (N, T).
    pub(super) vectors: Tensor,
    /// For each joint space, the length (N) of each caption there before it is made 1.
    pub(super) joint_lengths: Vec<Tensor>,
    /// The length (N) of each sentence vector less the mean.
    pub(super) centred_lengths: Tensor,
    /// Nearness to whatever picture (N).
    pub(super) hub: Vec<f32>,
    /// The classes that each caption names.
    pub(super) named: Named,
}

/// The classes that captions name, one list after another.
#[derive(Debug, Default)]
pub struct Named {
    starts: Vec<u32>,
    classes: Vec<u8>,
}

impl Readings {
    /// Reads captions with their unit sentence vectors (N, T). Hubs are told by the pictures that each joint space has
    /// beside it: a hub is near to even its nearest `neighbours` of them.
    ///
    /// # Errors
    /// When there are not as many captions as vectors.
    pub(super) fn read(seeing: &Seeing, captions: &[String], vectors: Tensor) -> Result<Self> {
        if vectors.size()[0] != captions.len() as i64 {
            let reason = format!(
                "{} captions with {} vectors",
                captions.len(),
                vectors.size()[0]
            );
            return Err(Error::format("caption gallery", reason));
        }
        let (mut joint_lengths, mut hubs) = (Vec::new(), Vec::new());
        for (joint, bank) in &seeing.joints {
            let found = blocks(&vectors, |block| {
                let (units, lengths) = joint.text_with_lengths(block);
                let (nearest, _) =
                    units
                        .matmul(&bank.tr())
                        .topk(seeing.recipe.neighbours, 1, true, false);
                Tensor::stack(
                    &[lengths, nearest.mean_dim(1i64, false, tch::Kind::Float)],
                    0,
                )
            });
            joint_lengths.push(found.get(0));
            hubs.push(found.get(1));
        }
        let hub = Tensor::stack(&hubs, 0).mean_dim(0i64, false, tch::Kind::Float);
        let mean = seeing.joints[0].0.text_mean();
        let centred_lengths =
            blocks(&vectors, |block| lengths(&(block - mean)).unsqueeze(0)).squeeze_dim(0);
        Ok(Self {
            vectors,
            joint_lengths,
            centred_lengths,
            hub: Vec::try_from(hub)?,
            named: Named::of(captions, &seeing.mentions),
        })
    }

    /// How many captions there are.
    pub fn len(&self) -> usize {
        self.hub.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hub.is_empty()
    }
}

impl Named {
    fn of(captions: &[String], mentions: &Mentions) -> Self {
        let mut named = Self::default();
        named.starts.push(0);
        for caption in captions {
            // the detector has 80 classes
            named
                .classes
                .extend(mentions.of(caption).into_iter().map(|class| class as u8));
            named.starts.push(named.classes.len() as u32);
        }
        named
    }

    /// The classes of one caption.
    pub fn classes(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let (start, end) = (self.starts[row] as usize, self.starts[row + 1] as usize);
        self.classes[start..end].iter().map(|&class| class as usize)
    }

    /// The sum over each caption's classes.
    pub(super) fn sums(&self, values: &[f32]) -> Vec<f32> {
        let rows = 0..self.starts.len() - 1;
        rows.map(|row| self.classes(row).map(|class| values[class]).sum())
            .collect()
    }
}

/// Columns (k, N) from a function of blocks of rows (n, T) to (k, n).
fn blocks(rows: &Tensor, each: impl Fn(&Tensor) -> Tensor) -> Tensor {
    let count = rows.size()[0];
    let firsts = (0..count).step_by(BLOCK as usize);
    let found: Vec<Tensor> = firsts
        .map(|first| each(&rows.narrow(0, first, BLOCK.min(count - first))))
        .collect();
    Tensor::cat(&found, 1)
}
