//! Everything that the OpenAPI document allows and much that it does not, asked by schemathesis, which set-up fetches from PyPI.
//! A worker is played beside it, so that waits end. The same examples come every time.

use std::time::Duration;

use jobs::{ErrorKind, JobError, JobKind, Outcome};
use testkit::postgres::cache;

use crate::harness::{TestService, told};

/// As `scripts/setup-schemathesis.sh` has it.
const PROGRAM: &str = "schemathesis-4.32.5/bin/schemathesis";
/// Of each operation, beside the examples and the borders of every parameter, which come anyhow.
const EXAMPLES: &str = "12";
/// What no description can say: that a folder has no addresses to send to (501), nor how large a picture may be; that a story is taken back, which a test may have done itself; that a cursor is one that was
/// given; that nobody answers at an address; that bytes are a picture, or text; that the name of a
/// field that nobody asked for can stand in a form.
const SETTINGS: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "410", "429", "5xx"]

[[operations]]
include-name = ["GET /v1/gallery"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "422", "429", "5xx"]

[[operations]]
include-name = ["POST /v1/uploads"]
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "413", "429", "5xx"]
# more bytes than a number of the schema has are more than a picture may have
checks.negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]

[[operations]]
include-name = ["POST /v1/stories", "POST /v1/batches", "POST /v1/styles"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "400", "401", "403", "404", "409", "410", "422", "429", "5xx"]
"#;
/// A run takes a tenth of it on an idle machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// Plays a worker that tells whatever comes.
async fn work(service: &TestService) {
    loop {
        let wait = Duration::from_millis(200);
        for claimed in service.queue.claim("test", 8, wait).await.unwrap() {
            let outcome = match claimed.job.kind {
                JobKind::Story => told("It ended well."),
                JobKind::Style => {
                    Outcome::Failed(JobError::new(ErrorKind::ModelError, "no style today"))
                }
            };
            service.store.finish(claimed.lease, outcome).await.unwrap();
        }
    }
}

#[tokio::test]
async fn schemathesis_finds_nothing() {
    let program = cache().join(PROGRAM);
    assert!(
        program.exists(),
        "{} is not there: run scripts/setup-schemathesis.sh (`make test` does)",
        program.display()
    );
    let service = TestService::start_reusing().await;
    service.register_styles(&["romance", "adventure"]).await;
    service.accepted(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), SETTINGS).unwrap();
    let mut run = tokio::process::Command::new(program);
    run.args(["run", &format!("{}/openapi.json", service.address)])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args([
            "--max-examples",
            EXAMPLES,
            "--seed",
            "2026",
            "--workers",
            "1",
        ])
        .args(["--generation-database", "none", "--request-timeout", "70"])
        .args(["--suppress-health-check", "all", "--no-color"])
        .current_dir(folder.path())
        .kill_on_drop(true);
    let run = tokio::time::timeout(PATIENCE, run.output());
    let said = tokio::select! {
        said = run => said.expect("it ends within its time").unwrap(),
        () = work(&service) => unreachable!("a worker works for ever"),
    };
    let report = String::from_utf8_lossy(&said.stdout);
    let complaint = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{report}\n{complaint}");
    service.stop().await;
}
