//! What those who run the service rely on: readiness with reasons, a stop that lets nobody hang, honest 503s.
//! What must stay true: not ready is said before anything is refused, and no cause of a failure is shown.

use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Answer, TestService};

#[tokio::test]
async fn readiness_names_every_part_that_is_not_ready() {
    let service = TestService::start().await;
    assert_eq!(service.get("/livez").await.status, 200);
    let ready = service.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.json()),
        (200, serde_json::json!({"ready": true, "reasons": {}}))
    );
    service
        .health
        .not_ready("worker", "the networks are being loaded");
    let loading = service.get("/readyz").await;
    assert_eq!(loading.status, 503);
    assert_eq!(
        loading.json()["reasons"],
        serde_json::json!({"worker": "the networks are being loaded"})
    );
    service.health.ready("worker");
    assert_eq!(service.get("/readyz").await.status, 200);
    assert_eq!(service.submit(&[]).await.status, 202);
    service.stop().await;
}

#[tokio::test]
async fn without_its_database_it_lives_but_is_not_ready_and_says_try_again() {
    let service = TestService::start_with_own_server().await;
    let id = service.accepted(&[]).await;
    let service = service.lose_the_database().await;
    assert_eq!(service.get("/livez").await.status, 200);
    let ready = service.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["ready"]),
        (503, &false.into()),
        "{}",
        ready.text()
    );
    assert!(
        ready.json()["reasons"]["database"].is_string(),
        "{}",
        ready.text()
    );
    for answer in [
        service.get(&format!("/v1/stories/{id}")).await,
        service.submit().await,
        service.get("/v1/styles").await,
    ] {
        let problem = answer.problem(503, "unavailable");
        assert_eq!(problem["retryable"], true);
        assert!(answer.header("retry-after").parse::<u64>().is_ok());
        assert!(
            !answer.text().contains("postgres"),
            "a cause was shown: {problem}"
        );
    }
}

#[tokio::test]
async fn the_numbers_have_the_queue_and_the_requests_and_the_program_asks_for_health() {
    let service = TestService::start().await;
    service.accepted(&[]).await;
    let numbers = service.get("/metrics").await;
    assert!(numbers.header("content-type").starts_with("text/plain"));
    for line in [
        "storyteller_queue_jobs{state=\"queued\"} 1",
        "storyteller_ready 1",
        "storyteller_requests_total{method=\"POST\",route=\"/v1/stories\",status=\"202\"}",
    ] {
        assert!(numbers.text().contains(line), "{}", numbers.text());
    }
    let id = uuid::Uuid::now_v7();
    for nowhere in [format!("/v1/stories/{id}"), format!("/{id}")] {
        assert_eq!(service.get(&nowhere).await.status, 404);
    }
    let numbers = service.get("/metrics").await.text();
    for series in [
        "storyteller_requests_total{method=\"GET\",route=\"/v1/stories/{id}\",status=\"404\"}",
        "storyteller_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
        "storyteller_request_seconds_count{route=\"/v1/stories/{id}\"}",
    ] {
        assert!(numbers.contains(series), "{series} is not in {numbers}");
    }
    assert!(
        !numbers.contains(&id.to_string()),
        "labels do not grow with what is asked for"
    );
    let health = || {
        let address = service.address.trim_start_matches("http://");
        let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_api"));
        asked
            .args(["health", "--listen", address])
            .env_remove("DATABASE_URL");
        tokio::task::spawn_blocking(move || asked.output().unwrap())
    };
    assert!(health().await.unwrap().status.success());
    service.health.not_ready("worker", "gone for a walk");
    let unready = health().await.unwrap();
    assert!(!unready.status.success());
    assert!(String::from_utf8_lossy(&unready.stdout).contains("gone for a walk"));
    service.stop().await;
}

#[tokio::test]
async fn a_stop_answers_those_who_wait_at_once() {
    let service = TestService::start().await;
    let id = service.accepted(&[]).await;
    let address = service.address.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.unwrap();
    // In one write: whoever answers the first has read the second, so that the poll is known to wait when the stop comes.
    let requests = format!(
        "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n\
         GET /v1/stories/{id}?wait=25 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(requests.as_bytes()).await.unwrap();
    let mut read = vec![0; 12];
    connection.read_exact(&mut read).await.unwrap();
    assert_eq!(read, b"HTTP/1.1 200");
    let started = Instant::now();
    service.ask_to_stop();
    let mut rest = String::new();
    connection.read_to_string(&mut rest).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(15));
    let poll = &rest[rest.find("HTTP/1.1").expect("the poll is answered")..];
    assert!(poll.starts_with("HTTP/1.1 200"), "{poll}");
    assert!(poll.contains(r#""state":"queued""#), "{poll}");
    service.stop().await;
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_the_headers_that_keep_a_browser_safe() {
    let service = TestService::start().await;
    for path in ["/", "/v1/styles", "/nothing", "/v1/stories/x", "/livez"] {
        let answer = service.get(path).await;
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'"),
            "{path}"
        );
    }
    let own = Answer::of(
        service
            .request(Method::GET, "/livez")
            .header("x-request-id", "mine-1"),
    )
    .await;
    assert_eq!(own.header("x-request-id"), "mine-1");
    let wild = Answer::of(
        service
            .request(Method::GET, "/livez")
            .header("x-request-id", "a b\"c"),
    )
    .await;
    assert_ne!(wild.header("x-request-id"), "a b\"c");
    service.stop().await;
}
