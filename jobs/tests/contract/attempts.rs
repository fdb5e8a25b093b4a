//! What an attempt promises: one holder, one visible result, and a fair account of who was charged.
//! Every way in which a lease can end is met by somebody who still believes that he holds it.

use jobs::{
    Beat, Cancelled, ErrorKind, Outcome, Retried, Rules, Stage, State, StoryRequest, Written,
};
use uuid::Uuid;

use testkit::service::{told, trouble};
use testkit::{Service, eventually};

#[tokio::test]
async fn a_claimed_job_runs_and_ends_with_its_story() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let claimed = service.claim().await;
    assert_eq!(
        (claimed.job.id, claimed.job.state, claimed.job.attempts),
        (id, State::Running, 1)
    );
    assert!(claimed.job.started_at.is_some() && !claimed.alone);
    let stage = Stage {
        name: "writing".to_owned(),
        done: 3,
        of: 120,
    };
    let held = service
        .store
        .heartbeat(&[Beat {
            lease: claimed.lease,
            stage: Some(stage.clone()),
            said: Vec::new(),
        }])
        .await
        .unwrap();
    assert!(held.contains(&claimed.lease));
    assert_eq!(service.job(id).await.stage, Some(stage));

    assert_eq!(
        service.store.finish(claimed.lease, told()).await.unwrap(),
        Written::Done
    );
    let job = service.job(id).await;
    assert_eq!(
        (job.state, job.stage, job.error),
        (State::Succeeded, None, None)
    );
    assert_eq!(job.result.unwrap().story, "They never met again.");
    assert!(job.finished_at >= job.started_at);
    assert_eq!(service.outcomes(id).await, ["succeeded"]);
}

#[tokio::test]
async fn a_result_under_an_old_lease_is_dropped() {
    let service = Service::impatient().await;
    let id = service.submit().await.id;
    let old = service.claim().await.lease;
    service.store.sweep().await.unwrap();
    let new = service.claim().await.lease;
    assert!(new.number > old.number);

    let beats = [old, new].map(|lease| Beat {
        lease,
        stage: None,
        said: Vec::new(),
    });
    let held = service.store.heartbeat(&beats).await.unwrap();
    assert_eq!(held, [new].into());
    for outcome in [
        told(),
        Outcome::Failed(trouble()),
        Outcome::Retry(trouble()),
        Outcome::Released,
    ] {
        assert_eq!(
            service.store.finish(old, outcome).await.unwrap(),
            Written::Stale
        );
    }
    assert_eq!(service.job(id).await.state, State::Running);
    assert_eq!(
        service.store.finish(new, told()).await.unwrap(),
        Written::Done
    );
    assert_eq!(
        service.store.finish(new, told()).await.unwrap(),
        Written::Stale
    );
    assert_eq!(service.outcomes(id).await, ["lost", "succeeded"]);
}

#[tokio::test]
async fn a_returned_job_keeps_its_place_and_its_attempts() {
    let service = Service::start().await;
    let ids = service.submit_many(2).await;
    let lease = service.claim().await.lease;
    assert_eq!(
        service
            .store
            .finish(lease, Outcome::Released)
            .await
            .unwrap(),
        Written::Done
    );
    let job = service.job(ids[0]).await;
    assert_eq!((job.state, job.attempts), (State::Queued, 0));
    assert_eq!(service.claim().await.job.id, ids[0]);
    assert_eq!(service.outcomes(ids[0]).await, ["returned", "running"]);
}

#[tokio::test]
async fn a_job_fails_with_its_last_error_once_no_attempt_is_left() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    for attempt in 1..=3 {
        let claimed = service.claim().await;
        assert_eq!(claimed.job.attempts, attempt);
        service
            .store
            .finish(claimed.lease, Outcome::Retry(trouble()))
            .await
            .unwrap();
        assert_eq!(service.job(id).await.error, Some(trouble()));
    }
    let job = service.job(id).await;
    assert_eq!((job.state, job.attempts), (State::Failed, 3));
    assert!(job.finished_at.is_some());
    assert_eq!(service.outcomes(id).await, ["retry", "retry", "failed"]);
    let attempts = service.store.attempts(id).await.unwrap();
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.error == Some(trouble()) && attempt.ended_at.is_some())
    );
}

