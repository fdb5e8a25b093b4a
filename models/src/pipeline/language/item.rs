//! A request among those told together, with what was seen of its picture.
//! Whoever thinks, asks, writes or explains starts from it. What must stay true: it knows nothing of its neighbours.

use crate::bundle::styles::Mix;
use crate::pipeline::options::Options;
use crate::pipeline::seeing::{Found, Look};

/// A request on its way.
pub(super) struct Item {
    pub(super) place: usize,
    pub(super) options: Options,
    pub(super) mix: Mix,
    pub(super) look: Look,
    pub(super) found: Vec<Found>,
}
