//! Many pictures at once: counted to the last one, told of once, forgotten together.

use std::time::Duration;

use jobs::{
    Batch, BatchSubmitted, Idempotency, KeepFor, NewBatch, Outcome, QueueLimit, RefusedPicture,
    Rules, State, StoryRequest,
};
use serde_json::{Value, json};
use testkit::Service;
use testkit::service::{new_job, told, trouble};
use uuid::Uuid;

const LISTENER: &str = "https://example.com/batch";

/// Of so many stories, and one picture more that was refused.
fn new_batch(stories: u32) -> NewBatch {
    let job = |number| (number, new_job(StoryRequest::default()));
    NewBatch {
        id: Uuid::now_v7(),
        jobs: (0..stories).map(job).collect(),
        refused: vec![RefusedPicture {
            number: stories,
            error: json!({"kind": "image_unreadable"}),
        }],
        webhook_url: Some(LISTENER.to_owned()),
        idempotency: None,
    }
}

fn under(key: &str, fingerprint: &str) -> Option<Idempotency> {
    Some(Idempotency {
        key: key.to_owned(),
        fingerprint: fingerprint.to_owned(),
    })
}

async fn submit(service: &Service, batch: NewBatch) -> Uuid {
    let id = batch.id;
    let submitted = service.store.submit_batch(batch).await.unwrap();
    assert!(matches!(submitted, BatchSubmitted::New(_)), "{submitted:?}");
    id
}

async fn batch(service: &Service, id: Uuid) -> Batch {
    let found = service.store.batch(id).await.unwrap();
    found.expect("the batch exists")
}

#[tokio::test]
async fn a_batch_ends_with_its_last_story_and_is_told_of_once() {
    let service = Service::start().await;
    let id = submit(&service, new_batch(3)).await;
    let first = service.claim().await;
    assert_eq!(first.job.batch, Some(id));
    service.store.finish(first.lease, told()).await.unwrap();
    let second = service.claim().await;
    let failed = Outcome::Failed(trouble());
    service.store.finish(second.lease, failed).await.unwrap();
    assert!(batch(&service, id).await.finished_at.is_none());
    let third = batch(&service, id).await.stories[2].id;
    service.store.cancel(third).await.unwrap();
    let batch = batch(&service, id).await;
    assert!(batch.finished_at.is_some());
    let stories: Vec<_> = batch
        .stories
        .iter()
        .map(|story| (story.number, story.state))
        .collect();
    let ends = [
        (0, State::Succeeded),
        (1, State::Failed),
        (2, State::Cancelled),
    ];
    assert_eq!((batch.size, stories.as_slice()), (4, ends.as_slice()));
    assert_eq!(
        batch.stories[0].text.as_deref(),
        Some("They never met again.")
    );
    assert!(batch.stories[1].error.is_some());
    let held = service.take_one().await;
    assert_eq!(
        (held.event.as_str(), held.url.as_str()),
        ("batch.finished", LISTENER)
    );
    let job = service.job(held.job).await;
    let message = jobs::delivery::body(&job, &held, Some("https://stories.example/")).unwrap();
    let message: Value = serde_json::from_slice(&message).unwrap();
    let data = &message["data"];
    assert_eq!(message["type"], "batch.finished");
    assert_eq!(
        data["url"],
        format!("https://stories.example/v1/batches/{id}")
    );
    let stories = json!({"succeeded": 1, "failed": 1, "cancelled": 1});
    assert_eq!(
        (&data["stories"], &data["refused"], &data["size"]),
        (&stories, &json!(1), &json!(4))
    );
}

#[tokio::test]
async fn a_story_that_is_tried_again_opens_its_batch_again() {
    let service = Service::start().await;
    let id = submit(&service, new_batch(1)).await;
    let first = service.claim().await;
    let failed = Outcome::Failed(trouble());
    service.store.finish(first.lease, failed).await.unwrap();
    assert!(batch(&service, id).await.finished_at.is_some());
    service.store.retry(first.job.id).await.unwrap();
    assert!(batch(&service, id).await.finished_at.is_none());
    let second = service.claim().await;
    service.store.finish(second.lease, told()).await.unwrap();
    assert!(batch(&service, id).await.finished_at.is_some());
    let events = service.events(first.job.id).await;
    assert_eq!(events, ["batch.finished", "batch.finished"]);
}

