//! A course of training: the loop that every trainer runs, with reports, measurements, early stopping and checkpoints.
//!
//! A trainer gives the steps (one cost an update), `follow` does the rest. What must stay true: everything random is
//! drawn from the seed and the number of the update alone, so that a course that was interrupted at any moment and
//! resumed from its checkpoint ends with the same weights, bit for bit, as one that was not. libtorch has one random
//! generator for the whole process, so one course at a time.

use std::time::Instant;

use serde::Serialize;
use tch::Tensor;

use crate::adam::{Adam, AdamKind};
use crate::checkpoint::{Checkpoint, Keeper};
use crate::parameters::Parameters;
use crate::standing::Standing;
use models::{Error, Result, Weights};

/// What a running training tells its observer, once every few updates.
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

/// How the learning rate goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// A short warm-up, then half a cosine down to a twentieth.
    #[default]
    Cosine,
    /// The same all the time, as the original's.
    Constant,
}

/// What all trainers have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Course {
    /// Updates in all.
    pub updates: usize,
    /// Peak learning rate.
    pub rate: f64,
    /// How it goes.
    pub schedule: Schedule,
    /// Adam's bias correction.
    pub adam: AdamKind,
    /// Gradients are clipped to this global norm; 0: never.
    pub clip: f64,
    /// Updates between two reports.
    pub report_every: usize,
    /// Updates between two measurements.
    pub measure_every: usize,
    /// Stop after so many measurements without a better one and return the best weights; none: go on to the end.
    pub patience: Option<usize>,
    /// Seed of initial weights and order.
    pub seed: u64,
}

/// The cost of one update.
#[derive(Debug)]
pub struct Step {
    /// What is minimised.
    pub cost: Tensor,
    /// The summed loss is the cost times this.
    pub times: f64,
    /// How many words (or pairs) the loss is over.
    pub told: usize,
}

/// Who follows a course.
pub trait Observer {
    /// Learns where the course begins: at nothing, or where a checkpoint left it.
    fn begins(&mut self, _at: &Standing) {}
    /// Learns how it goes.
    fn report(&mut self, progress: &Progress, measured: Option<&Measured>);
    /// Measures on what is held out; none if nothing is.
    fn measure(&mut self, parameters: &Parameters) -> Option<Measured>;
    /// Whether to keep what there is and stop.
    fn stops(&self) -> bool {
        false
    }
}

/// Who looks after a course: where its checkpoints go, if anywhere, and who follows it.
pub struct Oversight<'a> {
    /// Where checkpoints go.
    pub keeper: Option<&'a Keeper>,
    /// Who follows.
    pub observer: &'a mut dyn Observer,
}

impl<'a> Oversight<'a> {
    /// The same for a course of a recipe: hands on a keeper that knows it.
    pub(crate) fn of(self, recipe: impl FnOnce() -> serde_json::Value) -> Overseen<'a> {
        Overseen {
            keeper: self.keeper.map(|keeper| keeper.of(recipe())),
            observer: self.observer,
        }
    }
}

/// A course of a known recipe, looked after.
pub(crate) struct Overseen<'a> {
    pub(crate) keeper: Option<Keeper>,
    pub(crate) observer: &'a mut dyn Observer,
}

/// What a measurement found.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The number to be made small.
    #[serde(skip)]
    pub value: f64,
    /// All numbers, for people.
    #[serde(flatten)]
    pub numbers: serde_json::Value,
}

/// A course being followed.
struct Run<'a> {
    course: &'a Course,
    parameters: Parameters,
    adam: Adam,
    standing: Standing,
    best: Option<Weights>,
}

