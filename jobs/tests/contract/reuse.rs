//! What need not be told twice: known stories, stories under way, and what becomes of those who wait for somebody else.

use jobs::event::Said;
use jobs::{
    Beat, Cache, Job, NewBatch, NewJob, Outcome, State, StoryRequest, Submitted, UsedCaption, What,
};
use testkit::Service;
use testkit::service::{new_job, told, trouble};
use uuid::Uuid;

/// As the API hands it in if it may be answered from what is known.
fn reusable(request: StoryRequest) -> NewJob {
    NewJob {
        telling: Some(request.telling("a picture")),
        ..new_job(request)
    }
}

async fn ask(service: &Service, request: StoryRequest) -> Job {
    match service.store.submit(reusable(request)).await.unwrap() {
        Submitted::New(job) => job,
        other => panic!("not accepted: {other:?}"),
    }
}

async fn same(service: &Service) -> Job {
    ask(service, StoryRequest::default()).await
}

async fn tell(service: &Service) -> Uuid {
    let claimed = service.claim().await;
    service.store.finish(claimed.lease, told()).await.unwrap();
    claimed.job.id
}

async fn nobody_is_due(service: &Service) -> bool {
    service.store.claim("worker", 9).await.unwrap().is_empty()
}

#[tokio::test]
async fn what_is_told_is_answered_at_once_for_the_bundle_that_would_tell_it_now() {
    let service = Service::start().await;
    service.store.register_styles("starter", &[]).await.unwrap();
    let first = same(&service).await;
    assert_eq!((first.cache, first.state), (Cache::Miss, State::Queued));
    tell(&service).await;
    let again = same(&service).await;
    assert_eq!((again.cache, again.state), (Cache::Hit, State::Succeeded));
    assert_eq!(again.result.unwrap().story, "They never met again.");
    assert!(again.finished_at.is_some() && again.image.is_some());
    let other = StoryRequest {
        seed: Some(7),
        ..StoryRequest::default()
    };
    assert_eq!(ask(&service, other).await.cache, Cache::Miss);
    let anew = service.submit().await;
    assert_eq!(anew.cache, Cache::Miss, "it is to be told in any case");
    service.store.register_styles("newer", &[]).await.unwrap();
    assert_eq!(same(&service).await.cache, Cache::Miss);
}

#[tokio::test]
async fn what_one_takes_back_the_others_keep() {
    let service = Service::start().await;
    service.store.register_styles("starter", &[]).await.unwrap();
    let first = same(&service).await.id;
    let second = same(&service).await.id;
    tell(&service).await;
    let third = same(&service).await.id;
    let pictures = [first, second, third].map(|id| service.job(id));
    let pictures = futures_util::future::join_all(pictures).await;
    let keys = pictures.iter().map(|job| &job.image.as_ref().unwrap().key);
    let keys: std::collections::HashSet<_> = keys.collect();
    assert_eq!(keys.len(), 3, "each has a picture of its own");
    for (removed, left) in [(first, [second, third]), (third, [second, second])] {
        service.store.remove_data(removed).await.unwrap();
        for id in left {
            assert!(service.job(id).await.result.is_some());
        }
        assert_eq!(same(&service).await.cache, Cache::Hit);
    }
    assert!(service.job(first).await.result.is_none());
}

#[tokio::test]
async fn who_asks_for_what_is_being_told_gets_it_with_the_first() {
    let service = Service::start().await;
    let first = same(&service).await;
    let second = same(&service).await;
    assert_eq!(
        (second.cache, second.follows),
        (Cache::Coalesced, Some(first.id))
    );
    assert_eq!(service.store.position(second.id).await.unwrap(), Some(0));
    assert_eq!(service.store.waiting_order().await.unwrap()[&second.id], 0);
    assert_eq!(service.store.depth().await.unwrap().queued, 1);
    let claimed = service.claim().await;
    let third = same(&service).await;
    assert_eq!(third.cache, Cache::Coalesced);
    assert!(nobody_is_due(&service).await, "nobody tells it twice");
    let captions = vec![UsedCaption {
        text: "A dog .".to_owned(),
        similarity: 0.5,
    }];
    let beat = Beat {
        lease: claimed.lease,
        stage: None,
        said: vec![Said::Captions { captions }],
    };
    service.store.heartbeat(&[beat]).await.unwrap();
    service.store.finish(claimed.lease, told()).await.unwrap();
    for id in [second.id, third.id] {
        let job = service.job(id).await;
        assert_eq!(
            (job.state, job.cache, job.follows),
            (State::Succeeded, Cache::Coalesced, None)
        );
        assert_eq!(job.result.unwrap().story, "They never met again.");
        let happened = service.store.happened(id, 0).await.unwrap().unwrap();
        let what: Vec<_> = happened
            .events
            .into_iter()
            .map(|event| event.what)
            .collect();
        assert!(
            matches!(
                what.as_slice(),
                [
                    What::State { .. },
                    What::Captions { .. },
                    What::State { .. },
                    What::End
                ]
            ),
            "{what:?}"
        );
    }
}

