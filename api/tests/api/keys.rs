//! Who may ask what: every operation of the OpenAPI document with no key, bad ones, one of each scope, and another's.
//! What must stay true: the list of operations comes from the document, so a new one cannot be forgotten here, and those that
//! take no key are named one by one.

mod limits;
mod sessions;
mod strangers;

use api::{AccessOptions, Config};
use chrono::{DateTime, Utc};
use jobs::{KeyLimits, NewKey, Outcome, Rules, Scope};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use testkit::photos;

use crate::harness::{Answer, TestService, form, told};

/// What takes no key.
const OPEN: [&str; 10] = [
    "get /v1/gallery",
    "post /v1/session",
    "delete /v1/session",
    "get /problems",
    "get /problems/{kind}",
    "get /livez",
    "get /readyz",
    "get /metrics",
    "get /openapi.json",
    // documented as a page only
    "get /docs/",
];

/// What only the owner of something knows.
const SECRET: &str = "the-owners-own-words";

pub(super) async fn keyed() -> TestService {
    let config = Config {
        access: AccessOptions {
            require_keys: true,
            // tests of everything else show many
            max_wrong_keys: 100_000,
            ..AccessOptions::default()
        },
        ..Config::default()
    };
    TestService::start_with(Rules::default(), config).await
}

pub(super) fn new_key(scope: Scope) -> NewKey {
    NewKey {
        name: format!("a test's {}", scope.name()),
        scope,
        expires_at: None,
        limits: KeyLimits::default(),
        webhook_secret: None,
    }
}

pub(super) async fn key(service: &TestService, scope: Scope) -> String {
    key_like(service, new_key(scope)).await
}

pub(super) async fn key_like(service: &TestService, new: NewKey) -> String {
    let (_, secret) = service.store.create_key(new).await.unwrap();
    secret.reveal().to_owned()
}

/// Asks with a key.
pub(super) async fn with(key: &str, request: RequestBuilder) -> Answer {
    Answer::of(request.bearer_auth(key)).await
}

pub(super) async fn get(service: &TestService, key: &str, path: &str) -> Answer {
    with(key, service.request(Method::GET, path)).await
}

