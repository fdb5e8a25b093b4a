//! What a dispatcher promises: each end of a story is told, signed, once if all goes well and again if not.
//! The receivers are real HTTP servers; only a wait of the schedule itself is ever waited for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jobs::StoryRequest;
use jobs::delivery::{Delivery, DeliveryState};
use operation::Health;
use outbound::Client;
use outbound::{Headers, Secret, Secrets};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::dispatcher::{ChoreOptions, Chores};
use worker::{Dispatcher, Sending, dispatcher};

use crate::harness::{Service, picture, request};
use testkit::eventually;
use testkit::receiver::{Heard, Receiver, Reply};

/// A dispatcher that may reach this machine, and the secret it signs with.
pub(crate) fn sending() -> Sending {
    let client = Client::new("127.0.0.1".parse().unwrap()).unwrap();
    Sending::new(Secrets::one(Secret::new()), client)
}

/// Makes sure that a message is what it says, and answers with its body.
pub(crate) fn verified(heard: &Heard, secrets: &Secrets) -> serde_json::Value {
    let headers = Headers {
        id: heard.headers["webhook-id"].clone(),
        timestamp: heard.headers["webhook-timestamp"].parse().unwrap(),
        signature: heard.headers["webhook-signature"].clone(),
        traceparent: None,
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    secrets
        .verify(&headers, &heard.body, i64::try_from(now).unwrap())
        .unwrap();
    assert_eq!(
        (
            heard.method.as_str(),
            heard.headers["content-type"].as_str()
        ),
        ("POST", "application/json")
    );
    serde_json::from_slice(&heard.body).unwrap()
}

/// A dispatcher at work.
pub(crate) struct Running {
    shutdown: CancellationToken,
    handle: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.handle.await.unwrap();
    }

    /// Ends it at once, as a crash would.
    pub(crate) async fn vanish(self) {
        self.handle.abort();
        assert!(self.handle.await.unwrap_err().is_cancelled());
    }
}

impl Service {
    pub(crate) fn dispatcher(&self, sending: Sending) -> Running {
        let dispatcher = Dispatcher::new(sending, self.store.clone());
        let shutdown = CancellationToken::new();
        let work = dispatcher::run(
            Some(dispatcher),
            Chores::new(
                self.store.clone(),
                self.pictures.clone(),
                ChoreOptions::default(),
            ),
            Health::new(),
            shutdown.clone(),
        );
        Running {
            shutdown,
            handle: tokio::spawn(work),
        }
    }

    async fn submit_to(&self, url: String) -> Uuid {
        let request = StoryRequest {
            webhook_url: Some(url),
            ..request("")
        };
        self.submit_as(request, &picture()).await
    }

    /// A story that has been cancelled: the quickest end.
    pub(crate) async fn ended(&self, url: String) -> Uuid {
        let id = self.submit_to(url).await;
        self.store.cancel(id).await.unwrap();
        id
    }

    pub(crate) async fn delivery(&self, job: Uuid) -> Delivery {
        self.store.deliveries(job).await.unwrap().pop().unwrap()
    }