#[tokio::test]
async fn of_many_who_ask_for_the_same_at_once_one_is_told() {
    let service = Service::start().await;
    let asked = (0..8).map(|_| same(&service));
    let jobs = futures_util::future::join_all(asked).await;
    let misses = jobs.iter().filter(|job| job.cache == Cache::Miss);
    assert_eq!(misses.count(), 1);
    tell(&service).await;
    assert!(nobody_is_due(&service).await);
    for job in jobs {
        assert_eq!(service.job(job.id).await.state, State::Succeeded);
    }
}

#[tokio::test]
async fn one_that_ends_without_a_story_takes_nobody_along() {
    let service = Service::start().await;
    let first = same(&service).await.id;
    let waiting = [
        same(&service).await.id,
        same(&service).await.id,
        same(&service).await.id,
    ];
    service.store.remove_data(first).await.unwrap();
    let heir = service.claim().await;
    assert_eq!(
        (heir.job.id, heir.job.cache),
        (waiting[0], Cache::Miss),
        "the first who waited is told"
    );
    assert!(nobody_is_due(&service).await, "and only he is");
    let failed = Outcome::Failed(trouble());
    service.store.finish(heir.lease, failed).await.unwrap();
    assert_eq!(service.job(waiting[1]).await.state, State::Queued);
    service.store.cancel(waiting[1]).await.unwrap();
    assert_eq!(tell(&service).await, waiting[2]);
    let states = [first, waiting[0], waiting[1], waiting[2]].map(|id| service.job(id));
    let states = futures_util::future::join_all(states).await;
    let states: Vec<_> = states.into_iter().map(|job| job.state).collect();
    assert_eq!(
        states,
        [
            State::Cancelled,
            State::Failed,
            State::Cancelled,
            State::Succeeded
        ]
    );
}

#[tokio::test]
async fn one_that_is_tried_again_is_still_waited_for() {
    let service = Service::start().await;
    same(&service).await;
    let second = same(&service).await.id;
    let claimed = service.claim().await;
    let again = Outcome::Retry(trouble());
    service.store.finish(claimed.lease, again).await.unwrap();
    assert_eq!(service.job(second).await.state, State::Queued);
    tell(&service).await;
    assert_eq!(service.job(second).await.state, State::Succeeded);
}

#[tokio::test]
async fn who_waits_and_is_cancelled_can_be_tried_again_for_himself() {
    let service = Service::start().await;
    same(&service).await;
    let follower = same(&service).await.id;
    service.store.cancel(follower).await.unwrap();
    assert_eq!(service.job(follower).await.state, State::Cancelled);
    service.store.retry(follower).await.unwrap();
    let job = service.job(follower).await;
    assert_eq!((job.follows, job.cache), (None, Cache::Miss));
    assert_eq!(service.store.claim("worker", 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn nobody_waits_for_what_is_less_urgent_or_longer_than_he_can() {
    let service = Service::start().await;
    same(&service).await;
    let urgent = StoryRequest {
        priority: 5,
        ..StoryRequest::default()
    };
    let urgent = ask(&service, urgent).await;
    assert_eq!(urgent.cache, Cache::Miss);
    assert_eq!(service.store.position(urgent.id).await.unwrap(), Some(0));
    let limited = StoryRequest {
        deadline: Some(chrono::Utc::now() + chrono::TimeDelta::hours(1)),
        ..StoryRequest::default()
    };
    assert_eq!(ask(&service, limited).await.cache, Cache::Miss);
}

#[tokio::test]
async fn the_same_picture_twice_in_a_batch_is_told_once() {
    let service = Service::start().await;
    service.store.register_styles("starter", &[]).await.unwrap();
    let batch = || NewBatch {
        id: Uuid::now_v7(),
        jobs: (0..2)
            .map(|number| (number, reusable(StoryRequest::default())))
            .collect(),
        refused: Vec::new(),
        webhook_url: Some("https://example.com/batch".to_owned()),
        idempotency: None,
    };
    let (told_now, known) = (batch(), batch());
    let (id, known_id) = (told_now.id, known.id);
    let last = known.jobs[1].1.id;
    service.store.submit_batch(told_now).await.unwrap();
    tell(&service).await;
    let ended = service.store.batch(id).await.unwrap().unwrap();
    assert!(ended.finished_at.is_some());
    service.store.submit_batch(known).await.unwrap();
    let ended = service.store.batch(known_id).await.unwrap().unwrap();
    assert!(
        ended.finished_at.is_some(),
        "a known album ends as it comes"
    );
    assert_eq!(service.events(last).await, ["batch.finished"]);
}
