//! The ledger of a run: what was submitted and what became of it, counted from what callers and receivers saw.
//! What must stay true: every line is counted, none is assumed, and a line that must be 0 is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Plan;
use super::callers::{Callers, Settled};
use super::cast::{Cast, Death, Role};
use super::trouble::Troubles;

/// How a run ended.
pub(super) struct Ledger {
    head: String,
    requests: usize,
    accepted: usize,
    repeated: usize,
    ends: BTreeMap<String, usize>,
    lost: Vec<Uuid>,
    twice: Vec<String>,
    missing: Vec<Uuid>,
    unexpected: Vec<String>,
    webhooks: usize,
    tries: BTreeMap<String, usize>,
    /// Stories told by each worker, all its lives together.
    shares: BTreeMap<String, usize>,
    troubles: Troubles,
    deaths: BTreeMap<String, usize>,
    /// Seconds from a worker's death to the next claim of each job it held; apart, those while a server was away.
    back: Vec<f64>,
    back_in_outage: Vec<f64>,
}

impl Ledger {
    pub(super) async fn of(
        plan: &Plan,
        callers: &Callers,
        cast: &Cast,
        (jobs, troubles): (BTreeMap<Uuid, Settled>, Troubles),
    ) -> Ledger {
        let seen = std::mem::take(&mut *callers.known.lock().unwrap());
        let accepted: BTreeSet<Uuid> = seen.accepted.values().copied().collect();
        let received = callers.webhooks();
        let known = callers.known_to_the_service().await;
        let mut ledger = Ledger {
            head: format!(
                "{} s, seed {}, {} APIs, {} workers, a dispatcher, Postgres, RabbitMQ, S3",
                plan.seconds, plan.seed, plan.apis, plan.workers
            ),
            requests: seen.requests,
            accepted: accepted.len(),
            repeated: seen.repeated,
            ends: BTreeMap::new(),
            lost: accepted
                .iter()
                .filter(|id| !jobs.contains_key(id))
                .copied()
                .collect(),
            twice: Vec::new(),
            missing: accepted
                .iter()
                .filter(|id| !received.contains_key(id))
                .copied()
                .collect(),
            unexpected: seen.unexpected,
            webhooks: callers.receiver.heard().len(),
            tries: BTreeMap::new(),
            shares: BTreeMap::new(),
            deaths: deaths(cast),
            back: Vec::new(),
            back_in_outage: Vec::new(),
            troubles,
        };
        let strangers = known.symmetric_difference(&accepted);
        ledger
            .unexpected
            .extend(strangers.map(|id| format!("{id} is known to one side only")));
        for (id, settled) in &jobs {
            ledger.enter(*id, settled, &received);
        }
        ledger.enter_returns(&jobs, cast).await;
        ledger
    }

    fn enter(&mut self, id: Uuid, settled: &Settled, received: &BTreeMap<Uuid, BTreeSet<String>>) {
        let state = settled.job["state"].as_str().unwrap_or("?").to_owned();
        if matches!(state.as_str(), "queued" | "running") {
            self.lost.push(id);
        }
        let error = settled.job["error"]["type"].as_str().unwrap_or_default();
        *self
            .ends
            .entry(format!("{state} {error}").trim().to_owned())
            .or_default() += 1;
        let mut told = 0;
        for attempt in settled.job["history"].as_array().into_iter().flatten() {
            let outcome = attempt["outcome"].as_str().unwrap_or("open");
            *self.tries.entry(outcome.to_owned()).or_default() += 1;
            told += usize::from(outcome == "succeeded");
        }
        let webhooks = received.get(&id).map_or(0, BTreeSet::len);
        if told > 1 || settled.deliveries.len() != 1 || webhooks > 1 {
            let deliveries = settled.deliveries.len();
            self.twice.push(format!(
                "{id}: told {told}, {deliveries} deliveries, {webhooks} webhooks"
            ));
        }
    }

