//! One caller's event streams and waits: so many at once and no more, and a place is free again when one ends.

use std::time::Duration;

use api::{AccessOptions, Config, Limits};
use jobs::Rules;
use reqwest::{Method, RequestBuilder};

use crate::harness::{Answer, TestService};

/// Two at once for each caller; the test is a proxy that says who asks.
async fn two_at_once() -> TestService {
    let config = Config {
        limits: Limits {
            max_waits: 2,
            ..Limits::default()
        },
        access: AccessOptions {
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            ..AccessOptions::default()
        },
        ..Config::default()
    };
    TestService::start_with(Rules::default(), config).await
}

fn from(address: &str, request: RequestBuilder) -> RequestBuilder {
    request.header("x-forwarded-for", address)
}

async fn follow(service: &TestService, id: &str, address: &str) -> reqwest::Response {
    let path = format!("/v1/stories/{id}/events");
    let request = from(address, service.request(Method::GET, &path));
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_caller_with_too_many_streams_is_told_so_and_others_are_not_held_up() {
    let service = two_at_once().await;
    let id = service.accepted(&[]).await;
    let (one, other) = ("203.0.113.7", "203.0.113.8");
    let streams = [
        follow(&service, &id, one).await,
        follow(&service, &id, one).await,
    ];
    assert!(streams.iter().all(|stream| stream.status() == 200));

    let events = format!("/v1/stories/{id}/events");
    let wait = format!("/v1/stories/{id}?wait=60");
    for path in [&events, &wait] {
        let refused = Answer::of(from(one, service.request(Method::GET, path))).await;
        refused.problem(429, "too_many_waits");
        assert!(refused.header("retry-after").parse::<u64>().is_ok());
        assert_eq!(refused.header("ratelimit-policy"), "\"waits\";q=2");
    }
    // who does not wait is answered as ever
    let plain = from(
        one,
        service.request(Method::GET, &format!("/v1/stories/{id}")),
    );
    assert_eq!(Answer::of(plain).await.status, 200);
    assert_eq!(follow(&service, &id, other).await.status(), 200);

    drop(streams);
    testkit::eventually("the places are free again", async || {
        (follow(&service, &id, one).await.status() == 200).then_some(())
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn a_submit_that_may_not_wait_is_accepted_and_answered_at_once() {
    let service = two_at_once().await;
    let id = service.accepted(&[]).await;
    let caller = "2001:db8:1:2::1";
    let _streams = [
        follow(&service, &id, caller).await,
        follow(&service, &id, "2001:db8:1:2::2").await,
    ];
    let submit = service
        .request(Method::POST, "/v1/stories")
        .header("prefer", "wait=60")
        .multipart(crate::harness::form(testkit::photos::jpeg(), &[]));
    let submit = from(caller, submit).timeout(Duration::from_secs(20));
    let answer = Answer::of(submit).await;
    assert_eq!(
        (answer.status, answer.header("preference-applied")),
        (202, "")
    );
    service.stop().await;
}

#[tokio::test]
async fn who_asks_from_this_machine_without_a_key_may_be_many() {
    let service = two_at_once().await;
    let id = service.accepted(&[]).await;
    let follow = || {
        let path = format!("/v1/stories/{id}/events");
        service.request(Method::GET, &path).send()
    };
    let streams = tokio::try_join!(follow(), follow(), follow()).unwrap();
    let streams = [streams.0, streams.1, streams.2];
    assert!(streams.iter().all(|stream| stream.status() == 200));
    service.stop().await;
}
