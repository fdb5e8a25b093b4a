//! What the engine of a batch may see and say while it is at work: signs of life, stages, finished stories, newcomers.
//! The engine's thread makes one a batch. What must stay true: it is asked and told on that thread only, and a story that was
//! told has no lease here any more.

use std::sync::Arc;
use std::time::Instant;

use jobs::{Said, Stage, StoryResult};
use operation::metrics::METRICS;

use super::{Event, Product, Teller};
use crate::engine::{Observer, Work};
use crate::leases::Leased;

/// Lets the engine see and write into the leases of its batch.
pub(super) struct Progress<'a> {
    /// None for those whose story is told.
    leases: Vec<Option<Arc<Leased>>>,
    /// Those that joined, after those that the batch began with.
    joined: Vec<Work>,
    is_open: bool,
    teller: &'a Teller,
    /// What the batch is at, and since when.
    stage: Option<(&'static str, Instant)>,
}

impl<'a> Progress<'a> {
    pub(super) fn of(teller: &'a Teller, leases: Vec<Arc<Leased>>, is_open: bool) -> Self {
        Self {
            leases: leases.into_iter().map(Some).collect(),
            joined: Vec::new(),
            is_open,
            teller,
            stage: None,
        }
    }

    /// Those that joined, and the leases of all that were not told.
    pub(super) fn end(mut self) -> (Vec<Work>, Vec<Option<Arc<Leased>>>) {
        let joined = std::mem::take(&mut self.joined);
        (joined, std::mem::take(&mut self.leases))
    }

    /// Whether it is one of those that the batch began with.
    fn was_there(&self, item: usize) -> bool {
        item < self.leases.len() - self.joined.len()
    }

    /// The engine has given a sign of life.
    fn lives(&self) {
        jobs::faults::step();
        self.teller.activity.set(Some(Instant::now()));
    }

    /// The stories that a batch began with go through the stages together: a new name is the end of the one before.
    fn time(&mut self, next: &'static str) {
        if self.stage.is_some_and(|(stage, _)| stage == next) {
            return;
        }
        self.note();
        self.stage = Some((next, Instant::now()));
    }

    fn note(&mut self) {
        if let Some((stage, since)) = self.stage.take() {
            METRICS
                .stage_seconds
                .with_label_values(&[stage])
                .observe(since.elapsed().as_secs_f64());
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.note();
    }
}

impl Observer for Progress<'_> {
    fn stage(&mut self, item: usize, stage: &'static str, done: usize, of: usize) {
        self.lives();
        if self.was_there(item) {
            self.time(stage);
        }
        let count = |steps: usize| u32::try_from(steps).unwrap_or(u32::MAX);
        if let Some(leased) = &self.leases[item] {
            leased.set_stage(Stage {
                name: stage.to_owned(),
                done: count(done),
                of: count(of),
            });
        }
    }

    fn say(&mut self, item: usize, said: Said) {
        self.lives();
        if let Some(leased) = &self.leases[item] {
            leased.say(said);
        }
    }

    fn told(&mut self, item: usize, result: StoryResult) {
        self.lives();
        if let Some(leased) = self.leases[item].take() {
            let result = Ok(Product::Story(result));
            self.teller.say(Event::Finished { leased, result });
        }
    }

    fn cancelled(&mut self, item: usize) -> bool {
        self.lives();
        self.leases[item]
            .as_ref()
            .is_none_or(|leased| leased.is_lost())
    }

    fn newcomer(&mut self, fits: &dyn Fn(&Work) -> bool) -> Option<Work> {
        if !self.is_open {
            return None;
        }
        let (work, leased) = self.teller.newcomer(fits)?;
        self.leases.push(Some(leased));
        self.joined.push(work.clone());
        Some(work)
    }
}
