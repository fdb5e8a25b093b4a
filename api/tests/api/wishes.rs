//! What a caller may wish for after the submit: to take a story back, or to have it tried again.

use jobs::{ErrorKind, JobError, Outcome};
use reqwest::Method;

use crate::harness::{Answer, TestService, told};

#[tokio::test]
async fn a_cancelled_story_is_not_told_and_a_told_one_cannot_be_cancelled() {
    let service = TestService::start().await;
    let cancel =
        |id: &str| Answer::of(service.request(Method::POST, &format!("/v1/stories/{id}/cancel")));
    let queued = service.accepted(&[]).await;
    for _ in 0..2 {
        let answer = cancel(&queued).await;
        assert_eq!(
            (answer.status, &answer.json()["state"]),
            (200, &"cancelled".into()),
            "{}",
            answer.text()
        );
    }
    let running = service.accepted(&[]).await;
    let claimed = service.claim().await;
    assert_eq!(
        claimed.job.id.to_string(),
        running,
        "the cancelled one is not handed out"
    );
    assert_eq!(cancel(&running).await.json()["state"], "cancelled");
    let stale = service
        .store
        .finish(claimed.lease, told("Too late."))
        .await
        .unwrap();
    assert_eq!(stale, jobs::Written::Stale);
    let told_one = service.accepted(&[]).await;
    let claimed = service.claim().await;
    service.finish(&claimed, told("Told.")).await;
    let problem = cancel(&told_one).await.problem(409, "already_finished");
    assert!(
        problem["detail"].as_str().unwrap().contains("succeeded"),
        "{problem}"
    );
    cancel("01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11")
        .await
        .problem(404, "not_found");
    service.stop().await;
}

#[tokio::test]
async fn a_story_that_ended_without_one_is_told_after_all_and_a_told_one_is_not_told_again() {
    let service = TestService::start().await;
    let retry =
        |id: &str| Answer::of(service.request(Method::POST, &format!("/v1/stories/{id}/retry")));
    let id = service.accepted(&[]).await;
    let claimed = service.claim().await;
    let error = JobError::new(ErrorKind::ModelError, "the networks failed");
    service.finish(&claimed, Outcome::Failed(error)).await;
    // asked for twice, as somebody does who got no answer
    for _ in 0..2 {
        let answer = retry(&id).await;
        let job = answer.json();
        assert_eq!((answer.status, &job["state"]), (200, &"queued".into()));
        assert_eq!(job["attempts"], 0, "{job}");
        assert!(
            job["finished_at"].is_null() && job["position"] == 0,
            "{job}"
        );
    }
    let claimed = service.claim().await;
    service.finish(&claimed, told("After all.")).await;
    let job = service.job(&id).await;
    assert_eq!(job["result"]["story"], "After all.");
    let outcomes = job["history"].as_array().unwrap().iter();
    let outcomes: Vec<_> = outcomes.map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "succeeded"]);
    retry(&id).await.problem(409, "already_finished");
    retry("01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11")
        .await
        .problem(404, "not_found");
    service.stop().await;
}
