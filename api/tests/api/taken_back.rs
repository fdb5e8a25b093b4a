//! Taking a story back, showing it to everybody, and the gallery, as their callers meet them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, TestService, told};

async fn remove(service: &TestService, id: &str) -> Answer {
    let path = format!("/v1/stories/{id}");
    Answer::of(service.request(Method::DELETE, &path)).await
}

async fn share(service: &TestService, id: &str, body: &Value) -> Answer {
    let path = format!("/v1/stories/{id}/shared");
    Answer::of(service.request(Method::PUT, &path).json(body)).await
}

async fn told_story(service: &TestService, text: &str) -> String {
    let id = service
        .accepted(&[("metadata", r#"{"album":"mine"}"#)])
        .await;
    let claimed = service.claim().await;
    service.finish(&claimed, told(text)).await;
    id
}

#[tokio::test]
async fn a_story_that_is_taken_back_leaves_a_row_without_picture_text_and_captions() {
    let service = TestService::start().await;
    let id = told_story(&service, "She left.").await;
    assert_eq!(service.kept_pictures(), 1);
    for _ in 0..2 {
        let answer = remove(&service, &id).await;
        assert_eq!(
            (answer.status, answer.bytes.len()),
            (204, 0),
            "{}",
            answer.text()
        );
        assert_eq!(service.kept_pictures(), 0);
    }
    let job = service.job(&id).await;
    assert_eq!(
        (&job["state"], &job["data_removed"]),
        (&json!("succeeded"), &json!(true))
    );
    assert!(job["result"].is_null() && job["image"].is_null(), "{job}");
    assert!(!job.to_string().contains("She left."), "{job}");
    let image = service.get(&format!("/v1/stories/{id}/image")).await;
    image.problem(410, "data_removed");
    share(&service, &id, &json!({"shared": true}))
        .await
        .problem(410, "data_removed");
    remove(&service, "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11")
        .await
        .problem(404, "not_found");
    service.stop().await;
}

#[tokio::test]
async fn a_running_story_is_cancelled_when_it_is_taken_back() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    service.claim().await;
    assert_eq!(remove(&service, &id).await.status, 204);
    let job = service.job(&id).await;
    assert_eq!(
        (&job["state"], &job["data_removed"]),
        (&json!("cancelled"), &json!(true))
    );
    let retry = service.request(Method::POST, &format!("/v1/stories/{id}/retry"));
    Answer::of(retry).await.problem(410, "data_removed");
    service.stop().await;
}

#[tokio::test]
async fn everybody_sees_what_its_owner_shares_and_only_for_as_long() {
    let service = TestService::start().await;
    let id = told_story(&service, "They danced.").await;
    let private = told_story(&service, "Nobody knows.").await;
    let gallery = async || service.get("/v1/gallery").await.json();
    assert_eq!(gallery().await, json!({"stories": [], "next": null}));
    let shared = share(&service, &id, &json!({"shared": true})).await;
    assert_eq!(
        (shared.status, &shared.json()["shared"]),
        (200, &json!(true))
    );
    let shown = gallery().await;
    let story = &shown["stories"][0];
    assert_eq!(story["id"], id);
    assert_eq!(
        (&story["story"], &story["style"]),
        (&json!("They danced."), &json!("romance"))
    );
    assert_eq!(
        (&story["form"], story["shared_at"].is_string()),
        (&json!("prose"), true)
    );
    let picture = service.get(story["image"]["url"].as_str().unwrap()).await;
    assert_eq!(picture.status, 200);
    assert!(
        !shown.to_string().contains("mine"),
        "labels are their owner's: {shown}"
    );
    assert!(!shown.to_string().contains(&private), "{shown}");
    let hidden = share(&service, &id, &json!({"shared": false})).await;
    assert_eq!(hidden.json()["shared"], false);
    assert!(gallery().await["stories"].as_array().unwrap().is_empty());
    share(&service, &id, &json!({"shared": true})).await;
    remove(&service, &id).await;
    assert!(gallery().await["stories"].as_array().unwrap().is_empty());
    service.stop().await;
}

#[tokio::test]
async fn the_gallery_is_read_page_by_page() {
    let service = TestService::start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let id = told_story(&service, &format!("Story {number}.")).await;
        share(&service, &id, &json!({"shared": true})).await;
        ids.insert(0, id);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/gallery?limit=2".to_owned());
    loop {
        let answer = service.get(&path).await;
        let page = answer.json();
        let stories = page["stories"].as_array().unwrap();
        seen.extend(
            stories
                .iter()
                .map(|story| story["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            assert_eq!(answer.header("link"), "", "the last page leads nowhere");
            break;
        };
        path = format!("/v1/gallery?limit=2&cursor={next}");
        assert_eq!(answer.header("link"), format!("<{path}>; rel=\"next\""));
    }
    assert_eq!(seen, ids);
    for wrong in [
        "x",
        "1",
        "1.x",
        "99999999999999999999.0",
        "-1.01993e6a5d1c7e9bb2a56f0d7c1b8a11",
    ] {
        let page = service.get(&format!("/v1/gallery?cursor={wrong}")).await;
        assert_eq!(page.problem(422, "invalid_parameter")["field"], "cursor");
    }
    service.stop().await;
}

#[tokio::test]
async fn consent_that_cannot_be_read_is_no_consent() {
    let service = TestService::start().await;
    let id = told_story(&service, "Quiet.").await;
    for wrong in [
        json!({"shared": "yes"}),
        json!({}),
        json!({"shared": true, "to": "all"}),
        json!([]),
    ] {
        share(&service, &id, &wrong)
            .await
            .problem(422, "invalid_parameter");
    }
    let path = format!("/v1/stories/{id}/shared");
    let put = |kind: &str, body: &str| {
        let request = service
            .request(Method::PUT, &path)
            .header("content-type", kind);
        Answer::of(request.body(body.to_owned()))
    };
    put("application/json", "{\"shared\"")
        .await
        .problem(400, "malformed_request");
    put("text/plain", "true")
        .await
        .problem(415, "unsupported_media_type");
    let long = format!("{{\"shared\": true, \"x\": \"{}\"}}", "x".repeat(20_000));
    put("application/json", &long)
        .await
        .problem(413, "body_too_large");
    let foreign = service
        .request(Method::PUT, &path)
        .header("sec-fetch-site", "cross-site");
    Answer::of(foreign.json(&json!({"shared": true})))
        .await
        .problem(403, "cross_site");
    assert_eq!(service.job(&id).await["shared"], false);
    service.stop().await;
}
