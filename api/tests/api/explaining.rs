//! Why a story is what it is, several of one picture, and a story that goes on from another.

use jobs::{Explanation, Outcome, StyleShift};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, TestService, told};

/// What a worker says of a story that it can explain.
fn explained(text: &str) -> Outcome {
    let Outcome::Succeeded(mut result) = told(text) else {
        unreachable!("a told story is a success")
    };
    result.others = vec!["Another one.".to_owned()];
    result.explanation = Some(Box::new(Explanation {
        words: vec!["dog".to_owned()],
        styles: vec![StyleShift {
            name: "romance".to_owned(),
            before: 0.1,
            after: 0.5,
        }],
        ..Explanation::default()
    }));
    Outcome::Succeeded(result)
}

async fn told_story(service: &TestService, outcome: Outcome) -> String {
    let id = service.accepted(&[]).await;
    let claimed = service.claim().await;
    service.finish(&claimed, outcome).await;
    id
}

async fn goes_on(service: &TestService, body: &Value) -> Answer {
    Answer::of(service.request(Method::POST, "/v1/stories").json(body)).await
}

#[tokio::test]
async fn a_told_story_is_explained_by_what_its_worker_wrote_down() {
    let service = TestService::start().await;
    let id = told_story(&service, explained("A dog ran.")).await;
    let job = service.job(&id).await;
    assert_eq!(job["result"]["others"], json!(["Another one."]));
    assert!(job["result"].get("explanation").is_none(), "{job}");
    let path = format!("/v1/stories/{id}/explain");
    let answer = service.get(&path).await;
    let why = answer.json();
    assert_eq!(why["words"], json!(["dog"]));
    assert_eq!(why["styles"][0]["after"], 0.5);
    let known = service
        .request(Method::GET, &path)
        .header("If-None-Match", answer.header("etag"));
    assert_eq!(Answer::of(known).await.status, 304);
    let listed = service.get("/v1/stories").await.json();
    assert!(!listed.to_string().contains("explanation"), "{listed}");
    service.stop().await;
}

#[tokio::test]
async fn a_worker_that_explains_nothing_leaves_the_captions() {
    let service = TestService::start().await;
    let id = told_story(&service, told("A dog ran.")).await;
    let why = service
        .get(&format!("/v1/stories/{id}/explain"))
        .await
        .json();
    assert_eq!(why["captions"][0]["text"], "A dog runs .");
    assert_eq!(why["map"], json!([]));
    service.stop().await;
}

#[tokio::test]
async fn only_what_is_told_and_there_is_explained() {
    let service = TestService::start().await;
    let waiting = service.accepted(&[]).await;
    let path = format!("/v1/stories/{waiting}/explain");
    service.get(&path).await.problem(409, "not_told");
    let claimed = service.claim().await;
    service.finish(&claimed, explained("A dog ran.")).await;
    let story = format!("/v1/stories/{waiting}");
    Answer::of(service.request(Method::DELETE, &story)).await;
    service.get(&path).await.problem(410, "data_removed");
    let nobody = "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11/explain";
    service.get(nobody).await.problem(404, "not_found");
    service.stop().await;
}

#[tokio::test]
async fn a_story_goes_on_from_another_with_that_ones_picture_or_its_own() {
    let service = TestService::start().await;
    let first = told_story(&service, told("A dog ran.")).await;
    let answer = goes_on(&service, &json!({"continue": first, "seed": 2})).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job = answer.json();
    assert_eq!(job["request"]["continue"], first);
    assert_eq!(
        job["image"]["bytes"],
        service.job(&first).await["image"]["bytes"]
    );
    assert_eq!(
        service.kept_pictures(),
        2,
        "each keeps a picture of its own"
    );
    let with_its_own = service.submit(&[("continue", &first)]).await;
    assert_eq!(with_its_own.status, 202, "{}", with_its_own.text());
    service.stop().await;
}

#[tokio::test]
async fn nothing_goes_on_from_what_is_not_told_or_not_there() {
    let service = TestService::start().await;
    let refused = async |earlier: &str, words: &str| {
        let answer = goes_on(&service, &json!({"continue": earlier})).await;
        let problem = answer.problem(422, "invalid_parameter");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains("continue") && detail.contains(words),
            "{detail}"
        );
    };
    let first = service.accepted(&[]).await;
    refused(&first, "wait until it is told").await;
    let claimed = service.claim().await;
    service.finish(&claimed, told("A dog ran.")).await;
    let strict = goes_on(&service, &json!({"continue": first, "compat": "strict"})).await;
    strict.problem(422, "invalid_parameter");
    let story = format!("/v1/stories/{first}");
    Answer::of(service.request(Method::DELETE, &story)).await;
    refused(&first, "taken back").await;
    refused("01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11", "there is no story").await;
    refused("yesterday", "yesterday").await;
    service.stop().await;
}

#[tokio::test]
async fn one_to_four_stories_can_be_wanted() {
    let service = TestService::start().await;
    for count in ["0", "5"] {
        let answer = service.submit(&[("count", count)]).await;
        answer.problem(422, "invalid_parameter");
    }
    let id = service.accepted(&[("count", "4")]).await;
    assert_eq!(service.job(&id).await["request"]["count"], 4);
    service.stop().await;
}
