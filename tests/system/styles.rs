//! A text becomes a style over HTTP, with the networks of the starter bundle, and changes a real story.

use reqwest::multipart::{Form, Part};
use serde_json::Value;
use std::time::{Duration, Instant};

use crate::harness::Service;
use crate::training::tale;
use testkit::photos::photo;

const PATIENCE: Duration = Duration::from_secs(240);

async fn add(service: &Service, name: &str, text: String) {
    let form = Form::new()
        .text("name", name.to_owned())
        .part("text", Part::text(text).file_name("tale.txt"));
    let http = reqwest::Client::new();
    let path = format!("{}/v1/styles", service.address);
    let answer = http.post(path).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 202);
}

async fn made(service: &Service, name: &str) -> Value {
    let begun = Instant::now();
    loop {
        let style = service.get(&format!("/v1/styles/{name}")).await.json();
        if matches!(style["state"].as_str(), Some("ready" | "failed")) {
            return style;
        }
        assert!(begun.elapsed() < PATIENCE, "not made: {style}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn told(service: &Service, style: &str) -> String {
    let fields = [
        ("style", style),
        ("captions", "20"),
        ("beam_width", "3"),
        ("max_words", "40"),
    ];
    let id = service.accepted(&photo("coffee.jpg"), &fields).await;
    let job = service.finished(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    job["result"]["story"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_sent_over_http_becomes_a_style_and_changes_the_story() {
    let service = Service::real().await;
    let before = told(&service, "romance").await;
    add(&service, "harbour", tale()).await;
    add(&service, "tiny", tale()[..3000].to_owned()).await;
    let style = made(&service, "harbour").await;
    assert_eq!(style["state"], "ready", "{style}");
    assert!(style["passages"].as_u64().unwrap() >= 30, "{style}");
    let harbour = told(&service, "harbour").await;
    assert_ne!(harbour, before, "the new style changes nothing");
    assert_ne!(told(&service, "harbour:0.5,romance:0.5").await, harbour);
    assert_eq!(
        told(&service, "romance").await,
        before,
        "it changes the others"
    );
    let tiny = made(&service, "tiny").await;
    assert_eq!(tiny["error"]["type"], "/problems/text_unusable", "{tiny}");
    let message = tiny["error"]["message"].as_str().unwrap();
    assert!(message.contains("at least 30"), "{message}");
    service.stop().await;
}
