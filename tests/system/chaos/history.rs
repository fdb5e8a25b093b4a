//! What befell whom and when: lives, pauses and hangs of the programs, outages of the servers.
//! The promises are held against it. What must stay true: it excuses nobody without a reason that is written down here, and
//! each time comes from one clock.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::Attempt;
use serde_json::Value;

use super::cast::{Cast, Role};
use super::trouble::Troubles;

/// From, until.
pub(super) type Span = (DateTime<Utc>, DateTime<Utc>);

/// How long a lease goes on without a beat, and what a beat and a sweep may take to come.
const LEASE: TimeDelta = TimeDelta::seconds(5);
/// Before a worker that was told to stop ends, it gives back what it has: so long at most.
const STOPPING: TimeDelta = TimeDelta::seconds(12);

/// One life of a worker.
#[derive(Clone, Debug)]
struct Life {
    worker: String,
    died: Option<DateTime<Utc>>,
    /// It ended as it should, on request.
    in_order: bool,
    /// When its engine stood still for good.
    hung: Option<DateTime<Utc>>,
    /// How long it waited for a processor before it said so: such seconds do not count.
    waited: TimeDelta,
    /// From its first claim on it surely sweeps too.
    at_work: Option<DateTime<Utc>>,
}

/// Everything that befell the workers and the servers.
pub(super) struct History {
    lives: BTreeMap<String, Life>,
    pauses: Vec<(String, Span)>,
    outages: Vec<Span>,
}

/// Why a job was lost with its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Died(DateTime<Utc>),
    /// At this time; and how long the worker was kept from noticing by a machine that had no processor for it.
    Hung(DateTime<Utc>, TimeDelta),
    /// It was stopped for so long that it counted as dead.
    Paused,
}

impl History {
    pub(super) fn of(cast: &Cast, troubles: &Troubles) -> History {
        let mut lives = BTreeMap::new();
        for player in cast.of(Role::Worker) {
            let log = cast.log(&player);
            let (hangs, noticed) = (hangs(&log), noticed(&log));
            for life in player.lives() {
                let until = life.death.as_ref().map(|death| death.at);
                let in_its_time = |at: &&DateTime<Utc>| {
                    **at >= life.born && until.is_none_or(|until| **at <= until)
                };
                let seen = Life {
                    worker: player.name.clone(),
                    died: until,
                    in_order: life.death.is_some_and(|death| death.in_order),
                    hung: hangs.iter().find(in_its_time).copied(),
                    waited: noticed
                        .iter()
                        .find(|(at, _)| in_its_time(&at))
                        .map_or(TimeDelta::zero(), |&(_, waited)| waited),
                    at_work: None,
                };
                lives.insert(life.name, seen);
            }
        }
        History {
            lives,
            pauses: troubles.pauses.clone(),
            outages: troubles.outages.clone(),
        }
    }

    /// Who claims is at work.
    pub(super) fn saw(&mut self, attempts: &[Attempt]) {
        for attempt in attempts {
            if let Some(life) = self.lives.get_mut(&attempt.worker) {
                let first = life.at_work.unwrap_or(attempt.started_at);
                life.at_work = Some(first.min(attempt.started_at));
            }
        }
    }

    /// Why this attempt was lost; none if its worker lived and could be heard, so that it should not have been.
    pub(super) fn cause(&self, attempt: &Attempt) -> Option<Cause> {
        let life = self.lives.get(&attempt.worker)?;
        let ended = attempt.ended_at?;
        let before = |at: &DateTime<Utc>| *at <= ended;
        if let Some(hung) = life.hung.filter(before) {
            return Some(Cause::Hung(hung, life.waited));
        }
        if let Some(died) = life.died.filter(before) {
            // who stops in order gives everything back, if anybody can hear it
            let excused = !life.in_order || self.is_outage((died - STOPPING, died));
            return excused.then_some(Cause::Died(died));
        }
        let paused = self.pauses.iter().any(|(worker, pause)| {
            *worker == life.worker && overlap(*pause, (attempt.started_at, ended))
        });
        paused.then_some(Cause::Paused)
    }

    /// Whether a server or a way to it was out of order at any time of this, or shortly before.
    pub(super) fn is_outage(&self, (from, until): Span) -> bool {
        let span = (from - LEASE, until);
        self.outages.iter().any(|outage| overlap(*outage, span))
    }

    /// Whether another worker was well all this time: somebody has to notice that one is gone.
    pub(super) fn somebody_was_well(&self, (from, until): Span) -> bool {
        self.lives.values().any(|life| {
            life.at_work.is_some_and(|at| at <= from)
                && life.died.is_none_or(|died| died > until)
                && !self.pauses.iter().any(|(worker, pause)| {
                    *worker == life.worker && overlap(*pause, (from - LEASE, until))
                })
        })
    }

    /// How many hung.
    pub(super) fn hangs(&self) -> usize {
        self.lives
            .values()
            .filter(|life| life.hung.is_some())
            .count()
    }
}

fn overlap(one: Span, other: Span) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

/// When engines said that they stand still from now on.
fn hangs(log: &str) -> Vec<DateTime<Utc>> {
    let said = said(log, "hanging here");
    said.into_iter().map(|(at, _)| at).collect()
}

/// When workers noticed that, and how long they had waited for a processor until then.
fn noticed(log: &str) -> Vec<(DateTime<Utc>, TimeDelta)> {
    let said = said(log, "the engine hangs; its jobs are left to others").into_iter();
    let waited = said.map(|(at, line)| {
        let seconds = line["fields"]["waited"].as_f64();
        let seconds = seconds.expect("a worker says how long it waited");
        (at, TimeDelta::milliseconds((seconds * 1e3) as i64))
    });
    waited.collect()
}

/// The lines of a log that say this, and when.
fn said(log: &str, what: &str) -> Vec<(DateTime<Utc>, Value)> {
    let lines = log.lines().filter(|line| line.contains(what));
    let lines = lines.filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let at = line["timestamp"].as_str()?.parse().ok()?;
        Some((at, line))
    });
    lines.collect()
}
