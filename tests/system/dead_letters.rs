//! Stories that failed for good, as the person sees them who looks after the service.

use worker::scripted::ScriptedEngine;

use crate::harness::{Service, small_picture};

/// What the program prints when asked about the dead letters of a service.
async fn typed(service: &Service, words: &[&str]) -> String {
    let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_storyteller"))
        .args(["dead-letters", "--server", &service.address])
        .args(words)
        .output()
        .await
        .unwrap();
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
