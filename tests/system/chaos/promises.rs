//! What is promised about jobs and their workers, held against the log of attempts: nobody is charged for what he did not
//! do, a dead worker's jobs are given on within 5 s and a hung one's within 30 s, of which those do not count in which the
//! machine had no processor for it.
//! The ledger prints it. What must stay true: every broken promise is named with its job, and what is left out of a time is
//! shown apart.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use jobs::Attempt;
use serde_json::Value;
use uuid::Uuid;

use super::history::{Cause, History};

const DEAD_WITHIN: f64 = 5.0;
const HUNG_WITHIN: f64 = 30.0;
/// Attempts that a job has.
const MOST: usize = 3;

/// How the promises were kept.
#[derive(Default)]
pub(super) struct Promises {
    /// What was charged to somebody who had no part in it, or failed though it should not have.
    pub(super) innocent: Vec<String>,
    /// What came back too late.
    pub(super) late: Vec<String>,
    /// Stories told by each worker, all its lives together.
    shares: BTreeMap<String, usize>,
    /// Attempts by how they ended.
    tries: BTreeMap<String, usize>,
    given_on: Times,
    given_on_hung: Times,
    /// While a server was away, or nobody was there to notice.
    excused: Times,
    claimed_again: Times,
}

/// Seconds.
#[derive(Default)]
struct Times(Vec<f64>);

impl Promises {
    /// Enters one job: as the API shows it, and every attempt at it.
    pub(super) fn enter(&mut self, id: Uuid, job: &Value, attempts: &[Attempt], history: &History) {
        let mut lost = 0;
        for (number, attempt) in attempts.iter().enumerate() {
            let outcome = attempt.outcome.as_deref().unwrap_or("open");
            *self.tries.entry(outcome.to_owned()).or_default() += 1;
            match outcome {
                "succeeded" => {
                    // a life is called after its worker and its number
                    let (worker, _) = attempt.worker.rsplit_once('.').unwrap_or_default();
                    *self.shares.entry(worker.to_owned()).or_default() += 1;
                }
                "returned" | "cancelled" => {}
                // a job that runs when patience ends is in another line: lost
                "open" if job["state"] == "running" => {}
                "lost" => {
                    lost += 1;
                    let next = attempts.get(number + 1).map(|next| next.started_at);
                    self.enter_lost(id, attempt, next, history);
                }
                // every picture here can be told, and no outage is anybody's fault
                _ => self.innocent.push(format!(
                    "{id}: an attempt ended as {outcome}: {:?}",
                    attempt.error
                )),
            }
        }
        self.enter_charges(id, job, lost);
    }

    fn enter_lost(
        &mut self,
        id: Uuid,
        attempt: &Attempt,
        again: Option<DateTime<Utc>>,
        history: &History,
    ) {
        let Some(ended) = attempt.ended_at else {
            return;
        };
        let (since, promised) = match history.cause(attempt) {
            None => {
                let worker = &attempt.worker;
                self.innocent.push(format!(
                    "{id}: taken from {worker} at {ended}, which was well"
                ));
                return;
            }
            Some(Cause::Paused) => return,
            Some(Cause::Died(at)) => (at, DEAD_WITHIN),
            Some(Cause::Hung(at, waited)) => (at, HUNG_WITHIN + waited.as_seconds_f64()),
        };
        // what was claimed just before the end counts from its claim
        let since = since.max(attempt.started_at);
        let seconds = (ended - since).as_seconds_f64();
        if history.is_outage((since, ended)) || !history.somebody_was_well((since, ended)) {
            self.excused.0.push(seconds);
            return;
        }
        if seconds > promised {
            self.late.push(format!(
                "{id}: given on {seconds:.1} s after the end of {}, promised within {promised:.1} s",
                attempt.worker
            ));
        }
        if promised >= HUNG_WITHIN {
            self.given_on_hung.0.push(seconds);
        } else {
            self.given_on.0.push(seconds);
            let again = again.map(|again| (again - since).as_seconds_f64());
            self.claimed_again.0.extend(again);
        }
    }

    /// Besides the last attempt only those are charged that were lost with their worker.
    fn enter_charges(&mut self, id: Uuid, job: &Value, lost: usize) {
        let attempts = job["attempts"].as_u64().unwrap_or_default() as usize;
        let state = job["state"].as_str().unwrap_or_default();
        let own = usize::from(matches!(state, "succeeded" | "cancelled" | "running"));
        if attempts > lost + own {
            self.innocent.push(format!(
                "{id}: charged {attempts} attempts, of which {lost} were lost"
            ));
        }
        if state == "failed" {
            let error = &job["error"]["type"];
            if error != "worker_lost" || lost < MOST {
                self.innocent.push(format!(
                    "{id}: failed with {error}, its workers lost {lost} times"
                ));
            }
        }
    }

    pub(super) fn lines(&self) -> [(&'static str, String); 7] {
        [
            ("attempts", listed(&self.tries)),
            ("told by", listed(&self.shares)),
            ("**innocent charges**", self.innocent.len().to_string()),
            ("**given on too late**", self.late.len().to_string()),
            (
                "jobs of dead workers given on after",
                self.given_on.to_string(),
            ),
            (
                "jobs of hung workers given on after",
                self.given_on_hung.to_string(),
            ),
            (
                "both, while a server was away or nobody was there",
                self.excused.to_string(),
            ),
        ]
    }

    pub(super) fn claimed_again(&self) -> String {
        self.claimed_again.to_string()
    }
}

pub(super) fn listed(counts: &BTreeMap<String, usize>) -> String {
    counts
        .iter()
        .fold(String::new(), |mut text, (name, count)| {
            let comma = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{comma}{count} {name}");
            text
        })
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.last() else {
            return f.write_str("no such job");
        };
        let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
        write!(
            f,
            "median {:.1} s, 95 % within {:.1} s, at most {last:.1} s ({} jobs)",
            at(0.5),
            at(0.95),
            sorted.len()
        )
    }
}
