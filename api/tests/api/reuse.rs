//! What need not be told twice, as callers meet it.

use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, TestService, form, told};
use testkit::photos;

async fn start() -> TestService {
    let service = TestService::start_reusing().await;
    service.register_styles(&["romance"]).await;
    service
}

async fn tell(service: &TestService, text: &str) {
    let claimed = service.claim().await;
    service.finish(&claimed, told(text)).await;
}

#[tokio::test]
async fn the_same_picture_with_the_same_wishes_is_answered_at_once_and_another_one_is_told() {
    let service = start().await;
    let first = service.submit(&[]).await.json();
    assert_eq!(
        (&first["cache"], &first["state"]),
        (&json!("miss"), &json!("queued"))
    );
    tell(&service, "They met.").await;
    let known = service
        .submit(&[("metadata", r#"{"album": "2026"}"#)])
        .await;
    assert_eq!((known.status, known.header("retry-after")), (202, ""));
    let known = known.json();
    assert_eq!(
        (&known["cache"], &known["state"]),
        (&json!("hit"), &json!("succeeded"))
    );
    assert_eq!(known["result"]["story"], "They met.");
    assert_eq!(known["request"]["metadata"]["album"], "2026");
    assert_eq!(
        service.submit(&[("seed", "2")]).await.json()["cache"],
        "miss"
    );
    let other = service
        .submit_picture(photos::encoded(ImageFormat::Png), &[])
        .await
        .json();
    assert_eq!(other["cache"], "miss");
    let anew = service
        .request(Method::POST, "/v1/stories")
        .header("cache-control", "max-age=0, no-cache")
        .multipart(form(photos::jpeg(), &[]));
    let anew = Answer::of(anew).await.json();
    assert_eq!(
        (&anew["cache"], &anew["state"]),
        (&json!("miss"), &json!("queued"))
    );
    service.stop().await;
}

#[tokio::test]
async fn who_asks_for_what_is_being_told_has_its_place_and_its_end() {
    let service = start().await;
    service.submit(&[]).await;
    let second = service.submit(&[]).await.json();
    assert_eq!(
        (&second["cache"], &second["position"], &second["due_at"]),
        (&json!("coalesced"), &json!(0), &Value::Null)
    );
    let path = format!("/v1/stories/{}", second["id"].as_str().unwrap());
    let patient = format!("{path}?wait=60");
    let claimed = service.claim().await;
    let waits = service.get(&path).await.json();
    assert_eq!(
        (&waits["state"], &waits["position"]),
        (&json!("queued"), &Value::Null)
    );
    let end = async { service.finish(&claimed, told("They met.")).await };
    let (answer, ()) = tokio::join!(service.get(&patient), end);
    assert_eq!(answer.json()["result"]["story"], "They met.");
    let events = service.get(&format!("{path}/events")).await.text();
    assert!(events.contains("event: end"), "{events}");
    service.stop().await;
}

#[tokio::test]
async fn a_story_that_is_deleted_leaves_those_of_others_alone() {
    let service = start().await;
    let first = service.accepted(&[]).await;
    let second = service.accepted(&[]).await;
    tell(&service, "They met.").await;
    let third = service.accepted(&[]).await;
    let delete = service.request(Method::DELETE, &format!("/v1/stories/{first}"));
    assert_eq!(Answer::of(delete).await.status, 204);
    for id in [second, third] {
        assert_eq!(service.job(&id).await["result"]["story"], "They met.");
        let picture = service.get(&format!("/v1/stories/{id}/image")).await;
        assert_eq!((picture.status, picture.bytes), (200, photos::jpeg()));
    }
    assert_eq!(service.kept_pictures(), 2);
    service.stop().await;
}
