//! The callers: each submits pictures with a key until one of the APIs accepts, now and then twice, looks at stories
//! that were told, and is sent webhooks.
//! What must stay true: a caller gives up on nothing, so every job it meant to submit is accepted in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use outbound::{Headers, Secrets};
use rand::seq::IndexedRandom as _;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use uuid::Uuid;

use super::Plan;
use super::cast::{Cast, Role, SECRET};
use testkit::photos;
use testkit::receiver::{Heard, Receiver, Reply};

/// As many callers submit at once.
const AT_ONCE: usize = 6;
/// A receiver fails at one webhook of so many.
const REFUSED: usize = 40;
/// One job of so many is cancelled once it runs, if it does within this time.
const UNWANTED: usize = 9;
const RUNS_WITHIN: Duration = Duration::from_secs(30);
/// Jobs come in bursts, so that many are under way when something dies, and stories take the engine long enough.
const BURST: usize = 12;
const WISHES: [(&str, &str); 3] = [("captions", "10"), ("beam_width", "6"), ("max_words", "40")];

/// What the callers know at the end.
pub(super) struct Callers {
    pub(super) receiver: Receiver,
    pub(super) known: Mutex<Known>,
    pub(super) cast: Arc<Cast>,
    http: reqwest::Client,
    next: AtomicUsize,
    jobs: usize,
    every: Duration,
}

#[derive(Default)]
pub(super) struct Known {
    /// Requests sent to submit something, repeated ones included.
    pub(super) requests: usize,
    /// By their numbers: the job that was accepted.
    pub(super) accepted: BTreeMap<usize, Uuid>,
    /// Submits repeated under the same key after they were accepted.
    pub(super) repeated: usize,
    /// Jobs that somebody asked to cancel.
    pub(super) unwanted: BTreeSet<Uuid>,
    /// What should never be: other jobs for the same key, stories that change, answers nobody expects.
    pub(super) unexpected: Vec<String>,
    /// Stories that were seen before the end.
    seen: BTreeMap<Uuid, String>,
}

/// A job at the end, as the API shows it, and its webhooks.
pub(super) struct Settled {
    pub(super) job: Value,
    pub(super) deliveries: Vec<Value>,
}

