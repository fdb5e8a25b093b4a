//! What the store promises about webhooks: nothing that is to be said gets lost, and nothing is said by two at once.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::delivery::{Claim, DeliveryState, Verdict};
use jobs::{Outcome, StoryRequest, Written};
use uuid::Uuid;

use testkit::Service;
use testkit::service::{told, trouble};

const URL: &str = "https://example.com/hook";

fn with_webhook(events: &[&str]) -> StoryRequest {
    StoryRequest {
        webhook_url: Some(URL.to_owned()),
        webhook_events: events.iter().map(|&event| event.to_owned()).collect(),
        ..StoryRequest::default()
    }
}

fn again(wait: Duration) -> Verdict {
    Verdict::Again {
        status: Some(503),
        error: "busy".to_owned(),
        wait,
    }
}

#[tokio::test]
async fn every_way_for_a_job_to_end_leaves_one_word_in_the_same_transaction() {
    let service = Service::impatient().await;
    let all = with_webhook(&[]);
    let succeeded = service.told(all.clone()).await;

    let failed = service.submit_as(all.clone()).await.id;
    let claimed = service.claim().await;
    service
        .store
        .finish(claimed.lease, Outcome::Failed(trouble()))
        .await
        .unwrap();

    let cancelled = service.submit_as(all.clone()).await.id;
    service.store.cancel(cancelled).await.unwrap();

    let past = StoryRequest {
        deadline: Some(Utc::now() - TimeDelta::seconds(1)),
        ..all.clone()
    };
    let expired = service.submit_as(past).await.id;
    service.store.sweep().await.unwrap();

    let lost = service.submit_as(all).await.id;
    for _ in 0..3 {
        let held = service.claim().await.lease;
        service.store.begin(&[held]).await.unwrap();
        assert_eq!(
            service.events(lost).await,
            [""; 0],
            "a job that runs again has not ended"
        );
        service.store.sweep().await.unwrap();
    }
    let quiet = service.told(StoryRequest::default()).await;
    for (job, event) in [
        (succeeded, "story.succeeded"),
        (failed, "story.failed"),
        (cancelled, "story.cancelled"),
        (expired, "story.expired"),
        (lost, "story.failed"),
    ] {
        assert_eq!(service.events(job).await, [event]);
    }
    assert_eq!(service.events(quiet).await, [""; 0]);
    let one = &service.deliveries(succeeded).await[0];
    assert_eq!(
        (one.number, one.url.as_str(), one.state),
        (1, URL, DeliveryState::Waiting)
    );
}

#[tokio::test]
async fn only_the_ends_that_were_asked_for_are_told() {
    let service = Service::start().await;
    let job = service
        .told(with_webhook(&["story.failed", "story.expired"]))
        .await;
    assert_eq!(service.events(job).await, [""; 0]);
    let job = service
        .told(with_webhook(&["story.failed", "story.succeeded"]))
        .await;
    assert_eq!(service.events(job).await, ["story.succeeded"]);
}

#[tokio::test]
async fn a_stale_worker_ends_nothing_and_tells_nobody() {
    let service = Service::impatient().await;
    let job = service.submit_as(with_webhook(&[])).await.id;
    let stale = service.claim().await;
    service.store.sweep().await.unwrap();
    let holder = service.claim().await;
    assert_eq!(
        service.store.finish(stale.lease, told()).await.unwrap(),
        Written::Stale
    );
    assert_eq!(service.events(job).await, [""; 0]);
    service.store.finish(holder.lease, told()).await.unwrap();
    assert_eq!(service.events(job).await, ["story.succeeded"]);
}

