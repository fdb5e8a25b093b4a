//! A story's place among those that are written together: what it needs of the language model it asks for here.
//!
//! What must stay true: a row of the table holds what its branch has read, and positions are counted here.

use super::together::{Answer, Ask, Opening, ROWS};
use super::{Prompt, Reader, Unit, Writer, Written};
use crate::decoding::drawing::{DrawingRules, Likeliest, Next, NextToken, Shift};
use crate::error::{Error, Result};
use crate::networks::llama::Feed;
use crate::tensors::device::shared::Shared;
use std::sync::mpsc::{Receiver, Sender};
use tch::Tensor;

/// A place for one story at a time.
pub struct Seat<'a> {
    writer: Shared<'a, Writer>,
    number: usize,
    ask: Sender<(usize, Ask)>,
    answers: Receiver<Result<Answer>>,
}

impl<'a> Seat<'a> {
    pub(super) fn new(
        writer: Shared<'a, Writer>,
        number: usize,
        (ask, answers): (Sender<(usize, Ask)>, Receiver<Result<Answer>>),
    ) -> Self {
        Self {
            writer,
            number,
            ask,
            answers,
        }
    }

    /// As [`Writer::write`], in step with the stories of the other seats; one that is too long for them goes alone.
    ///
    /// # Errors
    /// See there.
    pub fn write(
        &self,
        prompt: &Prompt,
        rules: &DrawingRules,
        reader: &mut dyn Reader,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Written>> {
        let writer = self.writer.get();
        let prefix = writer.prefix(prompt)?;
        let tokens = prefix.size()[1] as usize + rules.at_most + rules.sentence;
        if !Writer::fits_a_seat(tokens) || rules.branches > ROWS {
            return writer.write(prompt, rules, reader, go_on);
        }
        let mut place = Place {
            seat: self,
            prefix,
            leaning: rules.leaning.clone(),
            unit: reader.unit(),
            standing: 0,
            rows: Vec::new(),
            open: Vec::new(),
        };
        writer.draw(&mut place, rules, reader, go_on)
    }

    fn asked(&self, ask: Ask) -> Result<Answer> {
        let gone = || {
            let reason =
                "the thread that computes for all stories has ended: see its message above";
            Error::format("the language model", reason)
        };
        self.ask.send((self.number, ask)).map_err(|_| gone())?;
        self.answers.recv().map_err(|_| gone())?
    }

    fn next(&self, ask: Ask) -> Result<Next> {
        match self.asked(ask)? {
            Answer::Next(next) => Ok(next),
            Answer::Rows(_) => unreachable!("a story that begins or follows gets one row"),
        }
    }
}

/// One story in its seat.
struct Place<'a> {
    seat: &'a Seat<'a>,
    prefix: Tensor,
    leaning: Vec<(usize, f32)>,
    unit: Unit,
    /// How many tokens the text has, and all rows hold.
    standing: usize,
    /// What each branch has read beyond it.
    rows: Vec<Vec<i64>>,
    /// Which of them go on.
    open: Vec<usize>,
}

impl Place<'_> {
    fn writer(&self) -> &Writer {
        self.seat.writer.get()
    }

    fn row(&self, branch: usize) -> usize {
        self.seat.number * ROWS + branch
    }
}

impl NextToken for Place<'_> {
    fn begin(&mut self, shift: Shift) -> Result<Next> {
        let llama = &self.writer().llama;
        let mut text = llama.cache(1, self.prefix.size()[1]);
        let last = llama.extend(&self.prefix, &mut text).select(1, -1);
        self.standing = text.length() as usize;
        let opening = Opening {
            text,
            last,
            leaning: std::mem::take(&mut self.leaning),
            unit: self.unit,
            shift,
        };
        self.seat.next(Ask::Begin(opening))
    }

    fn follow(&mut self, branch: usize, tokens: &[usize], shift: Shift) -> Result<Next> {
        let ids = self.writer().ids_of(tokens);
        let read = self.rows[branch].iter().zip(&ids);
        // the last token is read again: nobody kept what came of it
        let known = read.take_while(|(a, b)| a == b).count().min(ids.len() - 1);
        let row = self.row(branch);
        let mut held = [self.standing, self.standing + known];
        // of a sentence that was changed after it was drawn, more than the last token may be new
        for &id in &ids[known..ids.len() - 1] {
            let feed = Feed {
                row,
                id,
                at: held[1],
            };
            self.seat.asked(Ask::Step(vec![feed], vec![Shift::new()]))?;
            held[1] += 1;
        }
        self.standing += ids.len();
        let last = Feed {
            row: self.row(0),
            id: ids[ids.len() - 1],
            at: held[1],
        };
        self.rows.clear();
        self.seat.next(Ask::Follow {
            row,
            held,
            last,
            shift,
        })
    }

    fn branch(&mut self, branches: usize) {
        self.rows = vec![Vec::new(); branches];
        self.open = (0..branches).collect();
    }

    fn after(&mut self, tokens: &[usize], shifts: Vec<Shift>) -> Result<Likeliest> {
        let ids = self.writer().ids_of(tokens);
        let mut feeds = Vec::with_capacity(ids.len());
        for (&branch, id) in self.open.iter().zip(ids) {
            let at = self.standing + self.rows[branch].len();
            feeds.push(Feed {
                row: self.row(branch),
                id,
                at,
            });
            self.rows[branch].push(id);
        }
        match self.seat.asked(Ask::Step(feeds, shifts))? {
            Answer::Rows(rows) => Ok(rows),
            Answer::Next(_) => unreachable!("a step gives rows"),
        }
    }

    fn retain(&mut self, branches: &[i64]) {
        self.open = branches
            .iter()
            .map(|&branch| self.open[branch as usize])
            .collect();
    }
}
