//! Chaos: real API, worker and dispatcher programs on real servers, all of which are killed, paused and cut off while
//! callers submit, and at the end a ledger of what became of every job. `make chaos` runs it for long, CI briefly.
//! Set by the environment: STORYTELLER_CHAOS_SECONDS (50), _JOBS (48), _SEED (1), _CALM (1; on a slow machine troubles come so
//! many times as rarely), _LEDGER (a file for the ledger), _LOGS (a folder for the logs).
//! What must stay true: lost, twice, missing, unexpected, charged to innocents and given on too late are 0 whatever the seed.

mod callers;
mod cast;
mod history;
mod ledger;
mod promises;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use callers::Callers;
use cast::Cast;
use ledger::Ledger;

/// What is left when the troubles are over is told within this time, on a slow machine within as much more.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long and how hard.
pub(super) struct Plan {
    seconds: u64,
    jobs: usize,
    seed: u64,
    apis: usize,
    workers: usize,
    calm: u32,
}

impl Plan {
    fn of_environment() -> Plan {
        Plan {
            seconds: number("SECONDS", 50),
            jobs: number("JOBS", 48) as usize,
            seed: number("SEED", 1),
            apis: number("APIS", 3) as usize,
            workers: number("WORKERS", 3) as usize,
            calm: number("CALM", 1) as u32,
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    let name = format!("STORYTELLER_CHAOS_{name}");
    match std::env::var(&name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text:?}")),
        Err(_) => otherwise,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "people run it to read the ledger")]
async fn whatever_is_killed_no_job_is_lost_and_none_is_told_twice() {
    let plan = Plan::of_environment();
    let cast = Arc::new(Cast::start(&plan).await);
    let callers = Arc::new(Callers::new(&plan, cast.clone()).await);
    let calling = tokio::spawn(callers.clone().call());
    let troubles = trouble::make(&plan, &cast).await;
    cast.be_well().await;
    calling.await.unwrap();
    let jobs = callers.settled(plan.calm * PATIENCE).await;
    let ledger = Ledger::of(&plan, &callers, jobs, troubles).await;
    let text = ledger.to_string();
    if let Ok(file) = std::env::var("STORYTELLER_CHAOS_LEDGER") {
        std::fs::write(&file, &text).unwrap();
    }
    eprintln!("{text}");
    assert!(ledger.is_clean(), "{text}");
}
