//! Stories written in step on a graphics card: whoever needs a next token waits for the others, and one pass gives all of them.
//!
//! One thread owns the table of keys and values and answers; each story has a thread and a [`Seat`] of its own, draws and
//! chooses there. What must stay true: every product has one shape, however many seats are taken, so that a story is the
//! same alone and in any company.

use super::{Seat, Unit, Writer};
use crate::decoding::drawing::{Likeliest, Next, Shift, leaning, share_of};
use crate::error::{Error, Result};
use crate::networks::llama::{Cache, Feed, Slots};
use crate::tensors::device::shared::Shared;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use tch::{Kind, Tensor};

/// Rows of a seat: the most branches that a sentence or a line has.
pub(super) const ROWS: usize = 12;
/// Tokens of a row, its prompt included; a longer story is written without a seat.
const ROOM: usize = 512;
/// Who asked for a token in the last pass is waited for so long.
const PATIENCE: Duration = Duration::from_millis(1);

/// What a seat asks.
pub(super) enum Ask {
    /// A story begins behind `text`.
    Begin(Opening),
    /// Tokens are added to rows, which are shifted before the likeliest next ones are looked for.
    Step(Vec<Feed>, Vec<Shift>),
    /// A sentence stands: what its row holds from the first token up to the second goes to all rows of the seat, and then its
    /// last token, after which the next one is asked for.
    Follow {
        row: usize,
        held: [usize; 2],
        last: Feed,
        shift: Shift,
    },
}

/// A story that begins.
pub(super) struct Opening {
    pub(super) text: Cache,
    /// The hidden state (1, width) after it.
    pub(super) last: Tensor,
    pub(super) leaning: Vec<(usize, f32)>,
    pub(super) unit: Unit,
    pub(super) shift: Shift,
}

/// What a seat hears.
pub(super) enum Answer {
    Next(Next),
    Rows(Likeliest),
}

/// The thread that owns the table.
pub struct Together<'a> {
    writer: Shared<'a, Writer>,
    slots: Slots,
    /// For each seat, what is added to all logits of its story (seats, V).
    leanings: Tensor,
    units: Vec<Unit>,
    questions: Receiver<(usize, Ask)>,
    answers: Vec<Sender<Result<Answer>>>,
}

impl Writer {
    /// A table of so many seats, and the seats.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn together(&self, seats: usize) -> Result<(Together<'_>, Vec<Seat<'_>>)> {
        let slots = self.llama.slots(seats * ROWS, ROOM)?;
        let shape = [seats as i64, self.allowed.ids.len() as i64];
        let leanings = Tensor::f_zeros(shape, (Kind::Float, self.device()))?;
        let (ask, questions) = channel();
        let (mut answers, mut taken) = (Vec::new(), Vec::new());
        for number in 0..seats {
            let (answer, heard) = channel();
            answers.push(answer);
            taken.push(Seat::new(Shared::lend(self), number, (ask.clone(), heard)));
        }
        let together = Together {
            writer: Shared::lend(self),
            units: vec![Unit::Sentence; seats],
            slots,
            leanings,
            questions,
            answers,
        };
        Ok((together, taken))
    }

    /// Whether a story of so many tokens, its prompt included, fits a seat.
    pub(super) fn fits_a_seat(tokens: usize) -> bool {
        tokens < ROOM
    }

    /// Whether stories are best written together: on a graphics card.
    pub fn writes_together(&self) -> bool {
        self.device().is_cuda()
    }
}

/// Whose token came of a pass, and what it is for.
struct Wanted {
    seat: usize,
    rows: Vec<i64>,
    shifts: Vec<Shift>,
    /// Whether a sentence has ended before it.
    follows: bool,
}

