//! Pages of other sites: those that an operator names may ask and read, without cookies; all others are told nothing.

use api::{AccessOptions, Config, Hosts};
use jobs::{Rules, Scope};
use reqwest::{Method, RequestBuilder};
use testkit::photos;

use crate::harness::{Answer, TestService, form};
use crate::keys::key;

const NAMED: &str = "https://app.example";
const OTHER: &str = "https://other.example";

async fn naming(origins: &[&str], require_keys: bool) -> TestService {
    let config = Config {
        hosts: Hosts {
            cors_origin: origins.iter().map(|&origin| origin.to_owned()).collect(),
            ..Hosts::default()
        },
        access: AccessOptions {
            require_keys,
            ..AccessOptions::default()
        },
        ..Config::default()
    };
    TestService::start_with(Rules::default(), config).await
}

/// What a browser asks before it lets a page of this origin submit.
fn preflight(service: &TestService, origin: &str) -> RequestBuilder {
    service
        .request(Method::OPTIONS, "/v1/stories")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,idempotency-key",
        )
}

fn submit(service: &TestService, origin: &str) -> RequestBuilder {
    service
        .request(Method::POST, "/v1/stories")
        .header("origin", origin)
        .header("sec-fetch-site", "cross-site")
        .multipart(form(photos::jpeg(), &[]))
}

#[tokio::test]
async fn a_page_of_a_named_site_asks_and_reads_answers_and_headers() {
    let service = naming(&[NAMED], true).await;
    let key = key(&service, Scope::Write).await;
    let may = Answer::of(preflight(&service, NAMED)).await;
    assert_eq!(may.status, 200, "{}", may.text());
    assert_eq!(may.header("access-control-allow-origin"), NAMED);
    assert!(may.header("access-control-allow-methods").contains("POST"));
    let headers = may.header("access-control-allow-headers").to_lowercase();
    assert!(headers.contains("authorization") && headers.contains("idempotency-key"));
    assert_eq!(may.header("access-control-max-age"), "3600");

    let accepted = Answer::of(submit(&service, NAMED).bearer_auth(&key)).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    assert_eq!(accepted.header("access-control-allow-origin"), NAMED);
    let readable = accepted
        .header("access-control-expose-headers")
        .to_lowercase();
    for header in [
        "location",
        "retry-after",
        "ratelimit",
        "etag",
        "x-request-id",
        "link",
    ] {
        assert!(readable.contains(header), "{header} is not in {readable}");
    }
    assert!(accepted.header("vary").to_lowercase().contains("origin"));

    // a page reads what was wrong, too, and no answer is for a page that is logged in
    let refused = Answer::of(submit(&service, NAMED)).await;
    refused.problem(401, "unauthorized");
    assert_eq!(refused.header("access-control-allow-origin"), NAMED);
    for answer in [&may, &accepted, &refused] {
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_may_not_ask_and_is_told_nothing() {
    let service = naming(&[NAMED], false).await;
    for origin in [
        OTHER,
        "null",
        "https://app.example.other.example",
        "http://app.example",
    ] {
        let may = Answer::of(preflight(&service, origin)).await;
        assert_eq!(may.header("access-control-allow-origin"), "", "{origin}");
        let refused = Answer::of(submit(&service, origin)).await;
        refused.problem(403, "cross_site");
        assert_eq!(
            refused.header("access-control-allow-origin"),
            "",
            "{origin}"
        );
        let seen = service
            .request(Method::GET, "/v1/stories")
            .header("origin", origin);
        assert_eq!(
            Answer::of(seen).await.header("access-control-allow-origin"),
            ""
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn a_page_of_a_named_site_cannot_use_the_cookie_of_its_visitor() {
    let service = naming(&[NAMED], true).await;
    let key = key(&service, Scope::Write).await;
    let login = service
        .request(Method::POST, "/v1/session")
        .header("origin", &service.address)
        .json(&serde_json::json!({"key": key}));
    let login = Answer::of(login).await;
    let cookie = login
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert!(cookie.contains('='), "{}", login.text());
    let lured = submit(&service, NAMED).header("cookie", &cookie);
    Answer::of(lured).await.problem(403, "cross_site");
    assert_eq!(service.kept_pictures(), 0);
    service.stop().await;
}

#[tokio::test]
async fn without_a_named_site_no_answer_speaks_of_origins() {
    let service = TestService::start().await;
    let may = Answer::of(preflight(&service, NAMED)).await;
    may.problem(405, "method_not_allowed");
    let seen = service
        .request(Method::GET, "/v1/stories")
        .header("origin", NAMED);
    for answer in [may, Answer::of(seen).await] {
        let told = answer
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control"));
        assert!(!told, "{:?}", answer.headers);
    }
    service.stop().await;
}
