//! Keys from end to end: made at the command line beside a running service, used by the program itself, and revoked.

use std::path::Path;
use std::process::{Output, Stdio};

use outbound::{Headers, Secret, Secrets};
use scripted::ScriptedEngine;
use testkit::postgres::{cache, open_folder};
use testkit::receiver::{Heard, Receiver};
use tokio::io::AsyncWriteExt as _;

use crate::harness::Service;

/// What the program does when this is typed about the keys of the service with this data.
async fn typed(data: &Path, words: &[&str], input: &str) -> Output {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_storyteller"))
        .arg("keys")
        .args(words)
        .arg("--data")
        .arg(data)
        .env("STORYTELLER_CACHE", cache())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = program.stdin.take().unwrap();
    // a program that reads nothing may have ended before
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    program.wait_with_output().await.unwrap()
}

/// What it prints when that goes well.
pub(crate) async fn keys(data: &Path, words: &[&str], input: &str) -> String {
    let output = typed(data, words, input).await;
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes a key and waits until the service asks for one.
pub(crate) async fn first_key(service: &Service, words: &[&str], input: &str) -> String {
    let create = [&["create", "--name", "Ada"], words].concat();
    let key = keys(service.data.path(), &create, input).await;
    testkit::eventually("the service asks for a key", async || {
        (service.get("/v1/stories").await.status == 401).then_some(())
    })
    .await;
    key
}

/// What the program does about stories, with a key in this variable.
async fn asks(service: &Service, words: &[&str], variable: (&str, &str)) -> Output {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_storyteller"));
    let program = program
        .args(words)
        .env("STORYTELLER_SERVER", &service.address)
        .envs([variable]);
    program.output().await.unwrap()
}

fn photo() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/photos/cat.jpg")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_made_beside_a_running_service_opens_it_until_it_is_revoked() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let data = service.data.path().to_owned();
    let key = first_key(&service, &["--stories-a-day", "2"], "").await;
    let none = asks(&service, &["list"], ("STORYTELLER_LOG", "info")).await;
    assert_eq!(none.status.code(), Some(1));
    let complaint = String::from_utf8(none.stderr).unwrap();
    assert!(complaint.contains("say who you are"), "{complaint}");

    let by_name = ("STORYTELLER_KEY", key.as_str());
    let told = asks(&service, &["submit", photo(), "--wait"], by_name).await;
    let story = String::from_utf8(told.stdout).unwrap();
    assert!(story.starts_with("Once upon a time"), "{story}");
    let file = data.join("my.key");
    std::fs::write(&file, format!("{key}\n")).unwrap();
    let by_file = ["list", "--key-file", file.to_str().unwrap()];
    let listed = asks(&service, &by_file, ("STORYTELLER_KEY", "st_wrong")).await;
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 1, "{listed}");

    let shown = &key[..11];
    let all = keys(&data, &["list"], "").await;
    assert!(all.starts_with(shown) && all.contains("today 1") && !all.contains(&key));
    let revoked = keys(&data, &["revoke", &key, "--json"], "").await;
    let revoked: serde_json::Value = serde_json::from_str(&revoked).unwrap();
    assert_eq!(
        (&revoked["prefix"], revoked["revoked_at"].is_string()),
        (&shown.into(), true)
    );
    testkit::eventually("the key opens nothing any more", async || {
        let asked = asks(&service, &["list"], by_name).await;
        (asked.status.code() == Some(1)).then_some(())
    })
    .await;
    let deeds = keys(&data, &["audit"], "").await;
    let deeds: Vec<&str> = deeds.lines().collect();
    assert!(
        deeds[0].contains("command line") && deeds[0].contains("key.revoked"),
        "{deeds:?}"
    );
    assert!(
        deeds[1].contains("key.created") && deeds[1].ends_with(shown),
        "{deeds:?}"
    );
    let unknown = typed(&data, &["revoke", "st_00000000"], "").await;
    assert_eq!(unknown.status.code(), Some(1));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_running_service_its_database_is_started_for_the_moment() {
    let data = open_folder();
    let first = keys(
        data.path(),
        &["create", "--name", "one", "--scope", "admin"],
        "",
    )
    .await;
    let second = keys(data.path(), &["create", "--name", "two", "--json"], "").await;
    let second: serde_json::Value = serde_json::from_str(&second).unwrap();
    assert_eq!(second["scope"], "write");
    assert!(second["secret"].as_str().unwrap().starts_with("st_"));
    let all = keys(data.path(), &["list"], "").await;
    assert!(
        all.lines().count() == 2 && all.starts_with(&first[..11]),
        "{all}"
    );
    let wrong = typed(
        data.path(),
        &["create", "--name", "x", "--scope", "root"],
        "",
    )
    .await;
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_of_a_key_are_signed_with_its_own_secret() {
    let service = Service::scripted(ScriptedEngine::new()).await;
    let (secret, receiver) = (Secret::new(), Receiver::answering(204).await);
    let no_secret = ["create", "--name", "x", "--webhook-secret"];
    let refused = typed(service.data.path(), &no_secret, "whsec_short\n").await;
    assert_eq!(refused.status.code(), Some(1));
    let words = ["--webhook-secret"];
    let key = first_key(&service, &words, &format!("{}\n", secret.reveal())).await;
    let url = receiver.url("/told");
    let words = ["submit", photo(), "--wait", "--webhook-url", &url];
    let told = asks(&service, &words, ("STORYTELLER_KEY", &key)).await;
    assert!(
        told.status.success(),
        "{}",
        String::from_utf8_lossy(&told.stderr)
    );
    let heard = testkit::eventually("the story is told of", async || receiver.heard().pop()).await;
    let usual = std::fs::read_to_string(service.data.path().join("webhook.secret")).unwrap();
    let old = Secrets::one(secret);
    assert!(is_signed(&heard, &old));
    assert!(!is_signed(&heard, &usual.parse().unwrap()));

    let new = Secret::new();
    let change = ["secret", &key];
    keys(service.data.path(), &change, &new.reveal()).await;
    let again = [&words[..], &["--seed", "2"]].concat();
    let told = asks(&service, &again, ("STORYTELLER_KEY", &key)).await;
    assert!(told.status.success());
    let heard = testkit::eventually("the other story is told of", async || {
        receiver.heard().get(1).cloned()
    })
    .await;
    assert!(is_signed(&heard, &old) && is_signed(&heard, &Secrets::one(new)));
    service.stop().await;
}

fn is_signed(heard: &Heard, secrets: &Secrets) -> bool {
    let headers = Headers {
        id: heard.headers["webhook-id"].clone(),
        timestamp: heard.headers["webhook-timestamp"].parse().unwrap(),
        signature: heard.headers["webhook-signature"].clone(),
        traceparent: None,
    };
    let now = chrono::Utc::now().timestamp();
    secrets.verify(&headers, &heard.body, now).is_ok()
}