/// Follows `course` from `parameters` (or from the checkpoint, if `keeper` has one) to the end; returns the parameters of
/// the last update, or with patience those of the best measurement.
///
/// # Errors
/// When a checkpoint cannot be read or written or is of another recipe, the observer stopped the course
/// ([`Error::Cancelled`], after a checkpoint), or it diverged ([`Error::Diverged`]: the last good checkpoint stays).
pub(crate) fn follow(
    course: &Course,
    parameters: Parameters,
    overseen: Overseen,
    step: &mut dyn FnMut(&Parameters, usize) -> Result<Step>,
) -> Result<Parameters> {
    let (keeper, observer) = (overseen.keeper.as_ref(), overseen.observer);
    let adam = Adam::new(&parameters, course.adam, course.clip);
    let mut run = Run {
        course,
        parameters,
        adam,
        standing: Standing::default(),
        best: None,
    };
    if let Some(checkpoint) = keeper.map(Keeper::load).transpose()?.flatten() {
        run.restore(checkpoint)?;
    }
    observer.begins(&run.standing);
    let (mut begun, mut before) = (Instant::now(), run.standing.told);
    while run.standing.update < course.updates && !run.is_patience_over() {
        run.update(step)?;
        let update = run.standing.update;
        let due = |every: usize| update.is_multiple_of(every.max(1));
        if due(course.report_every) || due(course.measure_every) || update == course.updates {
            run.report(observer, begun, before);
            (begun, before) = (Instant::now(), 0);
        }
        if let Some(keeper) = keeper {
            let stops = observer.stops();
            if stops || run.standing.update.is_multiple_of(keeper.every.max(1)) {
                run.check_parameters()?;
                keeper.save(&run.checkpoint())?;
            }
            if stops {
                return Err(Error::Cancelled);
            }
        }
    }
    if let (Some(best), Some(_)) = (&run.best, course.patience) {
        run.parameters.load(best)?;
    }
    run.check_parameters()?;
    Ok(run.parameters)
}

impl Run<'_> {
    /// One update; one whose cost or gradients are no numbers is not made.
    fn update(&mut self, step: &mut dyn FnMut(&Parameters, usize) -> Result<Step>) -> Result<()> {
        let update = self.standing.update;
        // dropout draws from libtorch's own generator
        tch::manual_seed(mixed(self.course.seed, update as u64 + 1));
        let given = step(&self.parameters, update)?;
        given.cost.backward();
        let rate = match self.course.schedule {
            Schedule::Cosine => cosine_rate(self.course.rate, update, self.course.updates),
            Schedule::Constant => self.course.rate,
        };
        let cost = given.cost.double_value(&[]);
        let norm = self.adam.clip(&self.parameters);
        if !(cost.is_finite() && norm.is_finite()) {
            return Err(self.diverged(&format!("costs {cost}, with gradients of the norm {norm}")));
        }
        self.adam.apply(&self.parameters, rate);
        self.standing.loss += cost * given.times;
        self.standing.told += given.told;
        self.standing.update += 1;
        Ok(())
    }

    /// Parameters that are no numbers must not take the place of a checkpoint or of weights that are.
    fn check_parameters(&self) -> Result<()> {
        if self.parameters.are_finite() {
            return Ok(());
        }
        Err(self.diverged("is reached with parameters that are no numbers"))
    }

    fn diverged(&self, what: &str) -> Error {
        Error::Diverged {
            update: self.standing.update,
            what: what.to_owned(),
        }
    }

    /// Reports, measures if it is time to, and starts to count anew.
    fn report(&mut self, observer: &mut dyn Observer, begun: Instant, before: usize) {
        let standing = &self.standing;
        let progress = Progress {
            update: standing.update,
            of: self.course.updates,
            loss: standing.loss / standing.told.max(1) as f64,
            rate: (standing.told - before) as f64 / begun.elapsed().as_secs_f64(),
        };
        let last = progress.update == progress.of;
        let due = progress
            .update
            .is_multiple_of(self.course.measure_every.max(1));
        let measured = if due || last {
            observer.measure(&self.parameters)
        } else {
            None
        };
        if let Some(measured) = &measured {
            self.weigh(measured.value);
        }
        observer.report(&progress, measured.as_ref());
        (self.standing.loss, self.standing.told) = (0.0, 0);
    }

    fn weigh(&mut self, value: f64) {
        // what is no number is never the best, and would keep every later one from being it
        if value.is_finite() && self.standing.best.is_none_or(|best| value < best) {
            self.standing.best = Some(value);
            self.standing.worse = 0;
            if self.course.patience.is_some() {
                self.best = Some(self.parameters.weights("the best so far", |_| true));
            }
        } else {
            self.standing.worse += 1;
        }
    }

    fn is_patience_over(&self) -> bool {
        let patience = self.course.patience;
        patience.is_some_and(|patience| self.standing.worse >= patience)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::new(
            self.standing.clone(),
            &self.parameters,
            &self.adam,
            self.best.as_ref(),
        )
    }

    fn restore(&mut self, checkpoint: Checkpoint) -> Result<()> {
        checkpoint.put_back(&mut self.parameters, &mut self.adam)?;
        self.best = checkpoint.best();
        self.standing = checkpoint.standing;
        Ok(())
    }
}

/// A seed for the `count`th draw of a course.
fn mixed(seed: u64, count: u64) -> i64 {
    // any odd constant spreads neighbouring counts apart; this one is 2^64 divided by the golden ratio
    (seed ^ count.wrapping_mul(0x9E37_79B9_7F4A_7C15)) as i64
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