impl Together<'_> {
    /// Answers until every seat is gone.
    pub fn serve(mut self) {
        let _no_grad = tch::no_grad_guard();
        let mut before = 1;
        while let Some(asked) = self.asked(before) {
            let mut feeds = Vec::new();
            let mut wanted = Vec::new();
            for (seat, ask) in asked {
                match ask {
                    Ask::Begin(opening) => self.begin(seat, opening),
                    Ask::Step(own, shifts) => {
                        let rows = own.iter().map(|feed| feed.row as i64).collect();
                        feeds.extend(own);
                        wanted.push(Wanted {
                            seat,
                            rows,
                            shifts,
                            follows: false,
                        });
                    }
                    Ask::Follow {
                        row,
                        held,
                        last,
                        shift,
                    } => {
                        let first = seat * ROWS;
                        self.slots.share(row, held, [first, ROWS]);
                        feeds.extend((first..first + ROWS).map(|row| Feed { row, ..last }));
                        let (rows, shifts) = (vec![last.row as i64], vec![shift]);
                        wanted.push(Wanted {
                            seat,
                            rows,
                            shifts,
                            follows: true,
                        });
                    }
                }
            }
            if !feeds.is_empty() {
                before = wanted.len();
                self.step(&feeds, wanted);
            }
        }
    }

    /// What is asked now; who took part in the pass before is waited for, but not for long.
    fn asked(&self, before: usize) -> Option<Vec<(usize, Ask)>> {
        let mut asked = vec![self.questions.recv().ok()?];
        let until = Instant::now() + PATIENCE;
        loop {
            asked.extend(self.questions.try_iter());
            let steps = asked
                .iter()
                .filter(|(_, ask)| !matches!(ask, Ask::Begin(_)));
            let left = until.saturating_duration_since(Instant::now());
            if steps.count() >= before || left.is_zero() {
                return Some(asked);
            }
            match self.questions.recv_timeout(left) {
                Ok(next) => asked.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Some(asked);
                }
            }
        }
    }

    fn begin(&mut self, seat: usize, opening: Opening) {
        self.units[seat] = opening.unit;
        self.slots.put(&opening.text, seat * ROWS, ROWS);
        let mut own = self.leanings.get(seat as i64);
        let _ = own.fill_(0.0);
        let leaning = leaning(&opening.leaning, own.size()[0], own.device());
        if let Some(leaning) = leaning {
            own.copy_(&leaning.squeeze_dim(0));
        }
        let logits = self.logits(&opening.last, opening.unit);
        let next = self.next(seat, [&logits, &totals(&logits)], &[opening.shift]);
        self.answer(seat, next.map(Answer::Next));
    }

    fn step(&self, feeds: &[Feed], wanted: Vec<Wanted>) {
        let hidden = self.writer.get().llama.step_slots(feeds, &self.slots);
        for unit in [Unit::Sentence, Unit::Line] {
            let own: Vec<&Wanted> = wanted
                .iter()
                .filter(|wanted| self.units[wanted.seat] == unit)
                .collect();
            if !own.is_empty() {
                self.tell(&own, &self.logits(&hidden, unit));
            }
        }
    }

    /// Answers those whose rows of `logits` (rows, V) are wanted.
    fn tell(&self, wanted: &[&Wanted], logits: &Tensor) {
        // summed up before rows are picked: how a sum is split among threads follows from how many there are
        let totals = totals(logits);
        let (following, going_on): (Vec<&Wanted>, Vec<&Wanted>) =
            wanted.iter().partition(|wanted| wanted.follows);
        for one in following {
            let [own, total] = [logits, &totals].map(|all| all.narrow(0, one.rows[0], 1));
            let next = self.next(one.seat, [&own, &total], &one.shifts);
            self.answer(one.seat, next.map(Answer::Next));
        }
        let rows: Vec<i64> = going_on.iter().flat_map(|one| one.rows.clone()).collect();
        let seats = going_on
            .iter()
            .flat_map(|one| vec![one.seat as i64; one.rows.len()]);
        let [rows, seats] = [rows, seats.collect()]
            .map(|numbers: Vec<i64>| Tensor::from_slice(&numbers).to_device(logits.device()));
        if rows.size()[0] == 0 {
            return;
        }
        let [own, totals] = [logits, &totals].map(|all| all.index_select(0, &rows));
        let leaning = self
            .leanings
            .index_select(0, &seats)
            .narrow(1, 0, own.size()[1]);
        let shifts: Vec<Shift> = going_on.iter().flat_map(|one| one.shifts.clone()).collect();
        let found = Likeliest::among([&own, &totals], Some(&leaning), &shifts);
        let mut first = 0;
        for one in going_on {
            let own = match &found {
                Ok(found) => Ok(Answer::Rows(found.some(first, one.rows.len()))),
                Err(error) => Err(Error::format("the language model", error.to_string())),
            };
            first += one.rows.len();
            self.answer(one.seat, own);
        }
    }

    /// What comes after the text of a seat, given logits (1, V) and their total.
    fn next(&self, seat: usize, given: [&Tensor; 2], shifts: &[Shift]) -> Result<Next> {
        let [logits, _] = given;
        let leaning = self
            .leanings
            .narrow(0, seat as i64, 1)
            .narrow(1, 0, logits.size()[1]);
        Ok(Next {
            end: share_of(&self.writer.get().allowed.ends, logits),
            likeliest: Likeliest::among(given, Some(&leaning), shifts)?,
        })
    }

    fn logits(&self, hidden: &Tensor, unit: Unit) -> Tensor {
        self.writer.get().logits(hidden, unit)
    }

    fn answer(&self, seat: usize, answer: Result<Answer>) {
        // a story that was dropped waits for nothing
        let _ = self.answers[seat].send(answer);
    }
}

fn totals(logits: &Tensor) -> Tensor {
    logits.logsumexp([1i64].as_slice(), true)
}