#[tokio::test]
async fn many_senders_share_the_deliveries_and_none_is_taken_twice() {
    let service = Service::start().await;
    for _ in 0..40 {
        service.told(with_webhook(&[])).await;
    }
    let takes = (0..8).map(|_| service.take(10, Duration::from_secs(60)));
    let taken = futures_util::future::join_all(takes).await.concat();
    let jobs: HashSet<Uuid> = taken.iter().map(|held| held.job).collect();
    assert!(
        taken.len() == jobs.len(),
        "{} of {} were taken twice",
        taken.len() - jobs.len(),
        taken.len()
    );
    let rest = service.take(100, Duration::from_secs(60)).await.len();
    assert_eq!(taken.len() + rest, 40);
}

#[tokio::test]
async fn a_delivery_is_tried_again_when_it_is_due_and_its_attempts_are_listed() {
    let service = Service::start().await;
    let job = service.told(with_webhook(&[])).await;
    let held = service.take_one().await;
    assert_eq!(
        service.settle(&held, again(Duration::from_secs(300))).await,
        Written::Done
    );
    assert!(
        service.take(1, Duration::from_secs(60)).await.is_empty(),
        "not before it is due"
    );
    service.tamper("update deliveries set due_at = now()").await;
    let held = service.take_one().await;
    assert_eq!(held.attempts, 2);
    assert_eq!(
        service
            .settle(&held, Verdict::Delivered { status: 204 })
            .await,
        Written::Done
    );
    let delivery = &service.deliveries(job).await[0];
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert!(delivery.ended_at.is_some());
    let attempts: Vec<_> = delivery
        .attempts
        .iter()
        .map(|attempt| (attempt.status, attempt.error.as_deref()))
        .collect();
    assert_eq!(attempts, [(Some(503), Some("busy")), (Some(204), None)]);
}

#[tokio::test]
async fn a_list_is_of_one_moment_also_while_a_sender_writes_down_what_came_of_it() {
    let service = Service::start().await;
    for _ in 0..40 {
        let job = service.told(with_webhook(&[])).await;
        let held = service.take_one().await;
        let settling = service.settle(&held, Verdict::Delivered { status: 204 });
        let reading = async {
            for _ in 0..10 {
                let delivery = &service.deliveries(job).await[0];
                let ended = delivery.attempts.iter().all(|one| one.ended_at.is_some());
                assert_eq!(ended, delivery.state == DeliveryState::Delivered);
            }
        };
        futures_util::join!(settling, reading);
    }
}

#[tokio::test]
async fn what_a_sender_held_that_died_is_sent_again_and_he_has_no_say_any_more() {
    let service = Service::start().await;
    let job = service.told(with_webhook(&[])).await;
    let lost = service.take(1, Duration::ZERO).await.pop().unwrap();
    assert_eq!(service.store.take_back_deliveries(10).await.unwrap(), 1);
    assert_eq!(service.store.take_back_deliveries(10).await.unwrap(), 0);
    let held = service.take_one().await;
    assert!(held.lease > lost.lease);
    assert_eq!(
        service
            .settle(&lost, Verdict::Delivered { status: 200 })
            .await,
        Written::Stale
    );
    assert_eq!(
        service.deliveries(job).await[0].state,
        DeliveryState::Sending
    );
    assert_eq!(
        service
            .settle(&held, Verdict::Delivered { status: 200 })
            .await,
        Written::Done
    );
    let attempts = &service.deliveries(job).await[0].attempts;
    assert!(
        attempts[0]
            .error
            .as_deref()
            .unwrap()
            .contains("may or may not"),
        "{attempts:?}"
    );
}

#[tokio::test]
async fn a_delivery_whose_senders_all_die_fails_in_the_end() {
    let service = Service::start().await;
    let job = service.told(with_webhook(&[])).await;
    for _ in 0..2 {
        service.take(1, Duration::ZERO).await;
        service.store.take_back_deliveries(2).await.unwrap();
    }
    assert_eq!(
        service.deliveries(job).await[0].state,
        DeliveryState::Failed
    );
}

