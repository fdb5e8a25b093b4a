//! A request among those told together, with what was seen of its picture.
//! Whoever thinks, asks, writes or explains starts from it. What must stay true: it knows nothing of its neighbours.

use crate::bundle::styles::Mix;
use crate::pipeline::options::Options;
use crate::pipeline::seeing::{Found, Look};

/// Captions whose mean is the thought; more of them blur it: the mean of a hundred, drawn towards the picture, lies nearer to
/// what people wrote, and its stories lie farther away.
pub(super) const CAPTIONS_OF_A_THOUGHT: usize = 5;

/// A request on its way.
pub(super) struct Item {
    pub(super) place: usize,
    pub(super) options: Options,
    pub(super) mix: Mix,
    pub(super) look: Look,
    pub(super) found: Vec<Found>,
}

impl Item {
    /// A seed that the picture decides, and `from` another number.
    pub(super) fn seed(&self, from: u64) -> u64 {
        let told = self.found.iter().take(CAPTIONS_OF_A_THOUGHT);
        told.fold(from, |seed, found| {
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(found.row as u64)
        })
    }
}
