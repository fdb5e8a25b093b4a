//! Browsers: let in with a key, known by a cookie, and out again.

use std::time::Duration;

use api::{AccessOptions, Config};
use jobs::{Rules, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use super::{hands_in, key, keyed};
use crate::harness::{Answer, TestService};

async fn log_in(service: &TestService, key: &str, origin: &str) -> Answer {
    let request = service.request(Method::POST, "/v1/session");
    let host = origin.split("//").nth(1).unwrap().to_owned();
    let request = request.header("origin", origin).header("host", host);
    Answer::of(request.json(&json!({"key": key}))).await
}

/// The cookie of an answer as a browser sends it back, and its attributes.
fn cookie(answer: &Answer) -> (String, String) {
    let set = answer.header("set-cookie");
    let (pair, attributes) = set.split_once("; ").unwrap();
    (pair.to_owned(), attributes.to_owned())
}

async fn asks(service: &TestService, cookie: &str, method: Method, path: &str) -> Answer {
    let request = service.request(method, path).header("cookie", cookie);
    Answer::of(request).await
}

#[tokio::test]
async fn a_browser_is_let_in_with_a_key_and_known_by_a_cookie_no_script_can_read() {
    let service = keyed().await;
    let (write, own) = (key(&service, Scope::Write).await, service.address.clone());
    for wrong in ["", "st_1", jobs::Credential::new_key().reveal()] {
        log_in(&service, wrong, &own)
            .await
            .problem(401, "unauthorized");
    }
    let entered = log_in(&service, &format!(" {write}\n"), &own).await;
    assert_eq!(entered.status, 201, "{}", entered.text());
    assert_eq!(entered.json()["scope"], "write");
    let (cookie, attributes) = cookie(&entered);
    assert!(!cookie.contains(&write), "the key is kept nowhere");
    assert!(cookie.starts_with("storyteller=ses_"), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=60"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    assert!(!attributes.contains("Secure"));
    let me = asks(&service, &cookie, Method::GET, "/v1/session").await;
    assert_eq!(me.json()["key"], Value::from(&write[..11]));
    let others = format!("a=b; {cookie}; storyteller2=x");
    let list = asks(&service, &others, Method::GET, "/v1/stories").await;
    assert_eq!(list.status, 200);
    let left = asks(&service, &cookie, Method::DELETE, "/v1/session").await;
    assert_eq!(left.status, 204);
    assert!(left.header("set-cookie").contains("Max-Age=0"));
    asks(&service, &cookie, Method::GET, "/v1/stories")
        .await
        .problem(401, "unauthorized");
    service.stop().await;
}

#[tokio::test]
async fn behind_https_the_cookie_goes_nowhere_else() {
    let service = keyed().await;
    let write = key(&service, Scope::Write).await;
    let entered = log_in(&service, &write, "https://localhost").await;
    let (cookie, attributes) = cookie(&entered);
    assert!(cookie.starts_with("__Host-storyteller=ses_"), "{cookie}");
    assert!(attributes.contains("; Secure"), "{attributes}");
    let list = asks(&service, &cookie, Method::GET, "/v1/stories").await;
    assert_eq!(list.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn no_other_page_changes_anything_with_the_cookie_of_its_visitor() {
    let service = keyed().await;
    let (write, own) = (key(&service, Scope::Write).await, service.address.clone());
    let (cookie, _) = cookie(&log_in(&service, &write, &own).await);
    let post = |headers: &[(&'static str, &str)]| {
        let mut request = service.request(Method::POST, "/v1/stories");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.header("cookie", &cookie))
    };
    post(&[]).await.problem(403, "cross_site");
    post(&[("origin", "http://other.example")])
        .await
        .problem(403, "cross_site");
    post(&[("sec-fetch-site", "same-site")])
        .await
        .problem(403, "cross_site");
    post(&[("sec-fetch-site", "none")])
        .await
        .problem(403, "cross_site");
    // from here on it is about the body, which is none
    for fine in [("origin", own.as_str()), ("sec-fetch-site", "same-origin")] {
        let answer = post(&[fine]).await;
        answer.problem(415, "unsupported_media_type");
    }
    let foreign = service.request(Method::POST, "/v1/session");
    let foreign = foreign.header("origin", "http://other.example");
    Answer::of(foreign.json(&json!({"key": write})))
        .await
        .problem(403, "cross_site");
    service.stop().await;
}

#[tokio::test]
async fn who_loses_his_key_loses_his_sessions_and_what_happened_can_be_read() {
    let service = keyed().await;
    let (write, own) = (key(&service, Scope::Write).await, service.address.clone());
    let (cookie, _) = cookie(&log_in(&service, &write, &own).await);
    service.store.revoke_key(&write[..11]).await.unwrap();
    testkit::eventually("the session has ended", async || {
        let answer = asks(&service, &cookie, Method::GET, "/v1/stories").await;
        (answer.status == 401).then_some(())
    })
    .await;
    log_in(&service, &write, &own)
        .await
        .problem(401, "unauthorized");
    let deeds = service.store.audit(10).await.unwrap();
    let opened = deeds.iter().find(|deed| deed.what == "session.opened");
    let opened = opened.unwrap();
    assert_eq!(
        (opened.who.as_str(), opened.object.as_str()),
        (&write[..11], &write[..11])
    );
    assert_eq!(opened.origin.as_deref(), Some("127.0.0.1"));
    assert!(!format!("{deeds:?}").contains(&write));
    service.stop().await;
}

#[tokio::test]
async fn whoever_has_lost_his_key_hears_no_more_of_what_he_followed() {
    let config = Config {
        access: AccessOptions {
            require_keys: true,
            ..AccessOptions::default()
        },
        stream_heartbeat: Duration::from_millis(50),
        ..Config::default()
    };
    let service = TestService::start_with(Rules::default(), config).await;
    let write = key(&service, Scope::Write).await;
    let story = hands_in(&service, &write, &[]).await;
    let events = service.request(Method::GET, &format!("/v1/stories/{story}/events"));
    let mut events = events.bearer_auth(&write).send().await.unwrap();
    assert!(events.chunk().await.unwrap().is_some());
    service.store.revoke_key(&write[..11]).await.unwrap();
    let ended = async { while events.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(testkit::PATIENCE, ended)
        .await
        .expect("the stream ends although the story has not");
    service.stop().await;
}