#[tokio::test]
async fn a_job_that_is_tried_again_has_all_its_attempts_and_forgets_a_deadline_that_passed() {
    let service = Service::start().await;
    let soon = chrono::Utc::now() + chrono::Duration::milliseconds(50);
    let late = StoryRequest {
        deadline: Some(soon),
        ..StoryRequest::default()
    };
    let id = service.submit_as(late).await.id;
    eventually("the deadline passes", async || {
        service.store.sweep().await.unwrap();
        (service.job(id).await.state == State::Expired).then_some(())
    })
    .await;
    for outcome in ["expired", "cancelled"] {
        let Retried::Done(job) = service.store.retry(id).await.unwrap() else {
            panic!("an {outcome} job is not tried again");
        };
        assert_eq!((job.state, job.error), (State::Queued, None));
        assert_eq!(service.store.sweep().await.unwrap(), jobs::Swept::default());
        service.store.cancel(id).await.unwrap();
    }
    assert!(matches!(
        service.store.retry(id).await.unwrap(),
        Retried::Done(_)
    ));
    assert!(matches!(
        service.store.retry(id).await.unwrap(),
        Retried::UnderWay(_)
    ));
    for attempt in 1..=3 {
        let claimed = service.claim().await;
        assert_eq!(claimed.job.attempts, attempt);
        let outcome = Outcome::Retry(trouble());
        service.store.finish(claimed.lease, outcome).await.unwrap();
    }
    assert_eq!(service.job(id).await.state, State::Failed);
    service.store.retry(id).await.unwrap();
    let claimed = service.claim().await;
    assert_eq!(claimed.job.attempts, 1);
    service.store.finish(claimed.lease, told()).await.unwrap();
    assert!(matches!(
        service.store.retry(id).await.unwrap(),
        Retried::Told(_)
    ));
    assert_eq!(
        service.outcomes(id).await,
        ["retry", "retry", "failed", "succeeded"]
    );
}

#[tokio::test]
async fn a_failed_attempt_waits_before_the_next_one() {
    let service = Service::with(Rules::default()).await;
    let job = service.submit().await;
    let lease = service.claim().await.lease;
    service
        .store
        .finish(lease, Outcome::Retry(trouble()))
        .await
        .unwrap();
    let wait = service.job(job.id).await.due_at - job.created_at;
    assert!(wait.num_milliseconds() >= 800, "{wait}");
    assert!(service.store.claim("worker", 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_error_that_no_attempt_can_help_ends_the_job() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    service
        .store
        .finish(lease, Outcome::Failed(trouble()))
        .await
        .unwrap();
    let job = service.job(id).await;
    assert_eq!(
        (job.state, job.attempts, job.error),
        (State::Failed, 1, Some(trouble()))
    );
}

#[tokio::test]
async fn a_queued_job_that_is_cancelled_is_never_taken() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    assert!(
        matches!(service.store.cancel(id).await.unwrap(), Cancelled::Done(job) if job.state == State::Cancelled)
    );
    assert!(service.store.claim("worker", 1).await.unwrap().is_empty());
    assert!(matches!(
        service.store.cancel(id).await.unwrap(),
        Cancelled::TooLate(_)
    ));
    assert!(matches!(
        service.store.cancel(Uuid::now_v7()).await.unwrap(),
        Cancelled::NotFound
    ));
}

#[tokio::test]
async fn the_worker_of_a_cancelled_job_learns_it_from_its_heartbeat() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    service.store.cancel(id).await.unwrap();
    assert!(
        service
            .store
            .heartbeat(&[Beat {
                lease,
                stage: None,
                said: Vec::new()
            }])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        service.store.finish(lease, told()).await.unwrap(),
        Written::Stale
    );
    let job = service.job(id).await;
    assert_eq!((job.state, job.result), (State::Cancelled, None));
    assert_eq!(service.outcomes(id).await, ["cancelled"]);
}

#[tokio::test]
async fn a_job_that_cannot_be_read_waits_for_another_version_and_blocks_nobody() {
    let service = Service::start().await;
    let ids = service.submit_many(2).await;
    let tamper = async |how: &str| {
        let first = "where id = (select min(id::text)::uuid from jobs)";
        service
            .tamper(&format!("update jobs set {how} {first}"))
            .await;
    };
    tamper("request = '{\"form\": \"opera\"}'").await;
    let claimed = service.store.claim("worker", 2).await.unwrap();
    let claimed: Vec<_> = claimed.iter().map(|claimed| claimed.job.id).collect();
    assert_eq!(claimed, [ids[1]]);
    let before = service.store.claim("worker", 2).await.unwrap();
    assert!(before.is_empty(), "not at once again");

    // a worker that can read it comes
    tamper("request = '{}', due_at = now()").await;
    let claimed = service.store.claim("worker", 2).await.unwrap();
    assert_eq!((claimed[0].job.id, claimed[0].job.attempts), (ids[0], 1));
    let lease = claimed[0].lease;
    service
        .store
        .finish(lease, Outcome::Released)
        .await
        .unwrap();

    // none has come for as long as any upgrade takes
    tamper("request = '{\"form\": \"opera\"}', created_at = now() - interval '2 hours'").await;
    assert!(service.store.claim("worker", 2).await.unwrap().is_empty());
    tamper("request = '{}'").await;
    let unread = service.job(ids[0]).await;
    assert_eq!(
        (unread.state, unread.error.unwrap().kind),
        (State::Failed, ErrorKind::InvalidParameter)
    );
}

#[tokio::test]
async fn no_wish_to_cancel_takes_a_second_connection() {
    let rules = Rules {
        connections: 1,
        ..Rules::default()
    };
    let service = Service::with(rules).await;
    let id = service.submit().await.id;
    let first = service.store.cancel(id).await.unwrap();
    assert!(matches!(first, Cancelled::Done(_)), "{first:?}");
    let again = service.store.cancel(id).await.unwrap();
    assert!(matches!(again, Cancelled::TooLate(_)), "{again:?}");
    let nobody = service.store.cancel(Uuid::now_v7()).await.unwrap();
    assert!(matches!(nobody, Cancelled::NotFound), "{nobody:?}");
}
