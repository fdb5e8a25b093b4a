//! Training: the losses, the optimiser and the loops that make the weights of a bundle.
//!
//! `storyteller train` calls the `run` functions of the submodules. What must stay true: arrays keep the names and
//! the (in, out) layout of the originals, so that what is trained here loads wherever an original loads, and
//! a run repeats exactly for the same data, settings and seed.

pub mod adam;
pub mod bundle;
pub mod checkpoint;
pub mod course;
pub mod decoder;
pub mod expansion;
pub mod measure;
pub mod order;
pub mod original;
pub mod parameters;
pub mod skip_thoughts;
pub mod styles;
pub mod thoughts;
pub mod vse;

pub use adam::{Adam, AdamKind};
pub use checkpoint::Keeper;
pub use course::{Course, Measured, Schedule, Standing, Watcher};
pub use order::Grouping;
pub use parameters::Parameters;

/// What a running training tells its watcher, once every few updates.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Progress {
    /// Updates done.
    pub update: usize,
    /// Updates in all.
    pub of: usize,
    /// Mean loss per target word (or per pair) since the last report.
    pub loss: f64,
    /// Target words (or pairs) a second since the last report.
    pub rate: f64,
}

/// The learning rate of an update: a short linear warm-up, then half a cosine down to a twentieth.
pub(crate) fn cosine_rate(peak: f64, update: usize, of: usize) -> f64 {
    // long enough that Adam's second moments mean something
    let warm_up = 100.min(of / 10 + 1);
    if update < warm_up {
        return peak * (update + 1) as f64 / warm_up as f64;
    }
    let through = (update - warm_up) as f64 / (of - warm_up).max(1) as f64;
    peak * (0.05 + 0.95 * 0.5 * (1.0 + (std::f64::consts::PI * through).cos()))
}
