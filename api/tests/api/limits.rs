//! What happens when much is asked at once, slowly, or for too long: memory is spent on nobody who has no turn, the
//! refusal arrives, and a stop drops nobody.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use api::{Config, Limits};
use jobs::{ErrorKind, JobError, Outcome, Rules};
use reqwest::Method;
use serde_json::json;
use testkit::{PATIENCE, SmallDisk, photos};

use crate::harness::{Answer, TestService, form, told};

async fn with(rules: Rules, limits: Limits) -> TestService {
    let config = Config {
        limits,
        ..Config::default()
    };
    TestService::start_with(rules, config).await
}

/// A submit under one key.
async fn keyed(service: &TestService) -> Answer {
    let request = service.request(Method::POST, "/v1/stories");
    let request = request.header("idempotency-key", "mine");
    Answer::of(request.multipart(form(photos::jpeg(), &[]))).await
}

/// A submit of which only the beginning is sent.
fn begun(service: &TestService) -> TcpStream {
    let mut connection = TcpStream::connect(service.address.trim_start_matches("http://")).unwrap();
    let head = "POST /v1/stories HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\
                Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    connection
}

async fn answer_of(mut connection: TcpStream) -> String {
    let read = tokio::task::spawn_blocking(move || {
        let mut answer = String::new();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = connection.read_to_string(&mut answer);
        answer
    });
    read.await.unwrap()
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_is_given_up() {
    let limits = Limits {
        upload_seconds: 1,
        ..Limits::default()
    };
    let service = with(Rules::default(), limits).await;
    let answer = answer_of(begun(&service)).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_too_slow"), "{answer}");
    assert_eq!(service.submit(&[]).await.status, 202);
    service.stop().await;
}

#[tokio::test]
async fn who_has_no_turn_to_send_is_told_to_come_again_and_nothing_is_read() {
    let limits = Limits {
        max_uploads: 1,
        turn_seconds: 0,
        ..Limits::default()
    };
    let service = with(Rules::default(), limits).await;
    let mut stalled = vec![begun(&service)];
    let busy = testkit::eventually("the only place is taken", async || {
        let answer = service.submit(&[]).await;
        if answer.status != 503 {
            // this very submit may have had the place when the stalled one came and was sent away
            stalled.push(begun(&service));
            return None;
        }
        Some(answer)
    })
    .await;
    busy.problem(503, "busy");
    assert!(busy.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(
        service.get("/v1/styles").await.status,
        200,
        "others are not held up"
    );
    drop(stalled);
    testkit::eventually("its place is free again", async || {
        (service.submit(&[]).await.status == 202).then_some(())
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn a_full_queue_is_said_before_the_picture_is_looked_at_but_not_to_who_asks_again() {
    let rules = Rules {
        max_queued: 1,
        ..Rules::default()
    };
    let service = with(rules, Limits::default()).await;
    assert_eq!(keyed(&service).await.status, 202);
    // not even a picture: nobody has looked
    let refused = service.submit_picture(b"no picture".to_vec(), &[]).await;
    refused.problem(429, "queue_full");
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    let again = keyed(&service).await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (202, "true")
    );
    assert_eq!(service.kept_pictures(), 1);
    service.stop().await;
}

#[tokio::test]
async fn texts_that_wait_are_bounded_together() {
    let rules = Rules {
        max_queued_text: 5000,
        ..Rules::default()
    };
    let service = with(rules, Limits::default()).await;
    let add = |name: &'static str| {
        let form = reqwest::multipart::Form::new()
            .text("name", name)
            .text("text", "It was a dark night. ".repeat(150));
        Answer::of(service.request(Method::POST, "/v1/styles").multipart(form))
    };
    assert_eq!(add("first").await.status, 202);
    add("second").await.problem(429, "queue_full");
    // one that has ended waits no more, however it did
    let claimed = service.claim().await;
    let failed = JobError::new(ErrorKind::TextUnusable, "it is no prose");
    service.finish(&claimed, Outcome::Failed(failed)).await;
    assert_eq!(add("second").await.status, 202);
    service.stop().await;
}

#[tokio::test]
async fn names_of_fields_and_pages_have_bounds() {
    let service = TestService::start().await;
    let name = "n".repeat(1000);
    for answer in [
        Answer::of(
            service
                .request(Method::POST, "/v1/stories")
                .json(&json!({(name.as_str()): 1})),
        )
        .await,
        service
            .submit(&[(Box::leak(name.clone().into_boxed_str()), "1")])
            .await,
    ] {
        let refused = answer.problem(422, "invalid_parameter");
        assert!(refused.to_string().len() < 600, "{refused}");
    }
    let many: serde_json::Map<String, serde_json::Value> = (0..100)
        .map(|number| (format!("n{number}"), json!(1)))
        .collect();
    let request = service.request(Method::POST, "/v1/stories").json(&many);
    Answer::of(request).await.problem(400, "malformed_request");

    let id = service.accepted(&[]).await;
    let claimed = service.claim().await;
    let Outcome::Succeeded(mut result) = told("The end.") else {
        panic!("a told story succeeds")
    };
    result.captions = vec![result.captions[0].clone(); 1000];
    service.finish(&claimed, Outcome::Succeeded(result)).await;
    let page = service.get("/v1/stories").await.json();
    assert_eq!(
        page["stories"][0]["result"]["captions"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let whole = service.job(&id).await;
    assert_eq!(whole["result"]["captions"].as_array().unwrap().len(), 1000);
    service.stop().await;
}

#[tokio::test]
async fn a_stop_says_first_that_it_is_not_ready_and_goes_on_answering() {
    let config = Config {
        stop_wait: PATIENCE,
        ..Config::default()
    };
    let service = TestService::start_with(Rules::default(), config).await;
    let id = service.accepted(&[]).await;
    service.ask_to_stop();
    let unready = service.get("/readyz").await;
    assert_eq!(unready.status, 503);
    assert!(unready.json()["reasons"]["service"].is_string());
    assert_eq!(service.get("/livez").await.status, 200);
    // whoever has not heard of it yet: over a new connection, and with a wait that is not cut short
    let fresh = reqwest::Client::new();
    let submit = fresh.post(format!("{}/v1/stories", service.address));
    assert_eq!(
        Answer::of(submit.multipart(form(photos::jpeg(), &[])))
            .await
            .status,
        202
    );
    let waited = service.get(&format!("/v1/stories/{id}?wait=1")).await;
    assert_eq!(
        (waited.status, &waited.json()["state"]),
        (200, &json!("queued"))
    );
}

#[tokio::test]
async fn the_numbers_of_the_limits_are_in_the_help_and_methods_are_counted_by_name() {
    let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_api"));
    asked.arg("--help");
    let help = tokio::task::spawn_blocking(move || asked.output().unwrap())
        .await
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for option in [
        "--max-connections",
        "--max-waits",
        "--max-uploads",
        "--max-open-uploads",
        "--upload-seconds",
        "--max-fetches",
        "--max-fetches-a-host",
        "--turn-seconds",
        "--max-queued",
        "--max-queued-mib",
        "--max-queued-text-mib",
        "--min-free-mib",
        "--max-attempts",
        "--lease-seconds",
        "--database-connections",
        "--keep-for",
        "--public-host",
        "--cors-origin",
        "--stop-wait-seconds",
        "--max-wrong-keys",
    ] {
        let at = help
            .find(&format!("{option} <"))
            .unwrap_or_else(|| panic!("{option}: {help}"));
        let words = &help[at..(at + 700).min(help.len())];
        assert!(
            words.contains("default") || option == "--public-host",
            "{words}"
        );
    }
    let service = TestService::start().await;
    Answer::of(service.request(Method::DELETE, "/v1/styles/nothing"))
        .await
        .problem(404, "not_found");
    let numbers = service.get("/metrics").await.text();
    assert!(
        numbers.contains(
            "storyteller_requests_total{method=\"DELETE\",route=\"/v1/styles/{name}\",status=\"404\"}"
        ),
        "{numbers}"
    );
    service.stop().await;
}

#[tokio::test]
async fn on_a_full_disk_accepted_stories_stay_and_new_ones_are_told_to_come_again() {
    let disk = SmallDisk::mount("1m");
    let service = TestService::start_in(disk.path().join("pictures"), 0).await;
    let id = service.accepted(&[]).await;
    std::fs::write(disk.path().join("others"), vec![7; 2 << 20]).unwrap_err();
    let full = service.submit(&[]).await;
    full.problem(503, "unavailable");
    assert!(full.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(service.get("/readyz").await.status, 503);
    let picture = service.get(&format!("/v1/stories/{id}/image")).await;
    assert_eq!((picture.status, picture.bytes), (200, photos::jpeg()));

    std::fs::remove_file(disk.path().join("others")).unwrap();
    assert_eq!(service.get("/readyz").await.status, 200);
    assert_eq!(service.submit(&[]).await.status, 202);
    tokio::time::timeout(Duration::from_secs(60), service.stop())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_last_of_a_disk_is_left_to_others_and_reading_goes_on() {
    let disk = SmallDisk::mount("1m");
    let service = TestService::start_in(disk.path().join("pictures"), 512 << 10).await;
    let id = service.accepted(&[]).await;
    std::fs::write(disk.path().join("others"), vec![7; 700 << 10]).unwrap();
    let refused = service.submit(&[]).await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(service.get("/readyz").await.status, 200);
    let picture = service.get(&format!("/v1/stories/{id}/image")).await;
    assert_eq!((picture.status, picture.bytes), (200, photos::jpeg()));
    std::fs::remove_file(disk.path().join("others")).unwrap();
    assert_eq!(service.submit(&[]).await.status, 202);
    service.stop().await;
}

#[tokio::test]
async fn pictures_that_wait_are_bounded_together_and_none_is_kept_in_vain() {
    let size = photos::jpeg().len() as u64;
    let rules = Rules {
        max_queued_bytes: 2 * size - 1,
        ..Rules::default()
    };
    let service = with(rules, Limits::default()).await;
    assert_eq!(keyed(&service).await.status, 202);
    let refused = service.submit(&[]).await;
    let problem = refused.problem(429, "queue_full");
    assert!(problem["detail"].as_str().unwrap().contains("MiB"));
    let again = refused.header("retry-after");
    assert_eq!(
        refused.header("ratelimit-policy"),
        format!("\"pictures\";q={};qu=\"content-bytes\"", 2 * size - 1)
    );
    assert_eq!(
        refused.header("ratelimit"),
        format!("\"pictures\";r={};t={again}", size - 1)
    );
    let again = keyed(&service).await;
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (202, "true")
    );
    assert_eq!(service.kept_pictures(), 1);
    service.claim().await;
    assert_eq!(service.submit(&[]).await.status, 202);
    service.stop().await;
}

#[tokio::test]
async fn a_submit_says_how_much_room_there_is() {
    let rules = Rules {
        max_queued: 2,
        ..Rules::default()
    };
    let service = TestService::start_with(rules, Config::default()).await;
    for left in ["\"queue\";r=1", "\"queue\";r=0"] {
        let answer = service.submit(&[]).await;
        assert_eq!(answer.header("ratelimit-policy"), "\"queue\";q=2");
        assert_eq!(answer.header("ratelimit"), left);
    }
    let full = service.submit(&[]).await;
    full.problem(429, "queue_full");
    let said = format!("\"queue\";r=0;t={}", full.header("retry-after"));
    assert_eq!(full.header("ratelimit"), said);
    service.stop().await;
}
