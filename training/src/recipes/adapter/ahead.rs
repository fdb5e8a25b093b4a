//! What the next updates learn from, drawn while this one is computed: a graphics card would wait for it otherwise.
//!
//! What must stay true: what an update learns from follows from the seed and its number alone, whoever draws it.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

use models::pipeline::writer::told::Told;
use models::tensors::device::shared::Shared;
use models::{Error, Result};

use super::lessons::Lessons;
use crate::order::{Grouping, Rounds, luck};

/// Who draws: each thread every so manieth update.
const THREADS: usize = 3;
/// Updates that a thread may be ahead.
const AHEAD: usize = 2;

/// What one update learns from: passages, and what each is written from.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) places: Vec<usize>,
    pub(super) told: Vec<Told>,
}

/// Draws batches in the order of updates.
pub(super) struct Ahead<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    lessons: Shared<'env, Lessons<'env>>,
    size: usize,
    seed: u64,
    /// The next update, and what each thread has drawn.
    drawn: Option<(usize, Vec<Receiver<Result<Batch>>>)>,
}

impl<'scope, 'env> Ahead<'scope, 'env> {
    /// Batches of `size` passages; nothing is drawn before the first is asked for.
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        lessons: &'env Lessons<'env>,
        (size, seed): (usize, u64),
    ) -> Self {
        Self {
            scope,
            lessons: Shared::lend(lessons),
            size,
            seed,
            drawn: None,
        }
    }

    /// The batch of an update; updates follow each other, from whichever is asked for first.
    ///
    /// # Errors
    /// When a passage of it cannot be asked for.
    pub(super) fn next(&mut self, update: usize) -> Result<Batch> {
        if self.drawn.as_ref().is_none_or(|(next, _)| *next != update) {
            let threads = (0..THREADS).map(|nth| self.draw_from(update + nth));
            self.drawn = Some((update, threads.collect()));
        }
        let gone = || Error::format("the books", "the thread that draws from them has ended");
        let (next, threads) = self.drawn.as_mut().ok_or_else(gone)?;
        *next = update + 1;
        // the first thread has this one: it gets to the end of the line
        threads.rotate_left(1);
        let drawn = threads.last().and_then(|thread| thread.recv().ok());
        drawn.ok_or_else(gone)?
    }

    /// A thread for an update and every [`THREADS`]th one after it, until nobody wants them.
    fn draw_from(&self, first: usize) -> Receiver<Result<Batch>> {
        let (give, receiver) = sync_channel(AHEAD);
        let (lessons, size, seed) = (self.lessons, self.size, self.seed);
        self.scope.spawn(move || {
            let lessons = lessons.get();
            let mut rounds = rounds(lessons, size, seed);
            for update in (first..).step_by(THREADS) {
                let batch = draw(lessons, rounds.batch(update), update, seed);
                if give.send(batch).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

/// Batches of passages alike in length.
pub(super) fn rounds(lessons: &Lessons, size: usize, seed: u64) -> Rounds {
    let lengths = (0..lessons.len()).map(|place| lessons.tokens(place).len());
    Rounds::new(lengths.collect(), Grouping::Similar, size, seed)
}

fn draw(lessons: &Lessons, places: &[usize], update: usize, seed: u64) -> Result<Batch> {
    let mut random = luck(seed, update as u64);
    let told = places
        .iter()
        .map(|&place| lessons.draw(place, &mut random))
        .collect::<Result<_>>()?;
    Ok(Batch {
        places: places.to_vec(),
        told,
    })
}
