//! What a submit promises: the job is there as it was sent, once, in the right place of the queue, or it is refused.
//! Equal submits arrive one after another, and all at the same moment.

use std::collections::HashSet;

use chrono::{TimeDelta, Utc};
use jobs::{
    Idempotency, Mode, NewJob, QueueLimit, Room, Rules, State, Store, StoryRequest, Submitted,
};

use testkit::Service;
use testkit::service::{new_job, told};

fn keyed(fingerprint: &str) -> NewJob {
    let idempotency = Idempotency {
        key: "order-7".to_owned(),
        fingerprint: fingerprint.to_owned(),
    };
    NewJob {
        idempotency: Some(idempotency),
        ..new_job(StoryRequest::default())
    }
}

#[tokio::test]
async fn a_submitted_job_is_read_back_as_it_was_sent() {
    let service = Service::start().await;
    let request = StoryRequest {
        style: "romance:0.7,adventure:0.3".to_owned(),
        metadata: [("album".to_owned(), "Šumava 🌲".to_owned())].into(),
        deadline: Some(Utc::now() + TimeDelta::hours(1)),
        ..StoryRequest::default()
    };
    let accepted = service.submit_as(request.clone()).await;
    assert_eq!(
        (accepted.state, accepted.attempts, accepted.max_attempts),
        (State::Queued, 0, 3)
    );
    assert_eq!(accepted.request, request.filled_in());
    assert_eq!(service.job(accepted.id).await, accepted);
}

#[tokio::test]
async fn chance_is_decided_when_a_job_is_accepted() {
    let service = Service::start().await;
    let open = service.submit().await.request;
    assert_eq!((open.mode, open.seed), (Some(Mode::Sample), Some(1)));
    let draw = StoryRequest {
        seed: Some(7),
        ..StoryRequest::default()
    };
    assert_eq!(service.submit_as(draw).await.request.seed, Some(7));
}

#[tokio::test]
async fn the_same_submit_again_finds_the_first_job() {
    let service = Service::start().await;
    let Submitted::New(first) = service.store.submit(keyed("a")).await.unwrap() else {
        panic!("refused")
    };
    let again = service.store.submit(keyed("a")).await.unwrap();
    assert!(matches!(again, Submitted::Same(job) if job.id == first.id));
    assert!(matches!(
        service.store.submit(keyed("b")).await.unwrap(),
        Submitted::OtherRequest
    ));
    assert_eq!(service.store.depth().await.unwrap().queued, 1);
}

#[tokio::test]
async fn many_equal_submits_at_once_become_one_job() {
    let service = Service::start().await;
    let submits = (0..8).map(|_| {
        let store = service.store.clone();
        tokio::spawn(async move { store.submit(keyed("a")).await.unwrap() })
    });
    let mut new = 0;
    let mut ids = HashSet::new();
    for submit in submits.collect::<Vec<_>>() {
        match submit.await.unwrap() {
            Submitted::New(job) => {
                new += 1;
                ids.insert(job.id)
            }
            Submitted::Same(job) => ids.insert(job.id),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!((new, ids.len()), (1, 1));
    assert_eq!(service.store.depth().await.unwrap().queued, 1);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let service = Service::start().await;
    service.store.submit(keyed("a")).await.unwrap();
    service
        .tamper("update idempotency_keys set created_at = created_at - interval '25 hours'")
        .await;
    assert!(matches!(
        service.store.submit(keyed("b")).await.unwrap(),
        Submitted::New(_)
    ));
    assert!(matches!(
        service.store.submit(keyed("b")).await.unwrap(),
        Submitted::Same(_)
    ));
}

#[tokio::test]
async fn a_full_queue_refuses_until_a_job_is_taken() {
    let service = Service::with(Rules {
        max_queued: 2,
        ..Rules::default()
    })
    .await;
    service.submit_many(2).await;
    let refused = service
        .store
        .submit(new_job(StoryRequest::default()))
        .await
        .unwrap();
    assert!(matches!(
        refused,
        Submitted::Full(QueueLimit::Stories { queued: 2 })
    ));
    service.claim().await;
    service.submit().await;
}

fn of_size(bytes: u64) -> NewJob {
    let mut job = new_job(StoryRequest::default());
    job.image.bytes = bytes;
    job
}

#[tokio::test]
async fn pictures_that_wait_are_bounded_by_their_bytes_together() {
    let service = Service::with(Rules {
        max_queued_bytes: 1000,
        ..Rules::default()
    })
    .await;
    let submit = async |bytes| service.store.submit(of_size(bytes)).await.unwrap();
    assert!(matches!(submit(600).await, Submitted::New(_)));
    let full = QueueLimit::Pictures {
        most: 1000,
        left: 400,
    };
    assert!(matches!(submit(401).await, Submitted::Full(limit) if limit == full));
    assert!(matches!(submit(400).await, Submitted::New(_)));
    let nothing_left = QueueLimit::Pictures {
        most: 1000,
        left: 0,
    };
    let room = service.store.room(None).await.unwrap();
    assert_eq!(room, Room::Full(nothing_left));
    service.claim().await;
    // what runs will be gone soon, and takes no place of what waits
    assert!(matches!(submit(600).await, Submitted::New(_)));
}

#[tokio::test]
async fn a_job_of_a_version_that_wrote_no_size_counts_when_it_waits_again() {
    let service = Service::with(Rules {
        max_queued_bytes: 1000,
        ..Rules::default()
    })
    .await;
    let Submitted::New(job) = service.store.submit(of_size(1000)).await.unwrap() else {
        panic!("there is room for the first")
    };
    service.tamper("update jobs set image_bytes = null").await;
    service.store.cancel(job.id).await.unwrap();
    service.store.retry(job.id).await.unwrap();
    let refused = service.store.submit(of_size(1)).await.unwrap();
    assert!(matches!(refused, Submitted::Full(_)), "{refused:?}");
}

#[tokio::test]
async fn two_services_may_bring_the_tables_up_at_once() {
    let service = Service::start().await;
    service
        .tamper("drop schema public cascade; create schema public")
        .await;
    let (one, other) = tokio::join!(service.store.migrate(), service.store.migrate());
    one.and(other).unwrap();
    service.submit().await;
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_unavailable() {
    let error = Store::connect(
        "postgres://nobody@localhost/none?host=/nowhere",
        Rules::default(),
    )
    .await
    .unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let service = Service::start().await;
    service.store.close().await;
    assert!(service.store.ping().await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn a_database_that_may_only_be_read_is_unavailable() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    // as after a failover, or while somebody makes room on a full disk
    service
        .tamper(
            "do $$ begin
                execute format('alter database %I set default_transaction_read_only = on', current_database());
            end $$",
        )
        .await;
    let store = Store::connect(&service.url, Rules::default())
        .await
        .unwrap();
    let error = store.submit(new_job(StoryRequest::default())).await;
    assert!(error.unwrap_err().is_unavailable());
    let error = store.finish(lease, told()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}: the story would be lost");
    assert!(store.get(id).await.unwrap().is_some(), "reading goes on");
}