impl Callers {
    pub(super) async fn new(plan: &Plan, cast: Arc<Cast>) -> Callers {
        let receiver = Receiver::start(|_, number| {
            Reply::status(if number.is_multiple_of(REFUSED) {
                503
            } else {
                204
            })
        });
        Callers {
            receiver: receiver.await,
            known: Mutex::default(),
            cast,
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(20))
                .build()
                .unwrap(),
            next: AtomicUsize::new(0),
            jobs: plan.jobs,
            every: Duration::from_secs(plan.seconds) / plan.jobs as u32,
        }
    }

    /// Submits every job.
    pub(super) async fn call(self: Arc<Self>) {
        let begun = Instant::now();
        let callers = (0..AT_ONCE).map(|_| {
            let callers = self.clone();
            tokio::spawn(async move {
                loop {
                    let number = callers.next.fetch_add(1, Ordering::Relaxed);
                    if number >= callers.jobs {
                        return;
                    }
                    let due = begun + callers.every * (number - number % BURST) as u32;
                    tokio::time::sleep_until(due.into()).await;
                    callers.one(number).await;
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    }

    async fn one(&self, number: usize) {
        let key = Uuid::new_v4().to_string();
        let id = self.accepted(number, &key).await;
        self.known.lock().unwrap().accepted.insert(number, id);
        if number.is_multiple_of(7) {
            let again = self.accepted(number, &key).await;
            let mut known = self.known.lock().unwrap();
            known.repeated += 1;
            if again != id {
                let what = format!("one key gave two jobs: {id} and {again}");
                known.unexpected.push(what);
            }
        }
        if number % UNWANTED == 4 {
            self.cancel(id).await;
        }
        let earlier = self
            .known
            .lock()
            .unwrap()
            .accepted
            .get(&(number / 2))
            .copied();
        if let Some(earlier) = earlier
            && let Some(job) = self.get(&format!("/v1/stories/{earlier}")).await
        {
            self.compare(earlier, &job);
        }
    }

    /// Cancels a job while it runs.
    async fn cancel(&self, id: Uuid) {
        let (begun, path) = (Instant::now(), format!("/v1/stories/{id}"));
        while begun.elapsed() < RUNS_WITHIN {
            let state = self.get(&path).await.map(|job| job["state"].clone());
            match state.as_ref().and_then(Value::as_str) {
                Some("running") => {
                    // before it is sent: it may be heard and its answer lost
                    self.known.lock().unwrap().unwanted.insert(id);
                    let sent = format!("http://{}{path}/cancel", self.api());
                    let sent = self.http.post(sent).send().await;
                    if sent.is_ok_and(|answer| answer.status().is_success()) {
                        return;
                    }
                }
                Some("queued") | None => {}
                Some(_) => return,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A story that was told once is never told differently.
    pub(super) fn compare(&self, id: Uuid, job: &Value) {
        let Some(story) = job["result"]["story"].as_str() else {
            return;
        };
        let mut known = self.known.lock().unwrap();
        let before = known
            .seen
            .entry(id)
            .or_insert_with(|| story.to_owned())
            .clone();
        if before != story {
            known
                .unexpected
                .push(format!("{id} was told twice: {before:?}, {story:?}"));
        }
    }

    async fn accepted(&self, number: usize, key: &str) -> Uuid {
        loop {
            self.known.lock().unwrap().requests += 1;
            let form = WISHES
                .iter()
                .fold(Form::new(), |form, (name, value)| form.text(*name, *value));
            let form = form.text("webhook_url", self.receiver.url("/told")).part(
                "image",
                Part::bytes(photos::numbered(number)).file_name("picture.png"),
            );
            let sent = self
                .http
                .post(format!("http://{}/v1/stories", self.api()))
                .header("Idempotency-Key", key)
                .multipart(form)
                .send()
                .await;
            if let Ok(answer) = sent {
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap_or_default();
                match (status, body["id"].as_str()) {
                    (202, Some(id)) => return id.parse().unwrap(),
                    // the same submit is still under way, too much waits, a server is away, or the API stood still
                    (408 | 409 | 429 | 503 | 202, _) => {}
                    _ => {
                        let what = format!("a submit was answered {status}: {body}");
                        self.known.lock().unwrap().unexpected.push(what);
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    fn api(&self) -> String {
        let apis = self.cast.of(Role::Api);
        apis.choose(&mut rand::rng()).unwrap().address.clone()
    }

    /// What one of the APIs answers, if it answers now.
    async fn get(&self, path: &str) -> Option<Value> {
        let answer = self
            .http
            .get(format!("http://{}{path}", self.api()))
            .send()
            .await
            .ok()?;
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }

    /// Every accepted job once it has ended and its webhooks are sent, or as it is when patience ends.
    pub(super) async fn settled(&self, patience: Duration) -> BTreeMap<Uuid, Settled> {
        let mut left: BTreeSet<Uuid> = self
            .known
            .lock()
            .unwrap()
            .accepted
            .values()
            .copied()
            .collect();
        let (begun, mut settled) = (Instant::now(), BTreeMap::new());
        while !left.is_empty() {
            let last_look = begun.elapsed() > patience;
            for id in left.clone() {
                let Some(job) = self.get(&format!("/v1/stories/{id}")).await else {
                    continue;
                };
                let deliveries = self.get(&format!("/v1/stories/{id}/deliveries")).await;
                let deliveries = deliveries.map_or_else(Vec::new, |all| {
                    all["deliveries"].as_array().cloned().unwrap_or_default()
                });
                let ended = !matches!(job["state"].as_str(), Some("queued" | "running"));
                let sent = deliveries.iter().all(|one| one["state"] == "delivered");
                if last_look || (ended && sent && !deliveries.is_empty()) {
                    self.compare(id, &job);
                    settled.insert(id, Settled { job, deliveries });
                    left.remove(&id);
                }
            }
            if last_look {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        settled
    }

    /// How many jobs the service knows in all.
    pub(super) async fn known_to_the_service(&self) -> BTreeSet<Uuid> {
        let (mut all, mut path) = (BTreeSet::new(), "/v1/stories?limit=100".to_owned());
        loop {
            let Some(page) = self.get(&path).await else {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            let stories = page["stories"].as_array().cloned().unwrap_or_default();
            all.extend(
                stories
                    .iter()
                    .filter_map(|job| job["id"].as_str()?.parse::<Uuid>().ok()),
            );
            match page["next"].as_str() {
                Some(next) => path = format!("/v1/stories?limit=100&cursor={next}"),
                None => return all,
            }
        }
    }

    /// The webhooks that were received: of each job the ids of those that were taken with a 2xx.
    pub(super) fn webhooks(&self) -> BTreeMap<Uuid, BTreeSet<String>> {
        let secrets: Secrets = SECRET.parse().unwrap();
        let mut of_jobs: BTreeMap<Uuid, BTreeSet<String>> = BTreeMap::new();
        for (before, heard) in self.receiver.heard().iter().enumerate() {
            let (id, job) = verified(&secrets, heard);
            if !(before + 1).is_multiple_of(REFUSED) {
                of_jobs.entry(job).or_default().insert(id);
            }
        }
        of_jobs
    }
}

/// The message's id and the job it is about, once its signature is found right.
fn verified(secrets: &Secrets, heard: &Heard) -> (String, Uuid) {
    let headers = Headers {
        id: heard.headers["webhook-id"].clone(),
        timestamp: heard.headers["webhook-timestamp"].parse().unwrap(),
        signature: heard.headers["webhook-signature"].clone(),
        traceparent: None,
    };
    secrets
        .verify(&headers, &heard.body, headers.timestamp)
        .unwrap();
    let body: Value = serde_json::from_slice(&heard.body).unwrap();
    (
        headers.id,
        body["data"]["id"].as_str().unwrap().parse().unwrap(),
    )
}
