//! Callers who ask for stories of their own, follow them through whichever API there is, share some and cancel some.
//! What must stay true: each answer is looked at, and a caller gives up on nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::photos;

use crate::programs::Program;

/// One story of so many is cancelled, and one is shared.
const CANCELLED: usize = 7;
const SHARED: usize = 3;
/// A story takes seconds, behind some others more.
const TOLD_WITHIN: Duration = Duration::from_secs(300);

/// All of them.
pub(crate) struct Callers {
    http: reqwest::Client,
    apis: Mutex<Vec<String>>,
    asked: AtomicUsize,
    requests: AtomicUsize,
    enough: AtomicBool,
    /// What became of each story that was accepted.
    ended: Mutex<BTreeMap<String, Value>>,
    faults: Mutex<Vec<String>>,
}

impl Callers {
    pub(crate) fn new() -> Callers {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60));
        Callers {
            http: http.build().unwrap(),
            apis: Mutex::default(),
            asked: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            enough: AtomicBool::new(false),
            ended: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// Of an API that is there from now on.
    pub(crate) fn may_ask(&self, api: &Program) {
        self.apis.lock().unwrap().push(api.address.clone());
    }

    /// Of one that is about to stop.
    pub(crate) fn may_not_ask(&self, api: &Program) {
        self.apis
            .lock()
            .unwrap()
            .retain(|known| *known != api.address);
    }

    /// Nobody asks for another story; those that are under way are followed to their end.
    pub(crate) fn enough(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    /// So many begin to ask.
    pub(crate) fn call(self: std::sync::Arc<Self>, count: usize) -> impl Future<Output = ()> {
        let callers = (0..count).map(|_| {
            let callers = self.clone();
            tokio::spawn(async move {
                while !callers.enough.load(Ordering::Relaxed) {
                    callers.one().await;
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        async move {
            for caller in callers {
                caller.await.unwrap();
            }
        }
    }

    async fn one(&self) {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let Some(job) = self.submit(number).await else {
            return;
        };
        let id = job["id"].as_str().unwrap().to_owned();
        if number.is_multiple_of(CANCELLED) {
            // it may have ended before, which is a 409
            self.ask(
                Method::POST,
                &format!("/v1/stories/{id}/cancel"),
                |request| request,
            )
            .await;
        }
        if number.is_multiple_of(SHARED) {
            let consent = json!({"shared": true});
            self.ask(
                Method::PUT,
                &format!("/v1/stories/{id}/shared"),
                |request| request.json(&consent),
            )
            .await;
        }
        let begun = Instant::now();
        let job = loop {
            let path = format!("/v1/stories/{id}?wait=5");
            let asked = self.ask(Method::GET, &path, |request| request);
            let job = asked.await.unwrap_or_default();
            if !matches!(job["state"].as_str(), Some("queued" | "running") | None) {
                break job;
            }
            if begun.elapsed() > TOLD_WITHIN {
                self.fault(format!("{id} is lost: {job}"));
                return;
            }
        };
        let wanted = job["state"] == "succeeded"
            || (job["state"] == "cancelled" && number.is_multiple_of(CANCELLED));
        if !wanted {
            self.fault(format!("{id} ended as {job}"));
        }
        self.ended.lock().unwrap().insert(id, job);
        for path in [
            "/v1/stories?limit=20",
            "/v1/gallery",
            "/v1/styles",
            "/readyz",
        ] {
            self.ask(Method::GET, path, |request| request).await;
        }
    }

    async fn submit(&self, number: usize) -> Option<Value> {
        let key = format!("upgrade-{number}");
        self.ask(Method::POST, "/v1/stories", |request| {
            let picture = Part::bytes(photos::numbered(number)).file_name("picture.png");
            let form = Form::new().text("max_words", "40").part("image", picture);
            request.header("Idempotency-Key", key).multipart(form)
        })
        .await
        .filter(|job| job["id"].is_string())
    }

    /// The answer of one of the APIs; what should not be is written down.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        more: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Option<Value> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let api = {
            let apis = self.apis.lock().unwrap();
            apis[number % apis.len()].clone()
        };
        let asked = more(
            self.http
                .request(method.clone(), format!("http://{api}{path}")),
        );
        match asked.send().await {
            Ok(answer) if answer.status().as_u16() < 500 => answer.json().await.ok(),
            Ok(answer) => {
                let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
                self.fault(format!(
                    "{method} {path} at {api} was answered {status}: {text}"
                ));
                None
            }
            Err(error) => {
                self.fault(format!(
                    "{method} {path} at {api} was not answered: {error:?}"
                ));
                None
            }
        }
    }

    fn fault(&self, fault: String) {
        self.faults.lock().unwrap().push(fault);
    }

    /// Every story is looked at once more; answers with all that was wrong.
    pub(crate) async fn look_back(&self) -> Vec<String> {
        let ended = self.ended.lock().unwrap().clone();
        for (id, before) in ended {
            let path = format!("/v1/stories/{id}");
            let now = self.ask(Method::GET, &path, |request| request).await;
            let now = now.unwrap_or_default();
            if now["state"] != before["state"]
                || now["result"]["story"] != before["result"]["story"]
            {
                self.fault(format!("{id} was {before}, and is {now}"));
            }
        }
        self.faults.lock().unwrap().clone()
    }
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.ended.lock().unwrap();
        let told = ended.values().filter(|job| job["state"] == "succeeded");
        write!(
            f,
            "{} requests, {} stories accepted and ended, {} of them told, {} faults",
            self.requests.load(Ordering::Relaxed),
            ended.len(),
            told.count(),
            self.faults.lock().unwrap().len()
        )
    }
}