    /// Who told how much, and how soon the jobs of dead workers were claimed again.
    async fn enter_returns(&mut self, jobs: &BTreeMap<Uuid, Settled>, cast: &Cast) {
        let deaths: BTreeMap<String, DateTime<Utc>> = cast
            .of(Role::Worker)
            .iter()
            .flat_map(|player| player.deaths())
            .map(|death| (death.name, death.at))
            .collect();
        for id in jobs.keys() {
            let attempts = cast.store.attempts(*id).await.unwrap();
            let told = |attempt: &&jobs::Attempt| attempt.outcome.as_deref() == Some("succeeded");
            for attempt in attempts.iter().filter(told) {
                // a life is called after its worker and its number
                let (worker, _) = attempt.worker.rsplit_once('.').unwrap_or_default();
                *self.shares.entry(worker.to_owned()).or_default() += 1;
            }
            for two in attempts.windows(2) {
                let Some(died) = deaths.get(&two[0].worker) else {
                    continue;
                };
                // one that was paused may have lost its job long before it died
                let held = two[0].ended_at.is_some_and(|ended| ended >= *died);
                if held && two[0].outcome.as_deref() == Some("lost") {
                    let again = two[1].started_at;
                    let seconds = (again - *died).as_seconds_f64();
                    let away = |(from, until): &(DateTime<Utc>, DateTime<Utc>)| {
                        *from < again && *until > *died
                    };
                    let outage = self.troubles.outages.iter().any(away);
                    if outage {
                        &mut self.back_in_outage
                    } else {
                        &mut self.back
                    }
                    .push(seconds);
                }
            }
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.accepted > 0
            && self.lost.is_empty()
            && self.twice.is_empty()
            && self.missing.is_empty()
            && self.unexpected.is_empty()
    }
}

/// How the lives of the programs ended.
fn deaths(cast: &Cast) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for player in &cast.players {
        for Death { status, .. } in player.deaths() {
            *counts
                .entry(format!("{:?}: {status}", player.role).to_lowercase())
                .or_default() += 1;
        }
    }
    counts
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Chaos: {}\n\n| | |\n|---|---|", self.head)?;
        let mut line = |name: &str, value: String| writeln!(f, "| {name} | {value} |");
        line("requests to submit", self.requests.to_string())?;
        line("accepted", self.accepted.to_string())?;
        line("repeated under the same key", self.repeated.to_string())?;
        line("ended", listed(&self.ends))?;
        line("attempts", listed(&self.tries))?;
        line("told by", listed(&self.shares))?;
        line("webhooks received", self.webhooks.to_string())?;
        line("**lost**", self.lost.len().to_string())?;
        line("**told or sent twice**", self.twice.len().to_string())?;
        line("**webhooks missing**", self.missing.len().to_string())?;
        line("**unexpected**", self.unexpected.len().to_string())?;
        line(
            "jobs of dead workers claimed again after",
            spread(&self.back),
        )?;
        line(
            "the same while a server was away",
            spread(&self.back_in_outage),
        )?;
        line("troubles", listed(&self.troubles.count))?;
        line("lives that ended", listed(&self.deaths))?;
        let wrong = self.twice.iter().chain(&self.unexpected).cloned();
        let wrong = wrong.chain(self.lost.iter().map(|id| format!("lost: {id}")));
        let wrong = wrong.chain(self.missing.iter().map(|id| format!("no webhook: {id}")));
        for wrong in wrong.take(50) {
            writeln!(f, "\n* {wrong}")?;
        }
        Ok(())
    }
}

fn listed(counts: &BTreeMap<String, usize>) -> String {
    let each: Vec<_> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    each.join(", ")
}

fn spread(seconds: &[f64]) -> String {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.last() else {
        return "no such job".to_owned();
    };
    let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
    format!(
        "median {:.1} s, 95 % within {:.1} s, at most {last:.1} s ({} jobs)",
        at(0.5),
        at(0.95),
        sorted.len()
    )
}
