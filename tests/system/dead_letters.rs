//! Stories that failed for good, as the person sees them who looks after the service.

use std::process::Output;

use scripted::ScriptedEngine;
use testkit::receiver::{Receiver, Reply};

use crate::harness::{Service, small_picture};

/// How the program ends when asked about the dead letters of a service.
async fn ended(server: &str, words: &[&str]) -> Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_storyteller"))
        .args(["dead-letters", "--server", server])
        .args(words)
        .output()
        .await
        .unwrap()
}

/// What it prints if all goes well.
async fn typed(service: &Service, words: &[&str]) -> String {
    let program = ended(&service.address, words).await;
    let complaint = String::from_utf8_lossy(&program.stderr);
    assert!(program.status.success(), "{complaint}");
    String::from_utf8(program.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_stories_are_listed_with_their_reasons_and_told_again_on_request() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let failing = ("metadata", r#"{"script":"error"}"#);
    let id = service.accepted(&small_picture(1), &[failing]).await;
    let fine = service.accepted(&small_picture(2), &[]).await;
    assert_eq!(service.finished(&fine).await["state"], "succeeded");
    let job = service.finished(&id).await;
    assert_eq!(
        (&job["state"], &job["attempts"]),
        (&"failed".into(), &3.into())
    );

    let listed = typed(&service, &["list"]).await;
    assert!(
        listed.lines().count() == 1 && listed.starts_with(&id) && listed.contains("model_error"),
        "{listed}"
    );
    assert_eq!(
        typed(&service, &["list", "--kind", "worker_lost"]).await,
        ""
    );
    let shown = typed(&service, &["show", &id]).await;
    assert_eq!(shown.lines().count(), 4, "{shown}");

    assert_eq!(
        typed(&service, &["replay", "--all", "--kind", "worker_lost"]).await,
        ""
    );
    let replayed = typed(&service, &["replay", "--all"]).await;
    assert_eq!(replayed.lines().count(), 1, "{replayed}");
    assert!(replayed.starts_with(&id), "{replayed}");
    let job = service.finished(&id).await;
    assert_eq!(job["history"].as_array().unwrap().len(), 6, "{job}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_that_somebody_else_was_quicker_with_keeps_no_other_from_being_replayed() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let mut jobs = Vec::new();
    for seed in [1, 2, 3] {
        let failing = ("metadata", r#"{"script":"error"}"#);
        let id = service.accepted(&small_picture(seed), &[failing]).await;
        jobs.push(service.finished(&id).await);
    }
    let listed = service.get("/v1/stories?state=failed").await.json();
    // the newest is listed first, and somebody puts it back between the list and the wish
    let path =
        |job: &serde_json::Value| format!("/v1/stories/{}/retry", job["id"].as_str().unwrap());
    let quicker = path(&jobs[2]);
    let answers: Vec<_> = jobs
        .iter()
        .map(|job| (path(job), job.to_string()))
        .collect();
    let conflict = r#"{"type":"/problems/conflict","title":"It is under way","status":409,"detail":"it is under way",
        "retryable":false}"#;
    let server = Receiver::start(move |heard, _| {
        if heard.method == "GET" {
            return Reply::body(listed.to_string());
        }
        if heard.path == quicker {
            return Reply {
                status: 409,
                ..Reply::body(conflict)
            };
        }
        let answer = answers.iter().find(|(path, _)| *path == heard.path);
        answer.map_or(Reply::status(404), |(_, job)| Reply {
            status: 202,
            ..Reply::body(job.clone())
        })
    });
    let server = server.await;
    let replayed = ended(&server.url(""), &["replay", "--all"]).await;
    let [told, complaint] =
        [replayed.stdout, replayed.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(replayed.status.code(), Some(1), "{told}{complaint}");
    for job in &jobs[..2] {
        assert!(
            told.contains(job["id"].as_str().unwrap()),
            "{told}{complaint}"
        );
    }
    assert!(
        complaint.contains("it is under way (HTTP 409)"),
        "{complaint}"
    );
    assert_eq!(
        server
            .heard()
            .iter()
            .filter(|heard| heard.method == "POST")
            .count(),
        3
    );
    service.stop().await;
}
