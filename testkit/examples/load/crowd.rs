//! A thousand who wait for a story each: what their waiting costs, and how soon they hear of its end.
//! What must stay true: while the cost is measured nothing happens to any of their stories.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::Outcome;
use serde::Serialize;
use testkit::service::story;
use tokio::sync::{Barrier, mpsc};
use uuid::Uuid;

use crate::caller::{Caller, get};
use crate::meter::{Cost, Meter, percentile};
use crate::place::Place;

/// Stories that end while all wait.
const ENDING: usize = 100;

/// What a crowd of pollers costs.
#[derive(Debug, Serialize)]
pub(crate) struct Crowd {
    pub(crate) pollers: usize,
    pub(crate) seconds: f64,
    /// Of one processor.
    pub(crate) api_share: f64,
    /// Of one processor.
    pub(crate) postgres_share: f64,
    pub(crate) statements_per_second: Option<f64>,
    /// From the commit of a result to its answer.
    pub(crate) heard_p50_ms: f64,
    pub(crate) heard_p99_ms: f64,
    pub(crate) cost: Cost,
}

/// Lets one wait for each of these, and tells some of them.
pub(crate) async fn measured(place: &mut Place, ids: &[Uuid], time: Duration) -> Crowd {
    let (heard, mut news) = mpsc::unbounded_channel();
    let all_wait = Arc::new(Barrier::new(ids.len() + 1));
    let mut pollers = Vec::new();
    for &id in ids {
        let mut caller = Caller::open(place.address).await.unwrap();
        let (heard, all_wait) = (heard.clone(), Arc::clone(&all_wait));
        pollers.push(tokio::spawn(async move {
            let request = get(&format!("/v1/stories/{id}?wait=60"));
            caller.send(&request).await.unwrap();
            all_wait.wait().await;
            let (status, _) = caller.answer().await.unwrap();
            assert_eq!(status, 200);
            // nobody listens any more once the measurement is over
            let _ = heard.send((id, Instant::now()));
        }));
    }
    all_wait.wait().await;
    // until each was looked at for the first time
    tokio::time::sleep(Duration::from_secs(3)).await;
    let meter = Meter::start(place).await;
    let begun = Instant::now();
    tokio::time::sleep(time).await;
    let (seconds, cost) = (begun.elapsed().as_secs_f64(), meter.read(place, 1).await);

    let mut ended = HashMap::new();
    for id in &ids[..ENDING.min(ids.len())] {
        let claimed = place.store.claim_these("load", &[*id]).await.unwrap();
        let outcome = Outcome::Succeeded(story("They never met again."));
        place.store.finish(claimed[0].lease, outcome).await.unwrap();
        ended.insert(*id, Instant::now());
    }
    let mut delays = Vec::new();
    while delays.len() < ended.len() {
        let (id, at) = news.recv().await.unwrap();
        delays.push(at.saturating_duration_since(ended[&id]));
    }
    delays.sort();
    pollers.iter().for_each(tokio::task::JoinHandle::abort);
    Crowd {
        pollers: ids.len(),
        seconds,
        api_share: cost.api_cpu_seconds / seconds,
        postgres_share: cost.postgres_cpu_seconds / seconds,
        statements_per_second: cost.statements.map(|all| all / seconds),
        heard_p50_ms: percentile(&delays, 0.5),
        heard_p99_ms: percentile(&delays, 0.99),
        cost,
    }
}
