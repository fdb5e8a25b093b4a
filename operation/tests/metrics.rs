//! The dashboard and the alert rules in `ops/` against what the service exports.
//! What must stay true: nobody watches a number that does not exist, and a scrape is answered without a database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use operation::Health;
use operation::metrics::{METRICS, exposition};
use testkit::Service;

const WATCHING: [&str; 2] = ["ops/alerts.yml", "ops/grafana/dashboards/storyteller.json"];

/// Every word that begins like our metrics, without what a histogram's series end in.
fn watched() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let texts = WATCHING.map(|file| fs::read_to_string(root.join(file)).unwrap());
    let ours = METRICS.names();
    texts
        .iter()
        .flat_map(|text| text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
        .filter(|word| word.starts_with("storyteller_"))
        .map(|word| {
            let series = ["_bucket", "_sum", "_count"];
            let whole = series.iter().find_map(|end| word.strip_suffix(end));
            whole
                .filter(|whole| ours.iter().any(|name| name == whole))
                .unwrap_or(word)
                .to_owned()
        })
        .collect()
}

#[test]
fn every_number_that_is_watched_is_exported_and_every_exported_one_is_watched() {
    let exported: BTreeSet<String> = METRICS.names().iter().cloned().collect();
    assert_eq!(watched(), exported);
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("there is no {series} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_scrape_tells_how_the_queue_stands_and_which_part_cannot_work() {
    let store = Service::start().await.store;
    let health = Health::new();
    health.not_ready("worker", "the networks are being loaded");
    let text = exposition(&store, &health).await.unwrap();
    assert_eq!(
        value(&text, "storyteller_queue_jobs{state=\"queued\"}"),
        0.0
    );
    assert_eq!(value(&text, "storyteller_queue_work_seconds "), 0.0);
    assert_eq!(value(&text, "storyteller_ready "), 0.0);
    assert_eq!(value(&text, "storyteller_not_ready{part=\"worker\"}"), 1.0);
    health.ready("worker");
    store.close().await;
    let text = exposition(&store, &health).await.unwrap();
    assert!(value(&text, "storyteller_queue_jobs{state=\"queued\"}").is_nan());
    assert_eq!(value(&text, "storyteller_ready "), 1.0);
    assert!(!text.contains("storyteller_not_ready{"), "{text}");
}