/// Hands in a picture; the id of its story.
pub(super) async fn hands_in(
    service: &TestService,
    key: &str,
    fields: &[(&'static str, &str)],
) -> String {
    let request = service.request(Method::POST, "/v1/stories");
    let answer = with(key, request.multipart(form(photos::jpeg(), fields))).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Everything that a key can own.
struct Things {
    story: String,
    batch: String,
    style: String,
}

impl Things {
    async fn of(service: &TestService, key: &str, number: usize) -> Self {
        let label = format!(r#"{{"label":"{SECRET}"}}"#);
        let url = "http://127.0.0.1:9/told";
        let story = hands_in(service, key, &[("metadata", &label), ("webhook_url", url)]).await;
        let claimed = service.claim().await;
        service.finish(&claimed, told(SECRET)).await;
        let batches = service.request(Method::POST, "/v1/batches");
        let batch = with(key, batches.multipart(form(photos::jpeg(), &[]))).await;
        assert_eq!(batch.status, 202, "{}", batch.text());
        let claimed = service.claim().await;
        service.finish(&claimed, told(SECRET)).await;
        let style = format!("style-{number}");
        let text = reqwest::multipart::Form::new()
            .text("name", style.clone())
            .text("text", SECRET);
        let styles = service.request(Method::POST, "/v1/styles");
        let added = with(key, styles.multipart(text)).await;
        assert_eq!(added.status, 202, "{}", added.text());
        // so that it waits for no worker and is listed
        let claimed = service.claim().await;
        let learnt = jobs::LearntStyle {
            bundle: "test-1-abc".to_owned(),
            passages: 30,
            found: 30,
            known: 99.0,
            vector: vec![0.5],
        };
        service.finish(&claimed, Outcome::Learnt(learnt)).await;
        Things {
            story,
            batch: batch.json()["id"].as_str().unwrap().to_owned(),
            style,
        }
    }

    /// Things that are not there.
    fn nobodys() -> Self {
        let nobody = "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11".to_owned();
        Things {
            story: nobody.clone(),
            batch: nobody,
            style: "style-9".to_owned(),
        }
    }

    /// The address of this operation, about these things.
    fn address(&self, path: &str) -> String {
        let id = if path.contains("/batches/") {
            &self.batch
        } else {
            &self.story
        };
        path.replace("{id}", id)
            .replace("{number}", "1")
            .replace("{name}", &self.style)
            .replace("{kind}", "not_found")
    }
}

/// Every operation of the document: method and path.
async fn operations(service: &TestService) -> Vec<(Method, String)> {
    let document = service.get("/openapi.json").await.json();
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            found.push((method, path.clone()));
        }
    }
    assert!(found.len() > 20, "{found:?}");
    for (method, path) in &found {
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let said = operation["security"].is_array() && operation["responses"]["401"].is_object();
        assert_eq!(said, !is_open(method, path), "{method} {path}");
    }
    found
}

fn is_open(method: &Method, path: &str) -> bool {
    OPEN.contains(&format!("{} {path}", method.as_str().to_lowercase()).as_str())
}

fn looks(method: &Method) -> bool {
    *method == Method::GET
}

#[tokio::test]
async fn without_a_good_key_nothing_is_answered_but_what_is_open() {
    let service = keyed().await;
    let owner = key(&service, Scope::Write).await;
    service.register_styles(&["romance"]).await;
    let things = Things::of(&service, &owner, 0).await;
    let expired = NewKey {
        expires_at: Some(DateTime::<Utc>::UNIX_EPOCH),
        ..new_key(Scope::Admin)
    };
    let expired = key_like(&service, expired).await;
    let revoked = key(&service, Scope::Admin).await;
    let (shown, _) = revoked.rsplit_once('_').unwrap();
    service.store.revoke_key(shown).await.unwrap().unwrap();
    let stranger = jobs::Credential::new_key();
    let cut = &owner[..owner.len() - 1];
    let bad = ["", "x", cut, &expired, &revoked, stranger.reveal()];
    for (method, path) in operations(&service).await {
        let address = things.address(&path);
        let request = || service.request(method.clone(), &address);
        let mut answers = vec![Answer::of(request()).await];
        for bad in bad {
            answers.push(with(bad, request()).await);
            answers.push(Answer::of(request().header("x-api-key", bad)).await);
        }
        answers.push(Answer::of(request().basic_auth("ada", Some(&owner))).await);
        for answer in answers {
            let unknown = answer.status == 401;
            // logging in without a body is no matter of keys
            assert_eq!(
                unknown,
                !is_open(&method, &path),
                "{method} {path}: {}",
                answer.text()
            );
            assert!(!answer.text().contains(SECRET), "{method} {path}");
            if unknown {
                answer.problem(401, "unauthorized");
                assert!(answer.header("www-authenticate").starts_with("Bearer"));
            }
        }
    }
    let unwritten = service.get("/v1/anything-new").await;
    unwritten.problem(401, "unauthorized");
    service.stop().await;
}

#[tokio::test]
async fn looking_takes_read_and_everything_else_takes_write() {
    let service = keyed().await;
    service.register_styles(&["romance"]).await;
    let (mut number, owner) = (0, key(&service, Scope::Admin).await);
    let reader = key(&service, Scope::Read).await;
    for (method, path) in operations(&service).await {
        if is_open(&method, &path) {
            continue;
        }
        number += 1;
        let things = Things::of(&service, &owner, number).await;
        let address = things.address(&path);
        let request = || service.request(method.clone(), &address);
        let read = with(&reader, request()).await;
        if looks(&method) {
            assert!(
                ![401, 403].contains(&read.status),
                "{path}: {}",
                read.text()
            );
        } else {
            read.problem(403, "scope_missing");
        }
        let own = with(&owner, request()).await;
        assert!(
            ![401, 403, 404].contains(&own.status),
            "{method} {path}: {}",
            own.text()
        );
        let plain = Answer::of(request().header("x-api-key", &owner)).await;
        assert!(![401, 403].contains(&plain.status), "{method} {path}");
    }
    assert!(number > 12, "{number}");
    service.stop().await;
}

/// What a refusal says, whatever the thing at this address is called.
fn said(answer: &Answer, address: &str) -> String {
    let name = address.split('/').nth(3).unwrap();
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    detail.replace(name, "NAME")
}

#[tokio::test]
async fn what_is_anothers_is_not_there_and_an_admin_sees_all() {
    let service = keyed().await;
    service.register_styles(&["romance"]).await;
    let (owner, other, admin) = (
        key(&service, Scope::Write).await,
        key(&service, Scope::Write).await,
        key(&service, Scope::Admin).await,
    );
    let things = Things::of(&service, &owner, 0).await;
    let before = get(&service, &owner, &things.address("/v1/stories/{id}")).await;
    for (method, path) in operations(&service).await {
        let address = things.address(&path);
        let request = service.request(method.clone(), &address);
        let foreign = with(&other, request).await;
        assert!(!foreign.text().contains(SECRET), "{method} {path}");
        assert!(
            !foreign.text().contains("style-0") || path.contains("{name}"),
            "{path}"
        );
        if path.contains("{id}") || path.contains("{name}") {
            foreign.problem(404, "not_found");
            let nothing = Things::nobodys();
            let request = service.request(method.clone(), &nothing.address(&path));
            let nothing = with(&other, request).await;
            assert_eq!(
                said(&foreign, &address),
                said(&nothing, &Things::nobodys().address(&path)),
                "{method} {path}: as if it were not there"
            );
        }
        // what else a handler might read as an id is nobody's
        if path.contains("{id}") {
            let odd = path.replace("{id}", &format!("{{{}}}", things.story));
            let odd = with(&other, service.request(method.clone(), &odd)).await;
            assert_eq!(odd.status, 404, "{method} {path}: {}", odd.text());
        }
    }
    let after = get(&service, &owner, &things.address("/v1/stories/{id}")).await;
    assert_eq!(before.json(), after.json(), "nothing has happened to it");
    assert!(after.text().contains(SECRET));
    for path in [
        "/v1/stories/{id}",
        "/v1/batches/{id}",
        "/v1/styles/{name}",
        "/v1/stories/{id}/deliveries",
    ] {
        let seen = get(&service, &admin, &things.address(path)).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.text());
    }
    for (who, count) in [(&owner, 2), (&other, 0), (&admin, 2)] {
        for list in ["/v1/stories", "/v1/stories?state=succeeded"] {
            let listed = get(&service, who, list).await.json();
            assert_eq!(listed["stories"].as_array().unwrap().len(), count, "{list}");
        }
        let styles = get(&service, who, "/v1/styles").await.text();
        assert_eq!(styles.contains("style-0"), count > 0, "{styles}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_is_shared_is_for_everybody_and_only_for_as_long() {
    let service = keyed().await;
    let owner = key(&service, Scope::Write).await;
    let things = Things::of(&service, &owner, 0).await;
    let image = things.address("/v1/stories/{id}/image");
    service.get(&image).await.problem(401, "unauthorized");
    let share = |shared: bool| {
        let path = things.address("/v1/stories/{id}/shared");
        let request = service.request(Method::PUT, &path);
        with(&owner, request.json(&serde_json::json!({"shared": shared})))
    };
    assert_eq!(share(true).await.status, 200);
    assert_eq!(service.get(&image).await.status, 200);
    let gallery = service.get("/v1/gallery").await.text();
    assert!(gallery.contains(&things.story), "{gallery}");
    let whole = things.address("/v1/stories/{id}");
    service.get(&whole).await.problem(401, "unauthorized");
    assert_eq!(share(false).await.status, 200);
    service.get(&image).await.problem(401, "unauthorized");
    service.stop().await;
}

#[tokio::test]
async fn a_service_asks_for_keys_from_its_first_one_on_and_for_good() {
    let service = TestService::start().await;
    let before = service.accepted(&[]).await;
    assert_eq!(service.get("/v1/session").await.json()["key"], Value::Null);
    let first = key(&service, Scope::Admin).await;
    testkit::eventually("nobody is let in without a key", async || {
        let answer = service.get("/v1/stories").await;
        (answer.status == 401).then_some(())
    })
    .await;
    let path = format!("/v1/stories/{before}");
    assert_eq!(get(&service, &first, &path).await.status, 200);
    let other = key(&service, Scope::Write).await;
    get(&service, &other, &path).await.problem(404, "not_found");
    for key in service.store.keys().await.unwrap() {
        service.store.revoke_key(&key.prefix).await.unwrap();
    }
    testkit::eventually("the last key is worth nothing any more", async || {
        (get(&service, &first, &path).await.status == 401).then_some(())
    })
    .await;
    service.get(&path).await.problem(401, "unauthorized");
    service.stop().await;
}
