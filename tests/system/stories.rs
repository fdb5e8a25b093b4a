//! What the service promises about jobs, on a scripted engine that fails on demand.

use scripted::ScriptedEngine;

use crate::harness::{Service, small_picture};

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_picture_becomes_a_story() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let picture = small_picture(7);
    // slow enough not to be told before the submit is answered, which then need not say when to ask again
    let slow = ("metadata", r#"{"script":"slow:500ms"}"#);
    let answer = service
        .submit(&picture, &[("style", "romance"), slow])
        .await;
    assert_eq!(answer.status, 202);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/v1/stories/{id}"));
    assert!(!answer.header("retry-after").is_empty());
    let job = service.finished(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert!(!job["result"]["story"].as_str().unwrap().is_empty());
    assert!(job["finished_at"].as_str() > job["created_at"].as_str());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stored_picture_can_be_fetched() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let id = service.accepted(&small_picture(9), &[]).await;
    let image = service.get(&format!("/v1/stories/{id}/image")).await;
    assert_eq!(
        (image.status, image.header("content-type")),
        (200, "image/png")
    );
    let stored = image::load_from_memory(&image.body).unwrap().to_rgb8();
    let sent = image::load_from_memory(&small_picture(9))
        .unwrap()
        .to_rgb8();
    assert_eq!(stored, sent);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_breaks_the_engine_fails_alone_and_says_why() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let guilty = service
        .accepted(&small_picture(1), &[("metadata", r#"{"script":"panic"}"#)])
        .await;
    let mut innocent = Vec::new();
    for seed in 2..8 {
        innocent.push(service.accepted(&small_picture(seed), &[]).await);
    }
    for id in &innocent {
        let job = service.finished(id).await;
        assert_eq!(
            (job["state"].as_str(), job["attempts"].as_i64()),
            (Some("succeeded"), Some(1)),
            "{job}"
        );
    }
    let job = service.finished(&guilty).await;
    assert_eq!(
        (job["state"].as_str(), job["error"]["kind"].as_str()),
        (Some("failed"), Some("model_error")),
        "{job}"
    );
    assert_eq!(job["attempts"], job["max_attempts"], "{job}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_queued_at_a_stop_are_told_after_the_next_start() {
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let service = Service::scripted(engine).await;
    let mut ids = Vec::new();
    for seed in 0..20 {
        ids.push(
            service
                .accepted(
                    &small_picture(seed),
                    &[("metadata", r#"{"script":"slow:50ms"}"#)],
                )
                .await,
        );
    }
    let service = service
        .restarted(ScriptedEngine::counting(tells.clone()))
        .await;
    for id in &ids {
        let job = service.finished(id).await;
        assert_eq!(
            (job["state"].as_str(), job["attempts"].as_i64()),
            (Some("succeeded"), Some(1)),
            "{job}"
        );
        assert_eq!(tells.of(id), 1, "told more than once: {job}");
    }
    service.stop().await;
}
