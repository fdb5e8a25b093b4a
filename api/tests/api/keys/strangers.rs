//! Wrong keys, from where they come, and what the log says of the right ones.

use api::{AccessOptions, Config};
use jobs::{KeyLimits, NewKey, Outcome, Rules, Scope, Store};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::postgres;
use testkit::service::trouble;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{get, hands_in, key, key_like, new_key, with};
use crate::harness::{Answer, TestService};

const MOST: u32 = 3;

/// A service that takes three wrong keys a minute from one address, behind a proxy on this machine.
async fn strict() -> TestService {
    let config = Config {
        access: AccessOptions {
            require_keys: true,
            max_wrong_keys: MOST,
            trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
            ..AccessOptions::default()
        },
        ..Config::default()
    };
    TestService::start_with(Rules::default(), config).await
}

/// A key that is none, and is as much like one as possible.
fn wrong(good: &str, number: u32) -> String {
    format!("{}{number:08}", &good[..good.len() - 8])
}

/// A request that the proxy has from this address.
async fn from(service: &TestService, address: &str, key: &str) -> Answer {
    let request = service.request(Method::GET, "/v1/stories");
    with(key, request.header("x-forwarded-for", address)).await
}

#[tokio::test]
async fn an_address_that_shows_wrong_keys_waits_and_its_neighbours_do_not() {
    let service = strict().await;
    let (known, new) = (
        key(&service, Scope::Read).await,
        key(&service, Scope::Read).await,
    );
    let (guesser, neighbour) = ("203.0.113.7", "203.0.113.8");
    assert_eq!(from(&service, guesser, &known).await.status, 200);
    for number in 0..MOST {
        let answer = from(&service, guesser, &wrong(&known, number)).await;
        answer.problem(401, "unauthorized");
    }
    let refused = from(&service, guesser, &wrong(&known, 9)).await;
    refused.problem(429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert!(
        refused
            .header("ratelimit")
            .starts_with("\"wrong_keys\";r=0;t=")
    );
    // who was known before goes on, who was not waits with the guesser, and elsewhere nobody does
    assert_eq!(from(&service, guesser, &known).await.status, 200);
    from(&service, guesser, &new)
        .await
        .problem(429, "rate_limited");
    assert_eq!(from(&service, neighbour, &new).await.status, 200);
    // what the guesser writes himself before the proxy adds who he is changes nothing
    let claimed = format!("198.51.100.1, {guesser}");
    let refused = from(&service, &claimed, "nonsense").await;
    refused.problem(429, "rate_limited");
    service.stop().await;
}

#[tokio::test]
async fn a_login_with_wrong_keys_is_slowed_as_well() {
    let service = strict().await;
    let login = async |key: &str| {
        let request = service.request(Method::POST, "/v1/session");
        Answer::of(request.json(&json!({"key": key}))).await
    };
    let good = key(&service, Scope::Read).await;
    for number in 0..MOST {
        login(&wrong(&good, number))
            .await
            .problem(401, "unauthorized");
    }
    for wrong in [&wrong(&good, 9), "nonsense"] {
        login(wrong).await.problem(429, "rate_limited");
    }
    let from_elsewhere = service.request(Method::POST, "/v1/session");
    let from_elsewhere = from_elsewhere.header("x-forwarded-for", "203.0.113.9");
    let answer = Answer::of(from_elsewhere.json(&json!({"key": good}))).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    service.stop().await;
}

#[tokio::test]
async fn a_story_that_is_told_once_more_counts_as_one_that_is_handed_in() {
    let service = strict().await;
    let limits = KeyLimits {
        stories_a_day: Some(2),
        submits_a_minute: Some(100),
        ..KeyLimits::default()
    };
    let few = NewKey {
        limits,
        ..new_key(Scope::Write)
    };
    let few = key_like(&service, few).await;
    let story = hands_in(&service, &few, &[]).await;
    let retry = async || {
        let path = format!("/v1/stories/{story}/retry");
        with(&few, service.request(Method::POST, &path)).await
    };
    for left in [true, false] {
        let claimed = service.claim().await;
        service.finish(&claimed, Outcome::Failed(trouble())).await;
        let answer = retry().await;
        if left {
            assert_eq!(answer.json()["state"], "queued");
        } else {
            answer.problem(429, "quota_exceeded");
        }
    }
    let path = format!("/v1/stories/{story}");
    assert_eq!(get(&service, &few, &path).await.json()["state"], "failed");
    // the hand-in and the retry that was done; a key is remembered for some seconds
    testkit::eventually("both are counted", async || {
        let session = get(&service, &few, "/v1/session").await.json();
        (session["stories_today"] == 2).then_some(())
    })
    .await;
    service.stop().await;
}

#[tokio::test]
async fn the_log_names_the_key_of_a_request_and_never_its_secret() {
    let url = postgres::fresh().await;
    let store = Store::connect(&url, Rules::default()).await.unwrap();
    store.migrate().await.unwrap();
    let (made, secret) = store.create_key(new_key(Scope::Read)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_api"))
        .args(["--listen", "127.0.0.1:0", "--images"])
        .arg(folder.path())
        .env("DATABASE_URL", &url)
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(program.stderr.take().unwrap()).lines();
    let mut next = async |message: &str| -> Value {
        while let Some(line) = log.next_line().await.unwrap() {
            assert!(!line.contains(secret.reveal()), "{line}");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["fields"]["message"] == message {
                return line;
            }
        }
        panic!("the program ended before it said: {message}")
    };
    let listening = next("listening").await;
    let address = listening["fields"]["address"].as_str().unwrap();
    let asked = reqwest::Client::new()
        .get(format!("http://{address}/v1/stories"))
        .bearer_auth(secret.reveal());
    assert_eq!(Answer::of(asked).await.status, 200);
    let answered = next("answered").await;
    assert_eq!(answered["span"]["key"], json!(made.prefix), "{answered}");
    program.kill().await.unwrap();
}
