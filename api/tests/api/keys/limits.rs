//! How much one key may ask for, and that nobody's doing shows in another's answers.

use jobs::{KeyLimits, NewKey, Scope};
use reqwest::Method;
use testkit::photos;

use super::{get, hands_in, key, key_like, keyed, new_key, with};
use crate::harness::{Answer, TestService, form, told};

async fn limited(service: &TestService, limits: KeyLimits) -> String {
    let new = NewKey {
        limits,
        ..new_key(Scope::Write)
    };
    key_like(service, new).await
}

async fn submit(service: &TestService, key: &str) -> Answer {
    let request = service.request(Method::POST, "/v1/stories");
    with(key, request.multipart(form(photos::jpeg(), &[]))).await
}

#[tokio::test]
async fn a_key_asks_so_often_a_minute_and_is_told_how_often_still() {
    let service = keyed().await;
    let limits = KeyLimits {
        requests_a_minute: Some(4),
        submits_a_minute: Some(1),
        ..KeyLimits::default()
    };
    let (few, many) = (
        limited(&service, limits).await,
        key(&service, Scope::Write).await,
    );
    let first = get(&service, &few, "/v1/stories").await;
    assert_eq!(first.header("ratelimit"), "\"requests\";r=3");
    assert_eq!(first.header("ratelimit-policy"), "\"requests\";q=4;w=60");
    assert_eq!(submit(&service, &few).await.status, 202);
    let refused = submit(&service, &few).await;
    refused.problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((30..=60).contains(&wait), "{wait}");
    assert_eq!(get(&service, &few, "/v1/stories").await.status, 200);
    let refused = get(&service, &few, "/v1/stories").await;
    refused.problem(429, "rate_limited");
    assert!(refused.header("ratelimit").contains("\"requests\";r=0;t="));
    assert_eq!(get(&service, &many, "/v1/stories").await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn a_key_has_so_many_stories_waiting_and_so_many_a_day() {
    let service = keyed().await;
    let waiting = KeyLimits {
        waiting: Some(2),
        ..KeyLimits::default()
    };
    let daily = KeyLimits {
        stories_a_day: Some(2),
        ..KeyLimits::default()
    };
    let (waiting, daily) = (
        limited(&service, waiting).await,
        limited(&service, daily).await,
    );
    for _ in 0..2 {
        hands_in(&service, &waiting, &[]).await;
        hands_in(&service, &daily, &[]).await;
    }
    let pictures = service.kept_pictures();
    for key in [&waiting, &daily] {
        let refused = submit(&service, key).await;
        refused.problem(429, "quota_exceeded");
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
        let batch = service.request(Method::POST, "/v1/batches");
        let batch = with(key, batch.multipart(form(photos::jpeg(), &[]))).await;
        batch.problem(429, "quota_exceeded");
    }
    assert_eq!(service.kept_pictures(), pictures, "nothing is kept of them");
    for _ in 0..4 {
        let claimed = service.claim().await;
        service.finish(&claimed, told("It ended.")).await;
    }
    hands_in(&service, &waiting, &[]).await;
    submit(&service, &daily)
        .await
        .problem(429, "quota_exceeded");
    let session = get(&service, &daily, "/v1/session").await.json();
    assert_eq!(session["limits"]["stories_a_day"], 2);
    service.stop().await;
}

#[tokio::test]
async fn the_same_idempotency_key_of_two_callers_is_two() {
    let service = keyed().await;
    let (one, other) = (
        key(&service, Scope::Write).await,
        key(&service, Scope::Write).await,
    );
    let send = async |key: &str| {
        let request = service.request(Method::POST, "/v1/stories");
        let request = request.header("idempotency-key", "mine");
        with(key, request.multipart(form(photos::jpeg(), &[]))).await
    };
    let first = send(&one).await;
    assert_eq!(first.status, 202);
    let foreign = send(&other).await;
    assert_eq!(
        (foreign.status, foreign.header("idempotency-replayed")),
        (202, "")
    );
    assert_ne!(first.json()["id"], foreign.json()["id"]);
    let again = send(&one).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json()["id"], first.json()["id"]);
    service.stop().await;
}

#[tokio::test]
async fn nobody_sees_by_an_answer_that_another_has_the_same_picture() {
    let service = TestService::start_reusing().await;
    service.register_styles(&["romance"]).await;
    let (one, other) = (
        key(&service, Scope::Write).await,
        key(&service, Scope::Write).await,
    );
    testkit::eventually("keys are asked for", async || {
        (service.get("/v1/stories").await.status == 401).then_some(())
    })
    .await;
    let cache = async |key: &str| submit(&service, key).await.json()["cache"].clone();
    assert_eq!(cache(&one).await, "miss");
    assert_eq!(cache(&one).await, "coalesced");
    assert_eq!(cache(&other).await, "miss");
    for _ in 0..2 {
        let claimed = service.claim().await;
        service.finish(&claimed, told("It ended.")).await;
    }
    assert_eq!(cache(&one).await, "hit");
    let third = key(&service, Scope::Write).await;
    assert_eq!(cache(&third).await, "miss");
    service.stop().await;
}

#[tokio::test]
async fn the_name_of_anothers_style_is_taken_and_that_is_all() {
    let service = keyed().await;
    service.register_styles(&["romance"]).await;
    let (one, other) = (
        key(&service, Scope::Write).await,
        key(&service, Scope::Write).await,
    );
    let add = async |key: &str| {
        let text = reqwest::multipart::Form::new()
            .text("name", "mine")
            .text("text", "Words.");
        with(
            key,
            service.request(Method::POST, "/v1/styles").multipart(text),
        )
        .await
    };
    assert_eq!(add(&one).await.status, 202);
    assert_eq!(add(&one).await.status, 200);
    add(&other).await.problem(409, "style_exists");
    let learnt = jobs::LearntStyle {
        bundle: "test-1-abc".to_owned(),
        passages: 30,
        found: 30,
        known: 99.0,
        vector: vec![0.5],
    };
    let claimed = service.claim().await;
    service
        .finish(&claimed, jobs::Outcome::Learnt(learnt))
        .await;
    let told_in = async |key: &str| {
        let request = service.request(Method::POST, "/v1/stories");
        with(
            key,
            request.multipart(form(photos::jpeg(), &[("style", "mine")])),
        )
        .await
    };
    assert_eq!(told_in(&one).await.status, 202);
    let refused = told_in(&other).await;
    let choices = refused.problem(422, "unknown_style")["choices"].to_string();
    assert!(!choices.contains("mine"), "{choices}");
    service.stop().await;
}

#[tokio::test]
async fn nobody_tells_on_what_another_had_told() {
    let service = keyed().await;
    let (one, other) = (
        key(&service, Scope::Write).await,
        key(&service, Scope::Write).await,
    );
    let story = hands_in(&service, &one, &[]).await;
    let claimed = service.claim().await;
    service.finish(&claimed, told("It began.")).await;
    let on = async |key: &str, earlier: &str| {
        let request = service.request(Method::POST, "/v1/stories");
        with(key, request.json(&serde_json::json!({"continue": earlier}))).await
    };
    let foreign = on(&other, &story).await;
    let said = foreign.problem(422, "invalid_parameter")["detail"].to_string();
    let nobody = "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11";
    let nothing = on(&other, nobody).await.json()["detail"].to_string();
    assert_eq!(said.replace(&story, "ID"), nothing.replace(nobody, "ID"));
    let own = on(&one, &story).await;
    assert_eq!(own.status, 202, "{}", own.text());
    service.stop().await;
}