#[tokio::test]
async fn stories_that_end_at_the_same_moment_end_their_batch_once() {
    let service = Service::start().await;
    let id = submit(&service, new_batch(8)).await;
    let held = service.store.claim("worker", 8).await.unwrap();
    let ends = held
        .iter()
        .map(|held| service.store.finish(held.lease, told()));
    futures_util::future::try_join_all(ends).await.unwrap();
    let mut said = 0;
    for held in &held {
        said += service.deliveries(held.job.id).await.len();
    }
    assert_eq!(said, 1);
    assert!(batch(&service, id).await.finished_at.is_some());
}

#[tokio::test]
async fn a_batch_for_which_there_is_no_room_is_not_taken_at_all() {
    let service = Service::with(Rules {
        max_queued: 3,
        ..Rules::default()
    })
    .await;
    service.submit().await;
    let large = new_batch(3);
    let id = large.id;
    let submitted = service.store.submit_batch(large).await.unwrap();
    let full = QueueLimit::Stories { queued: 1 };
    assert_eq!(submitted, BatchSubmitted::Full(full));
    assert!(service.store.batch(id).await.unwrap().is_none());
    assert_eq!(service.store.depth().await.unwrap().queued, 1);
    submit(&service, new_batch(2)).await;
}

#[tokio::test]
async fn a_batch_whose_pictures_are_too_large_together_is_not_taken_at_all() {
    let service = Service::with(Rules {
        max_queued_bytes: 3 * 1234,
        ..Rules::default()
    })
    .await;
    service.submit().await;
    let submitted = service.store.submit_batch(new_batch(3)).await.unwrap();
    let full = QueueLimit::Pictures {
        most: 3 * 1234,
        left: 2 * 1234,
    };
    assert_eq!(submitted, BatchSubmitted::Full(full));
    assert_eq!(service.store.depth().await.unwrap().queued, 1);
    submit(&service, new_batch(2)).await;
}

#[tokio::test]
async fn a_key_makes_one_batch_however_often_it_comes() {
    let service = Service::start().await;
    let keyed = |key, fingerprint| NewBatch {
        idempotency: under(key, fingerprint),
        ..new_batch(2)
    };
    let id = submit(&service, keyed("k", "album")).await;
    let again = service.store.submit_batch(keyed("k", "album")).await;
    assert_eq!(again.unwrap(), BatchSubmitted::Same(id));
    let other = service.store.submit_batch(keyed("k", "other")).await;
    assert_eq!(other.unwrap(), BatchSubmitted::OtherRequest);
    assert_eq!(service.store.depth().await.unwrap().queued, 2);
    let at_once = (0..4).map(|_| service.store.submit_batch(keyed("at once", "album")));
    let answers = futures_util::future::try_join_all(at_once).await.unwrap();
    let new = answers
        .iter()
        .filter(|answer| matches!(answer, BatchSubmitted::New(_)));
    assert_eq!(new.count(), 1, "{answers:?}");
    assert_eq!(service.store.depth().await.unwrap().queued, 4);
}

#[tokio::test]
async fn a_batch_is_forgotten_with_the_last_of_its_stories() {
    let day = Some(Duration::from_secs(24 * 3600));
    let service = Service::with(Rules {
        keep_for: KeepFor {
            succeeded: Some(Duration::ZERO),
            failed: day,
            cancelled: day,
            expired: day,
        },
        ..Rules::default()
    })
    .await;
    let quiet = NewBatch {
        webhook_url: None,
        ..new_batch(2)
    };
    let id = submit(&service, quiet).await;
    let held = service.claim().await;
    service.store.finish(held.lease, told()).await.unwrap();
    service.store.forget_stories(10).await.unwrap();
    let left = batch(&service, id).await;
    assert_eq!((left.size, left.stories.len()), (3, 1));
    let held = service.claim().await;
    service.store.finish(held.lease, told()).await.unwrap();
    service.store.forget_stories(10).await.unwrap();
    assert!(service.store.batch(id).await.unwrap().is_none());
}
