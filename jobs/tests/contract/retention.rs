//! Stories are kept for a time: by how they ended, or as their own request says; and nothing else is forgotten with them.

use std::time::Duration;

use jobs::{JobError, KeepFor, Outcome, Rules, State, StoryRequest};
use testkit::Service;
use testkit::service::{styles, told, trouble};
use uuid::Uuid;

async fn keeping(keep_for: KeepFor) -> Service {
    Service::with(Rules {
        keep_for,
        ..Rules::default()
    })
    .await
}

const HOUR: Option<Duration> = Some(Duration::from_secs(3600));
const ALL_AN_HOUR: KeepFor = KeepFor {
    succeeded: HOUR,
    failed: HOUR,
    cancelled: HOUR,
    expired: HOUR,
};

/// A story that has ended so.
async fn ended(service: &Service, request: StoryRequest, outcome: Outcome) -> Uuid {
    let id = service.submit_as(request).await.id;
    let claimed = service.claim().await;
    assert_eq!(claimed.job.id, id);
    service.store.finish(claimed.lease, outcome).await.unwrap();
    id
}

async fn two_hours_pass(service: &Service) {
    service
        .tamper(
            "update jobs set finished_at = finished_at - interval '2 hours', expires_at = expires_at - interval '2 hours'
            where finished_at is not null",
        )
        .await;
}

async fn is_there(service: &Service, id: Uuid) -> bool {
    service.store.get(id).await.unwrap().is_some()
}

fn kept_for(seconds: u32) -> StoryRequest {
    StoryRequest {
        keep_for: Some(seconds),
        ..StoryRequest::default()
    }
}

#[tokio::test]
async fn stories_are_forgotten_with_all_that_hangs_on_them_when_their_time_is_over() {
    let service = keeping(KeepFor {
        failed: None,
        ..ALL_AN_HOUR
    })
    .await;
    let told_once = ended(&service, StoryRequest::default(), told()).await;
    let failed = ended(
        &service,
        StoryRequest::default(),
        Outcome::Failed(trouble()),
    )
    .await;
    let cancelled = service.submit().await.id;
    service.store.cancel(cancelled).await.unwrap();
    two_hours_pass(&service).await;
    let young = ended(&service, StoryRequest::default(), told()).await;
    let waiting = service.submit().await.id;

    let forgotten = service.store.forget_stories(100).await.unwrap();
    assert_eq!(forgotten.count(), 2);
    assert!(forgotten.stories.contains(&(State::Succeeded, 1)));
    assert!(forgotten.stories.contains(&(State::Cancelled, 1)));
    assert_eq!(
        forgotten.pictures.len(),
        2,
        "their pictures are to be deleted"
    );
    for (id, there) in [
        (told_once, false),
        (cancelled, false),
        (failed, true),
        (young, true),
        (waiting, true),
    ] {
        assert_eq!(is_there(&service, id).await, there);
    }
    assert!(service.store.attempts(told_once).await.unwrap().is_empty());
    assert_eq!(service.store.forget_stories(100).await.unwrap().count(), 0);
}

#[tokio::test]
async fn a_request_says_for_how_long_its_own_story_is_kept() {
    let service = keeping(ALL_AN_HOUR).await;
    let short = ended(&service, kept_for(60), told()).await;
    let long = ended(&service, kept_for(24 * 3600), Outcome::Failed(trouble())).await;
    assert_eq!(service.store.forget_stories(100).await.unwrap().count(), 0);
    two_hours_pass(&service).await;
    assert_eq!(service.store.forget_stories(100).await.unwrap().count(), 1);
    assert!(!is_there(&service, short).await && is_there(&service, long).await);
    // tried again by hand, it has not ended
    service.store.retry(long).await.unwrap();
    let claimed = service.claim().await;
    service.store.finish(claimed.lease, told()).await.unwrap();
    assert_eq!(service.store.forget_stories(100).await.unwrap().count(), 0);
    for (seconds, right) in [
        (59, false),
        (60, true),
        (315_360_000, true),
        (315_360_001, false),
    ] {
        assert_eq!(kept_for(seconds).validate().is_ok(), right, "{seconds}");
    }
}

#[tokio::test]
async fn nothing_is_forgotten_of_which_somebody_is_still_to_be_told_and_steps_are_small() {
    let service = keeping(ALL_AN_HOUR).await;
    let hooked = StoryRequest {
        webhook_url: Some("https://example.com/".to_owned()),
        ..kept_for(60)
    };
    let untold = ended(&service, hooked, told()).await;
    for _ in 0..5 {
        let error = JobError::new(jobs::ErrorKind::ModelError, "the beam is empty");
        ended(&service, StoryRequest::default(), Outcome::Failed(error)).await;
    }
    two_hours_pass(&service).await;
    let mut steps = Vec::new();
    loop {
        match service.store.forget_stories(2).await.unwrap().count() {
            0 => break,
            count => steps.push(count),
        }
    }
    assert_eq!(steps, [2, 2, 1]);
    assert!(is_there(&service, untold).await);
    service
        .tamper("update deliveries set state = 'failed', ended_at = now()")
        .await;
    assert_eq!(service.store.forget_stories(2).await.unwrap().count(), 1);
}

#[tokio::test]
async fn the_text_of_a_style_that_was_not_learnt_is_forgotten_and_a_style_in_use_is_not() {
    let service = keeping(ALL_AN_HOUR).await;
    for (name, outcome) in [
        ("used", styles::learnt(1.0)),
        ("bad", Outcome::Failed(trouble())),
    ] {
        let draft = styles::draft(name, "It was a dark night.");
        service.store.submit_style(&draft).await.unwrap();
        let held = service.claim().await.lease;
        service.store.finish(held, outcome).await.unwrap();
    }
    two_hours_pass(&service).await;
    service.store.forget_stories(100).await.unwrap();
    let there = async |name: &str| service.store.style(name).await.unwrap().is_some();
    assert!(there("used").await && !there("bad").await);
}
