//! The whole system with its pictures in S3 and its callers' servers about it: real ones, killed and brought back.

use std::time::{Duration, Instant};

use outbound::{Headers, Secrets};
use pictures::ImageOptions;
use scripted::ScriptedEngine;
use serde_json::Value;

use crate::harness::{Service, small_picture};
use testkit::receiver::{Heard, Receiver, Reply};
use testkit::seaweedfs::{self, Weed};

const PATIENCE: Duration = Duration::from_secs(60);

/// The options of a service whose pictures lie in a new bucket of this server.
async fn bucket_at(server: &Weed) -> ImageOptions {
    let settings = seaweedfs::settings(&server.endpoint());
    let [access_key, secret_key] = seaweedfs::keys();
    seaweedfs::bucket_at(settings.clone()).await;
    ImageOptions {
        min_free_mib: 0,
        images: None,
        s3_bucket: Some(settings.bucket),
        s3_endpoint: settings.endpoint,
        s3_public_endpoint: None,
        s3_region: settings.region,
        s3_access_key: Some(access_key),
        s3_secret_key: Some(secret_key.into()),
        s3_session_token: None,
    }
}

async fn becomes<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The body of a webhook, once its signature has been compared with the secret that the service keeps.
fn verified(service: &Service, heard: &Heard) -> Value {
    let file = service.data.path().join("webhook.secret");
    let secrets: Secrets = std::fs::read_to_string(file).unwrap().parse().unwrap();
    let headers = Headers {
        id: heard.headers["webhook-id"].clone(),
        timestamp: heard.headers["webhook-timestamp"].parse().unwrap(),
        signature: heard.headers["webhook-signature"].clone(),
        traceparent: None,
    };
    secrets
        .verify(&headers, &heard.body, headers.timestamp)
        .unwrap();
    serde_json::from_slice(&heard.body).unwrap()
}

/// What a person sees who lists a story's webhooks and has the first one sent again.
async fn webhooks_of(service: &Service, id: &str) -> (String, String) {
    let typed = |arguments: Vec<String>| async {
        let program = tokio::process::Command::new(env!("CARGO_BIN_EXE_storyteller"))
            .arg("webhooks")
            .args(arguments)
            .output()
            .await
            .unwrap();
        assert!(
            program.status.success(),
            "{}",
            String::from_utf8_lossy(&program.stderr)
        );
        String::from_utf8(program.stdout).unwrap()
    };
    let server = ["--server", &service.address].map(str::to_owned);
    let about = |action: &str| {
        let head = [action.to_owned(), id.to_owned()];
        head.into_iter().chain(server.clone()).collect::<Vec<_>>()
    };
    assert!(typed(vec!["secret".to_owned()]).await.starts_with("whsec_"));
    let listed = typed(about("list")).await;
    (listed, typed(about("replay")).await)
}

/// Whether the list shows the first webhook waiting; who sends it may have it already.
fn begins_anew(list: &str) -> bool {
    let states = ["waiting", "sending"].iter();
    states
        .map(|state| format!("1  story.succeeded  {state}"))
        .any(|line| list.contains(&line))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_by_address_becomes_a_story_through_s3_and_a_webhook_tells_of_it() {
    let server = Weed::start();
    let service = Service::scripted_with(ScriptedEngine::new(), bucket_at(&server).await).await;
    let caller = Receiver::start(|request, _| match request.method.as_str() {
        "GET" => Reply::body(small_picture(5)),
        _ => Reply::status(204),
    })
    .await;
    let form = reqwest::multipart::Form::new()
        .text("image_url", caller.url("/picture.png"))
        .text("webhook_url", caller.url("/told"));
    let answer = service.post_form(form).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let job = service.finished(&id).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    let image = service.get(&format!("/v1/stories/{id}/image")).await;
    assert_eq!(
        (image.status, image.header("content-type")),
        (200, "image/png")
    );
    let stored = image::load_from_memory(&image.body).unwrap();
    let sent = image::load_from_memory(&small_picture(5)).unwrap();
    assert_eq!(stored, sent);
    assert!(
        !service.data.path().join("images").exists(),
        "a picture went to the disk"
    );

    let told = becomes("the webhook is sent", async || {
        caller
            .heard()
            .into_iter()
            .find(|heard| heard.path == "/told")
    })
    .await;
    let body = verified(&service, &told);
    assert_eq!(
        (&body["data"]["id"], &body["type"]),
        (&job["id"], &Value::from("story.succeeded"))
    );
    assert_eq!(body["data"]["result"]["story"], job["result"]["story"]);
    let (listed, replayed) = webhooks_of(&service, &id).await;
    assert!(
        listed.contains("1  story.succeeded  delivered  http://127.0.0.1:"),
        "{listed}"
    );
    assert!(begins_anew(&replayed), "{replayed}");
    becomes("the same message is sent again", async || {
        let heard = caller.heard().into_iter();
        let again =
            heard.filter(|heard| heard.headers.get("webhook-id") == told.headers.get("webhook-id"));
        (again.count() == 2).then_some(())
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_object_store_delays_stories_and_loses_none() {
    let mut server = Weed::start();
    let service = Service::scripted_with(ScriptedEngine::new(), bucket_at(&server).await).await;
    let slow = ("metadata", r#"{"script":"slow:200ms"}"#);
    let mut accepted = Vec::new();
    for seed in 0..40 {
        accepted.push(service.accepted(&small_picture(seed), &[slow]).await);
    }
    server.kill();
    becomes("the service says that it is not ready", async || {
        let ready = service.get("/readyz").await;
        (ready.status == 503).then_some(())
    })
    .await;
    let refused = service.submit(&small_picture(99), &[]).await;
    assert_eq!(refused.status, 503, "{}", refused.json());
    server.start_again();
    for id in &accepted {
        let job = service.finished(id).await;
        assert_eq!(
            (&job["state"], &job["attempts"]),
            (&Value::from("succeeded"), &Value::from(1)),
            "{job}"
        );
    }
    service.is_ready().await;
    assert_eq!(service.submit(&small_picture(99), &[]).await.status, 202);
    service.stop().await;
}
