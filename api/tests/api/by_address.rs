//! Submits in JSON with the picture's address, and the webhooks of a story as a caller sees them.

use reqwest::Method;
use serde_json::{Value, json};

use jobs::delivery::{Claim, Verdict};
use std::time::Duration;

use crate::harness::{Answer, TestService, told};
use testkit::photos;
use testkit::receiver::{Receiver, Reply};

async fn submit(service: &TestService, body: &Value) -> Answer {
    Answer::of(service.request(Method::POST, "/v1/stories").json(body)).await
}

/// A server of pictures, good and bad.
async fn gallery() -> Receiver {
    Receiver::start(|request, _| match request.path.as_str() {
        "/dogs.jpg" => Reply::body(photos::jpeg()),
        "/moved" => Reply::to("/dogs.jpg"),
        "/text" => Reply::body("no picture"),
        "/huge" => Reply {
            missing: 1 << 40,
            ..Reply::body("x")
        },
        "/inside" => Reply::to("http://169.254.169.254/latest/meta-data/"),
        _ => Reply::status(404),
    })
    .await
}

#[tokio::test]
async fn a_picture_is_taken_by_its_address_with_the_fields_of_the_form() {
    let service = TestService::start().await;
    let gallery = gallery().await;
    for path in ["/dogs.jpg", "/moved"] {
        let body = json!({
            "image_url": gallery.url(path), "style": "romance", "beam_width": 7, "style_strength": 0.5,
            "mode": "sample", "seed": null, "metadata": {"album": "2026"}, "webhook_url": "https://example.com/hook",
            "webhook_events": ["story.failed", "story.expired"],
        });
        let answer = submit(&service, &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let job = answer.json();
        let request = &job["request"];
        assert_eq!(
            (&request["beam_width"], &request["style_strength"]),
            (&json!(7), &json!(0.5))
        );
        assert_eq!(request["metadata"], json!({"album": "2026"}));
        assert_eq!(
            request["webhook_events"],
            json!(["story.failed", "story.expired"])
        );
        assert_eq!(
            (&job["image"]["width"], &job["image"]["media_type"]),
            (&json!(32), &json!("image/jpeg"))
        );
    }
    assert_eq!(service.kept_pictures(), 2);
    service.stop().await;
}

#[tokio::test]
async fn a_picture_is_taken_by_its_address_in_a_form_too() {
    let service = TestService::start().await;
    let gallery = gallery().await;
    let form = reqwest::multipart::Form::new()
        .text("image_url", gallery.url("/dogs.jpg"))
        .text("webhook_url", "https://example.com/")
        .text("webhook_events", "story.failed, story.cancelled");
    let answer = Answer::of(service.request(Method::POST, "/v1/stories").multipart(form)).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(
        answer.json()["request"]["webhook_events"],
        json!(["story.failed", "story.cancelled"])
    );
    service.stop().await;
}

#[tokio::test]
async fn addresses_that_lead_to_no_picture_are_refused_by_kind() {
    let service = TestService::start().await;
    let gallery = gallery().await;
    for (url, status, kind, field) in [
        (gallery.url("/none"), 422, "fetch_failed", "image_url"),
        (gallery.url("/text"), 422, "image_unreadable", "image"),
        (gallery.url("/huge"), 413, "image_too_large", "image_url"),
        (gallery.url("/inside"), 422, "fetch_blocked", "image_url"),
        (
            "http://127.0.0.1:1/".to_owned(),
            422,
            "fetch_failed",
            "image_url",
        ),
        (
            "http://10.0.0.1/a.jpg".to_owned(),
            422,
            "fetch_blocked",
            "image_url",
        ),
        (
            "http://[::1]/a.jpg".to_owned(),
            422,
            "fetch_blocked",
            "image_url",
        ),
        (
            "file:///etc/passwd".to_owned(),
            422,
            "invalid_parameter",
            "image_url",
        ),
        ("dogs.jpg".to_owned(), 422, "invalid_parameter", "image_url"),
    ] {
        let problem = submit(&service, &json!({"image_url": url}))
            .await
            .problem(status, kind);
        assert_eq!(problem["field"], field, "{url}: {problem}");
    }
    assert_eq!(service.kept_pictures(), 0);
    service.stop().await;
}

#[tokio::test]
async fn json_that_is_no_request_is_refused() {
    let service = TestService::start().await;
    for (body, status, kind) in [
        (json!([1]), 400, "malformed_request"),
        (json!({}), 422, "invalid_parameter"),
        (json!({"image_url": 7}), 422, "invalid_parameter"),
        (
            json!({"image_url": "https://example.com/a.jpg", "beam": 3}),
            422,
            "invalid_parameter",
        ),
        (
            json!({"image_url": "https://example.com/a.jpg", "beam_width": [3]}),
            422,
            "invalid_parameter",
        ),
        (
            json!({"image_url": "https://example.com/a.jpg", "metadata": "x"}),
            422,
            "invalid_parameter",
        ),
        (
            json!({"image_url": "x".repeat(300_000)}),
            413,
            "body_too_large",
        ),
    ] {
        submit(&service, &body).await.problem(status, kind);
    }
    let cut = service
        .request(Method::POST, "/v1/stories")
        .header("content-type", "application/json; charset=utf-8")
        .body("{\"image_url\": ");
    Answer::of(cut).await.problem(400, "malformed_request");
    service.stop().await;
}

#[tokio::test]
async fn webhooks_that_cannot_be_sent_are_refused_at_submit() {
    let service = TestService::start().await;
    for (fields, field) in [
        (
            [("webhook_url", "hook"), ("style", "romance")],
            "webhook_url",
        ),
        (
            [("webhook_url", "http://8.8.8.8/"), ("style", "romance")],
            "webhook_url",
        ),
        (
            [
                ("webhook_url", "https://192.168.0.1/"),
                ("style", "romance"),
            ],
            "webhook_url",
        ),
        (
            [
                ("webhook_url", "https://me:pw@example.com/"),
                ("style", "romance"),
            ],
            "webhook_url",
        ),
        (
            [
                ("webhook_url", "https://example.com/"),
                ("webhook_events", "story.born"),
            ],
            "webhook_events",
        ),
        (
            [("webhook_events", "story.failed"), ("style", "romance")],
            "webhook_events",
        ),
    ] {
        let problem = service
            .submit(&fields)
            .await
            .problem(422, "invalid_parameter");
        assert_eq!(problem["field"], field, "{problem}");
    }
    service.stop().await;
}

#[tokio::test]
async fn deliveries_are_shown_attempt_by_attempt_and_replayed() {
    let service = TestService::start().await;
    let id = service
        .accepted(&[("webhook_url", "https://example.com/hook")])
        .await;
    let address = format!("/v1/stories/{id}/deliveries");
    assert_eq!(
        service.get(&address).await.json(),
        json!({"deliveries": []})
    );
    let claimed = service.claim().await;
    service.finish(&claimed, told("The end.")).await;

    let claim = Claim {
        most_a_host: 1,
        most_a_stranger: 1,
        ..Claim::one("test", Duration::from_secs(60))
    };
    let held = service
        .store
        .claim_deliveries(&claim)
        .await
        .unwrap()
        .pop()
        .unwrap();
    let failed = Verdict::Failed {
        status: Some(500),
        error: "the receiver answered 500".to_owned(),
    };
    service.store.finish_delivery(&held, &failed).await.unwrap();
    let shown = service.get(&address).await.json()["deliveries"][0].clone();
    assert_eq!(
        (&shown["event"], &shown["state"]),
        (&json!("story.succeeded"), &json!("failed"))
    );
    assert_eq!(shown["message"], format!("msg_{}_1", id.replace('-', "")));
    assert_eq!(
        (&shown["attempts"][0]["status"], &shown["due_at"]),
        (&json!(500), &Value::Null)
    );

    let replay = |number: &str| {
        Answer::of(service.request(Method::POST, &format!("{address}/{number}/replay")))
    };
    let replayed = replay("1").await;
    assert_eq!(replayed.status, 202, "{}", replayed.text());
    assert_eq!(replayed.json()["state"], "waiting");
    assert_eq!(
        service.store.claim_deliveries(&claim).await.unwrap().len(),
        1
    );
    service.stop().await;
}

#[tokio::test]
async fn deliveries_that_are_not_there_are_not_replayed() {
    let service = TestService::start().await;
    let id = service
        .accepted(&[("webhook_url", "https://example.com/hook")])
        .await;
    let address = format!("/v1/stories/{id}/deliveries");
    let replay = |number: &str| {
        Answer::of(service.request(Method::POST, &format!("{address}/{number}/replay")))
    };
    for number in ["1", "0", "-1", "x", "99999999999"] {
        replay(number).await.problem(404, "not_found");
    }
    let nobody = "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11";
    service
        .get(&format!("/v1/stories/{nobody}/deliveries"))
        .await
        .problem(404, "not_found");
    service.stop().await;
}

#[tokio::test]
async fn a_repeated_submit_is_known_by_the_address_and_nothing_is_fetched_again() {
    let service = TestService::start().await;
    let gallery = Receiver::start(|_, number| match number {
        1 => Reply::body(photos::jpeg()),
        _ => Reply::status(410),
    })
    .await;
    let submit = |path: &str, style: &str| {
        let body = json!({"image_url": gallery.url(path), "style": style});
        let request = service.request(Method::POST, "/v1/stories").json(&body);
        Answer::of(request.header("Idempotency-Key", "one"))
    };
    let first = submit("/dogs.jpg", "romance").await;
    assert_eq!(first.status, 202, "{}", first.text());
    let again = submit("/dogs.jpg", "romance").await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (202, "true")
    );
    assert_eq!(again.json()["id"], first.json()["id"]);
    for (path, style) in [("/cats.jpg", "romance"), ("/dogs.jpg", "gothic")] {
        submit(path, style)
            .await
            .problem(422, "idempotency_key_reused");
    }
    assert_eq!(gallery.heard().len(), 1);
    service.stop().await;
}