#[tokio::test]
async fn an_address_that_is_gone_hears_nothing_until_a_replay() {
    let service = Service::start().await;
    let [first, second] = [
        service.told(with_webhook(&[])).await,
        service.told(with_webhook(&[])).await,
    ];
    let held = service.take_one().await;
    service
        .settle(
            &held,
            Verdict::Gone {
                error: "410".to_owned(),
            },
        )
        .await;
    let third = service.told(with_webhook(&[])).await;
    for job in [first, second, third] {
        assert_eq!(
            service.deliveries(job).await[0].state,
            DeliveryState::Disabled
        );
    }
    assert!(service.take(1, Duration::from_secs(60)).await.is_empty());

    assert!(service.store.replay_delivery(third, 1).await.unwrap());
    assert!(!service.store.replay_delivery(third, 2).await.unwrap());
    assert_eq!(service.take_one().await.job, third);
    let fourth = service.told(with_webhook(&[])).await;
    assert_eq!(
        service.deliveries(fourth).await[0].state,
        DeliveryState::Waiting
    );
}

#[tokio::test]
async fn a_replay_begins_the_schedule_anew_but_does_not_disturb_a_sender() {
    let service = Service::start().await;
    let job = service.told(with_webhook(&[])).await;
    let held = service.take_one().await;
    assert!(service.store.replay_delivery(job, 1).await.unwrap());
    assert_eq!(
        service.deliveries(job).await[0].state,
        DeliveryState::Sending
    );
    let verdict = Verdict::Failed {
        status: Some(500),
        error: "no".to_owned(),
    };
    assert_eq!(service.settle(&held, verdict).await, Written::Done);
    assert!(service.store.replay_delivery(job, 1).await.unwrap());
    let held = service.take_one().await;
    assert_eq!((held.attempts, held.lease), (1, 2));
    assert_eq!(service.deliveries(job).await[0].attempts.len(), 2);
}

#[tokio::test]
async fn a_slow_host_leaves_places_to_others() {
    let service = Service::start().await;
    for _ in 0..3 {
        service.told(with_webhook(&[])).await;
    }
    let other = StoryRequest {
        webhook_url: Some("https://Other.example:8443/".to_owned()),
        ..StoryRequest::default()
    };
    let other = service.told(other).await;
    let claim = Claim {
        max: 2,
        most_a_host: 2,
        most_a_stranger: 2,
        ..Claim::one("sender", Duration::from_secs(60))
    };
    assert_eq!(
        service.store.claim_deliveries(&claim).await.unwrap().len(),
        2
    );
    let next = service.store.claim_deliveries(&claim).await.unwrap();
    assert_eq!(
        next.iter().map(|held| held.job).collect::<Vec<_>>(),
        [other]
    );
}

#[tokio::test]
async fn one_claim_takes_no_more_for_a_host_than_it_may_have() {
    let service = Service::start().await;
    for _ in 0..5 {
        service.told(with_webhook(&[])).await;
    }
    let took = async |max, quick: &[String]| {
        let claim = Claim {
            max,
            most_a_host: 4,
            most_a_stranger: 3,
            quick,
            ..Claim::one("sender", Duration::from_secs(60))
        };
        service.store.claim_deliveries(&claim).await.unwrap()
    };
    let first = took(1, &[]).await.remove(0);
    assert_eq!(took(4, &[]).await.len(), 2, "beside the one under way");
    assert_eq!(took(4, &[first.host]).await.len(), 1, "it is quick now");
}

#[tokio::test]
async fn a_word_names_the_story_where_callers_reach_it() {
    let service = Service::start().await;
    let id = service.told(with_webhook(&[])).await;
    let held = service.take_one().await;
    let job = service.job(id).await;
    let url = |public_url| {
        let body = jobs::delivery::body(&job, &held, public_url).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        body["data"]["url"].as_str().unwrap().to_owned()
    };
    let path = format!("/v1/stories/{id}");
    assert_eq!(url(None), path);
    for public_url in ["https://stories.example", "https://stories.example/"] {
        assert_eq!(
            url(Some(public_url)),
            format!("https://stories.example{path}")
        );
    }
}
