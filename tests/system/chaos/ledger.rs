//! The ledger of a run: what was submitted and what became of it, counted from what callers and receivers saw.
//! What must stay true: every line is counted, none is assumed, and a line that must be 0 is named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use uuid::Uuid;

use super::Plan;
use super::callers::{Callers, Settled};
use super::cast::Cast;
use super::history::History;
use super::promises::{Promises, listed};
use super::trouble::Troubles;

/// How a run ended.
pub(super) struct Ledger {
    head: String,
    requests: usize,
    accepted: usize,
    repeated: usize,
    cancels: usize,
    ends: BTreeMap<String, usize>,
    lost: Vec<Uuid>,
    twice: Vec<String>,
    missing: Vec<Uuid>,
    unexpected: Vec<String>,
    webhooks: usize,
    promises: Promises,
    troubles: Troubles,
    hangs: usize,
    deaths: BTreeMap<String, usize>,
}

impl Ledger {
    pub(super) async fn of(
        plan: &Plan,
        callers: &Callers,
        jobs: BTreeMap<Uuid, Settled>,
        troubles: Troubles,
    ) -> Ledger {
        let cast: &Cast = &callers.cast;
        let seen = std::mem::take(&mut *callers.known.lock().unwrap());
        let accepted: BTreeSet<Uuid> = seen.accepted.values().copied().collect();
        let received = callers.webhooks();
        let known = callers.known_to_the_service().await;
        let without = |there: &dyn Fn(&Uuid) -> bool| {
            let missing = accepted.iter().filter(|id| !there(id));
            missing.copied().collect::<Vec<_>>()
        };
        let mut history = History::of(cast, &troubles);
        let mut ledger = Ledger {
            head: format!(
                "{} s, seed {}, {} APIs, {} workers, a dispatcher, Postgres, RabbitMQ, S3",
                plan.seconds, plan.seed, plan.apis, plan.workers
            ),
            requests: seen.requests,
            accepted: accepted.len(),
            repeated: seen.repeated,
            cancels: seen.unwanted.len(),
            ends: BTreeMap::new(),
            lost: without(&|id| jobs.contains_key(id)),
            twice: Vec::new(),
            missing: without(&|id| received.contains_key(id)),
            unexpected: seen.unexpected,
            webhooks: callers.receiver.heard().len(),
            promises: Promises::default(),
            deaths: deaths(cast),
            hangs: history.hangs(),
            troubles,
        };
        let strangers = known.symmetric_difference(&accepted);
        ledger
            .unexpected
            .extend(strangers.map(|id| format!("{id} is known to one side only")));
        let mut tried = BTreeMap::new();
        for id in jobs.keys() {
            let attempts = cast.store.attempts(*id).await.unwrap();
            history.saw(&attempts);
            tried.insert(*id, attempts);
        }
        for (id, settled) in &jobs {
            ledger.enter(*id, settled, &received);
            if settled.job["state"] == "cancelled" && !seen.unwanted.contains(id) {
                ledger
                    .unexpected
                    .push(format!("{id} was cancelled by nobody"));
            }
            ledger
                .promises
                .enter(*id, &settled.job, &tried[id], &history);
        }
        ledger
    }

    fn enter(&mut self, id: Uuid, settled: &Settled, received: &BTreeMap<Uuid, BTreeSet<String>>) {
        let state = settled.job["state"].as_str().unwrap_or("?").to_owned();
        if matches!(state.as_str(), "queued" | "running") {
            self.lost.push(id);
        }
        let error = settled.job["error"]["type"].as_str();
        let error = error.filter(|_| state == "failed").unwrap_or_default();
        *self
            .ends
            .entry(format!("{state} {error}").trim().to_owned())
            .or_default() += 1;
        let history = settled.job["history"].as_array().into_iter().flatten();
        let told = history
            .filter(|attempt| attempt["outcome"] == "succeeded")
            .count();
        let webhooks = received.get(&id).map_or(0, BTreeSet::len);
        if told > 1 || settled.deliveries.len() > 1 || webhooks > 1 {
            let deliveries = settled.deliveries.len();
            self.twice.push(format!(
                "{id}: told {told}, {deliveries} deliveries, {webhooks} webhooks"
            ));
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.accepted > 0
            && self.lost.is_empty()
            && self.twice.is_empty()
            && self.missing.is_empty()
            && self.unexpected.is_empty()
            && self.promises.innocent.is_empty()
            && self.promises.late.is_empty()
    }
}

/// How the lives of the programs ended.
fn deaths(cast: &Cast) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for player in &cast.players {
        for death in player.lives().into_iter().filter_map(|life| life.death) {
            *counts
                .entry(format!("{:?}: {}", player.role, death.status).to_lowercase())
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
        line("asked to cancel while they ran", self.cancels.to_string())?;
        line("ended", listed(&self.ends))?;
        line("webhooks received", self.webhooks.to_string())?;
        line("**lost**", self.lost.len().to_string())?;
        line("**told or sent twice**", self.twice.len().to_string())?;
        line("**webhooks missing**", self.missing.len().to_string())?;
        line("**unexpected**", self.unexpected.len().to_string())?;
        for (name, value) in self.promises.lines() {
            line(name, value)?;
        }
        line(
            "jobs of dead workers claimed again after",
            self.promises.claimed_again(),
        )?;
        line("troubles", listed(&self.troubles.count))?;
        line("engines that hung", self.hangs.to_string())?;
        line("lives that ended", listed(&self.deaths))?;
        let wrong = self.twice.iter().chain(&self.unexpected);
        let wrong = wrong
            .chain(&self.promises.innocent)
            .chain(&self.promises.late);
        let wrong = wrong.cloned();
        let wrong = wrong.chain(self.lost.iter().map(|id| format!("lost: {id}")));
        let wrong = wrong.chain(self.missing.iter().map(|id| format!("no webhook: {id}")));
        for wrong in wrong.take(50) {
            writeln!(f, "\n* {wrong}")?;
        }
        Ok(())
    }
}