    pub(crate) async fn delivered(&self, job: Uuid) -> Delivery {
        eventually("a webhook is delivered", async || {
            let delivery = self.delivery(job).await;
            (delivery.state == DeliveryState::Delivered).then_some(delivery)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_story_is_told_at_once_signed_and_once() {
    let service = Service::start().await;
    let receiver = Receiver::answering(204).await;
    let sending = sending();
    let secrets = sending.secrets.clone();
    let dispatcher = service.dispatcher(sending);
    let worker = service.worker(1).await;
    let id = service.submit_to(receiver.url("/hook?of=mine")).await;
    let job = service.finished(id).await;
    let delivery = service.delivered(id).await;
    let took = delivery.ended_at.unwrap() - job.finished_at.unwrap();
    assert!(took.num_seconds() < 5, "it took {took}");

    let heard = receiver.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].path, "/hook?of=mine");
    let body = verified(&heard[0], &secrets);
    assert_eq!(body["type"], "story.succeeded");
    assert_eq!(body["data"]["id"], id.to_string());
    assert_eq!(body["data"]["state"], "succeeded");
    assert_eq!(body["data"]["result"]["story"], job.result.unwrap().story);
    assert_eq!(body["data"]["error"], serde_json::Value::Null);
    worker.stop().await;
    dispatcher.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_hears_the_same_message_again_after_five_seconds() {
    let service = Service::start().await;
    let receiver =
        Receiver::start(|_, number| Reply::status(if number == 1 { 500 } else { 200 })).await;
    let sending = sending();
    let secrets = sending.secrets.clone();
    let dispatcher = service.dispatcher(sending);
    let id = service.ended(receiver.url("/")).await;
    let delivery = service.delivered(id).await;
    let heard = receiver.heard();
    assert_eq!(
        heard[0].headers["webhook-id"],
        heard[1].headers["webhook-id"]
    );
    assert_ne!(
        heard[0].headers["webhook-timestamp"],
        heard[1].headers["webhook-timestamp"]
    );
    heard
        .iter()
        .for_each(|heard| drop(verified(heard, &secrets)));
    let waited = delivery.attempts[1].started_at - delivery.attempts[0].started_at;
    assert!(
        (4400..20_000).contains(&waited.num_milliseconds()),
        "{waited}"
    );
    dispatcher.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_success_is_shown_as_what_it_is() {
    let service = Service::start().await;
    let receiver = Receiver::start(|request, _| match request.path.as_str() {
        "/moved" => Reply::to("/elsewhere"),
        "/gone" => Reply::status(410),
        "/busy" => Reply::status(429).with("Retry-After", "3600"),
        _ => Reply::status(200),
    })
    .await;
    let dispatcher = Dispatcher::new(sending(), service.store.clone());
    let [moved, gone, busy] = [
        service.ended(receiver.url("/moved")).await,
        service.ended(receiver.url("/gone")).await,
        service.ended(receiver.url("/busy")).await,
    ];
    let closed = service.ended("http://127.0.0.1:1/".to_owned()).await;
    let inside = service.ended("https://10.0.0.1/".to_owned()).await;
    assert_eq!(dispatcher.work_once().await.unwrap(), 5);
    assert_eq!(
        dispatcher.work_once().await.unwrap(),
        0,
        "nothing is due again at once"
    );

    for (job, state, status, said) in [
        (moved, DeliveryState::Waiting, Some(302), "redirect"),
        (gone, DeliveryState::Disabled, Some(410), "410"),
        (busy, DeliveryState::Waiting, Some(429), "429"),
        (closed, DeliveryState::Waiting, None, "no connection"),
        (inside, DeliveryState::Failed, None, "not a public address"),
    ] {
        let delivery = service.delivery(job).await;
        let attempt = &delivery.attempts[0];
        assert_eq!(
            (delivery.state, attempt.status),
            (state, status),
            "{delivery:?}"
        );
        assert!(
            attempt.error.as_deref().unwrap().contains(said),
            "{delivery:?}"
        );
    }
    let asked = service.delivery(busy).await;
    let wait = asked.due_at - asked.attempts[0].started_at;
    assert!((3590..3700).contains(&wait.num_seconds()), "{wait}");
    assert!(
        receiver
            .heard()
            .iter()
            .all(|heard| heard.path != "/elsewhere")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dispatchers_share_the_work_and_no_attempt_is_sent_twice() {
    let service = Service::start().await;
    let receiver = Receiver::start(|_, _| Reply {
        pause: Duration::from_millis(20),
        ..Reply::status(200)
    })
    .await;
    let dispatchers: Vec<_> = (0..3).map(|_| service.dispatcher(sending())).collect();
    let mut jobs = Vec::new();
    for _ in 0..60 {
        jobs.push(service.ended(receiver.url("/")).await);
    }
    for job in jobs {
        assert_eq!(service.delivered(job).await.attempts.len(), 1);
    }
    let heard = receiver.heard();
    let messages: BTreeSet<_> = heard
        .iter()
        .map(|heard| &heard.headers["webhook-id"])
        .collect();
    assert_eq!((heard.len(), messages.len()), (60, 60));
    for dispatcher in dispatchers {
        dispatcher.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_does_not_hold_up_the_others() {
    let service = Service::start().await;
    let hanging = Receiver::start(|_, _| Reply {
        pause: Duration::from_secs(3600),
        ..Reply::status(200)
    })
    .await;
    let quick = Receiver::answering(200).await;
    for _ in 0..50 {
        service.ended(hanging.url("/")).await;
    }
    let mut jobs = Vec::new();
    for _ in 0..10 {
        jobs.push(service.ended(quick.url("/")).await);
    }
    let begun = Instant::now();
    let dispatcher = service.dispatcher(sending());
    for job in jobs {
        service.delivered(job).await;
    }
    assert!(
        begun.elapsed() < Duration::from_secs(14),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        hanging.heard().len() < 16,
        "{} at once to one host",
        hanging.heard().len()
    );
    dispatcher.vanish().await;
}

/// When an attempt was begun, in seconds.
fn begun(heard: &Heard) -> i64 {
    heard.headers["webhook-timestamp"].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_slow_receivers_leave_places_to_those_that_answer() {
    let service = Service::start().await;
    let quick = Receiver::answering(200).await;
    let dispatcher = service.dispatcher(sending());
    // somebody whom we know to answer
    let first = service.ended(quick.url("/")).await;
    service.delivered(first).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let hanging = Receiver::start(|_, _| Reply {
            pause: Duration::from_secs(3600),
            ..Reply::status(200)
        });
        slow.push(hanging.await);
    }
    // enough for all places and more
    for receiver in &slow {
        for _ in 0..6 {
            service.ended(receiver.url("/")).await;
        }
    }
    eventually("the slow ones have what they may have", async || {
        let heard: usize = slow.iter().map(|receiver| receiver.heard().len()).sum();
        (heard >= 24).then_some(())
    })
    .await;
    let jobs = [
        service.ended(quick.url("/")).await,
        service.ended(quick.url("/")).await,
    ];
    for job in jobs {
        service.delivered(job).await;
    }
    // whoever does not answer gives his place back after 15 s, which may pass here on a busy machine
    let mut first = Vec::new();
    for receiver in &slow {
        let mut begun: Vec<i64> = receiver.heard().iter().map(begun).collect();
        begun.sort_unstable();
        for (earlier, later) in begun.iter().zip(begun.iter().skip(4)) {
            assert!(later - earlier >= 14, "places of one stranger: {begun:?}");
        }
        first.extend(begun.into_iter().take(4));
    }
    first.sort_unstable();
    let last_of_the_quick = quick.heard().iter().map(begun).max().unwrap();
    assert!(
        last_of_the_quick < first[first.len().min(24) - 1] + 14,
        "the quick one did not wait for them to end"
    );
    dispatcher.vanish().await;
}
