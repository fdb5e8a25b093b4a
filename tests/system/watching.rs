//! What the alerts, the dashboard and KEDA ask Prometheus: each expression can be read, and asks for nothing that a running `api` and a
//! running `worker` do not tell.
//! Names that are exported are compared in `operation/tests/metrics.rs`. What must stay true: the numbers are those of real scrapes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use serde_json::Value;
use storyteller::client::Client;
use testkit::postgres::cache;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::yaml;

/// Reads expressions of PromQL; prints what each asks for, and by which labels that is put together.
const READER: &str = r#"
import json, sys, promql_parser as promql
def walk(node, by):
    if isinstance(node, promql.VectorSelector):
        labels = [[one.name, str(one.op).split(".")[-1], one.value] for one in node.matchers.matchers]
        yield {"name": node.name, "labels": labels, "by": by}
        return
    if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
        by = by + list(node.modifier.labels)
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")]
    for part in parts + list(getattr(node, "args", None) or []):
        if part is not None:
            yield from walk(part, by)
asked = []
for where, text in json.load(sys.stdin):
    try:
        asked.extend({**one, "where": where} for one in walk(promql.parse(text), []))
    except ValueError as error:
        sys.exit(f"{where}: {text}: {error}")
print(json.dumps(asked))
"#;
/// What Prometheus itself puts to every series.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// One thing that an expression asks for.
#[derive(Debug, Deserialize)]
struct Asked {
    /// Which alert or panel asks.
    #[serde(rename = "where")]
    place: String,
    name: String,
    /// Label, comparison and value.
    labels: Vec<(String, String, String)>,
    /// The labels by which it is put together.
    by: Vec<String>,
}

/// Every expression, with where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let alerts = yaml::documents("ops/alerts.yml").remove(0);
    for group in alerts["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            found.push((text(&rule["alert"]), text(&rule["expr"])));
        }
    }
    let dashboard = yaml::documents("ops/grafana/dashboards/storyteller.json").remove(0);
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push((text(&panel["title"]), text(&target["expr"])));
        }
    }
    let scaled = yaml::documents("ops/kubernetes/scaling.yaml").remove(0);
    for trigger in scaled["spec"]["triggers"].as_array().unwrap() {
        let query = &trigger["metadata"]["query"];
        found.push(("scaling.yaml".to_owned(), text(query)));
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

async fn asked() -> Vec<Asked> {
    let mut reader = Command::new(yaml::python())
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let all = serde_json::to_vec(&expressions()).unwrap();
    let mut stdin = reader.stdin.take().unwrap();
    stdin.write_all(&all).await.unwrap();
    drop(stdin);
    let read = reader.wait_with_output().await.unwrap();
    let complaint = String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{complaint}");
    serde_json::from_slice(&read.stdout).unwrap()
}

/// What was told: of each series the labels with their values.
type Told = BTreeMap<String, Vec<BTreeMap<String, String>>>;

/// Adds what a scrape tells.
fn scraped(text: &str, told: &mut Told) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split("\",");
        let labels = labels.filter_map(|label| label.split_once("=\""));
        let labels =
            labels.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()));
        told.entry(name.to_owned())
            .or_default()
            .push(labels.collect());
    }
}

/// A program of ours that answers on a port, ended when dropped.
struct Program {
    address: String,
    _child: Child,
}

impl Program {
    fn start(name: &str, database: &str, pictures: &Path) -> Program {
        let address = format!("127.0.0.1:{}", testkit::ports::reserve());
        let path = Path::new(env!("CARGO_BIN_EXE_storyteller")).with_file_name(name);
        assert!(
            path.exists(),
            "{} is not built: build the whole workspace",
            path.display()
        );
        let mut program = Command::new(path);
        program
            .args(["--listen", &address, "--database-url", database])
            .arg("--images")
            .arg(pictures)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("STORYTELLER_CACHE", cache())
            .env("STORYTELLER_LOG", "warn")
            .kill_on_drop(true);
        Program {
            address: format!("http://{address}"),
            _child: program.spawn().unwrap(),
        }
    }

    /// Adds what it tells; whether it answers.
    async fn tells(&self, told: &mut Told) -> Option<()> {
        let answer = reqwest::get(format!("{}/metrics", self.address))
            .await
            .ok()?;
        scraped(&answer.text().await.ok()?, told);
        Some(())
    }

    async fn is_ready(&self, told: &mut Told) -> Option<()> {
        let ready = reqwest::get(format!("{}/readyz", self.address))
            .await
            .ok()?;
        self.tells(told).await?;
        ready.status().is_success().then_some(())
    }
}

/// What both tell from their start until a story is told.
async fn told_by_both() -> Told {
    let database = testkit::Service::start().await.url.clone();
    let pictures = tempfile::tempdir().unwrap();
    let mut told = Told::new();
    let api = Program::start("api", &database, pictures.path());
    let worker = Program::start("worker", &database, pictures.path());
    for program in [&api, &worker] {
        // the first scrapes tell of a worker whose networks are being loaded
        while program.is_ready(&mut told).await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let client = Client::new(&api.address).unwrap();
    let wishes = jobs::StoryRequest {
        beam_width: 2,
        captions: 5,
        max_words: 20,
        ..jobs::StoryRequest::default()
    };
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/photos/cat.jpg");
    let job = client.submit(Some(&photo), &wishes).await.unwrap();
    let job = client.finished(job.id, |_| ()).await.unwrap();
    assert!(job.result.is_some(), "{:?}", job.error);
    for program in [&api, &worker] {
        program.tells(&mut told).await.unwrap();
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_watched_can_be_read_and_is_told_by_a_running_api_or_worker() {
    let asked = asked().await;
    let told = tokio::time::timeout(testkit::PATIENCE * 4, told_by_both());
    let told = told.await.expect("a story is told");
    let mut offenders = BTreeSet::new();
    for one in asked.iter().filter(|one| one.name != "up") {
        let Some(series) = told.get(&one.name) else {
            offenders.insert(format!("{}: nobody tells {}", one.place, one.name));
            continue;
        };
        let own = one
            .by
            .iter()
            .filter(|label| !OF_PROMETHEUS.contains(&label.as_str()));
        for label in own.chain(one.labels.iter().map(|(label, ..)| label)) {
            if !series.iter().any(|labels| labels.contains_key(label)) {
                offenders.insert(format!("{}: {} has no {label}", one.place, one.name));
            }
        }
        for (label, compared, value) in &one.labels {
            let known = series.iter().any(|labels| labels.get(label) == Some(value));
            if compared == "Equal" && !known {
                offenders.insert(format!("{}: no {} is {value}", one.place, one.name));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
    let counted = asked
        .iter()
        .filter(|one| one.name.starts_with("storyteller_"));
    assert!(counted.count() > 20, "{asked:?}");
}
