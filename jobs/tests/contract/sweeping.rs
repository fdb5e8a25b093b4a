//! What the sweeper promises: jobs of lost workers run again, alone, or fail in the end; deadlines are kept.
//! A worker is lost by giving leases no time at all, so nobody waits here.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use jobs::{Beat, ErrorKind, Lease, Rules, State, Store, StoryRequest, Swept};

use testkit::Service;
use testkit::postgres;
use testkit::service::told;

#[tokio::test]
async fn the_job_of_a_lost_worker_runs_again_alone() {
    let service = Service::impatient().await;
    let ids = service.submit_many(2).await;
    let held = service.claim().await.lease;
    service.store.begin(&[held]).await.unwrap();
    let swept = service.store.sweep().await.unwrap();
    assert_eq!(
        swept,
        Swept {
            requeued: vec![ids[0]],
            ..Swept::default()
        }
    );
    assert_eq!(
        service.job(ids[0]).await.error.unwrap().kind,
        ErrorKind::WorkerLost
    );

    let claimed = service.store.claim("other", 2).await.unwrap();
    let alone: Vec<_> = claimed
        .iter()
        .map(|claimed| (claimed.job.id, claimed.alone, claimed.job.attempts))
        .collect();
    assert_eq!(alone, [(ids[0], true, 2), (ids[1], false, 1)]);
    service
        .store
        .finish(claimed[0].lease, told())
        .await
        .unwrap();
    assert_eq!(service.job(ids[0]).await.error, None);
}

#[tokio::test]
async fn a_job_that_loses_every_worker_fails() {
    let service = Service::impatient().await;
    let id = service.submit().await.id;
    for _ in 0..3 {
        let held = service.claim().await.lease;
        service.store.begin(&[held]).await.unwrap();
        service.store.sweep().await.unwrap();
    }
    let job = service.job(id).await;
    assert_eq!(
        (job.state, job.error.unwrap().kind),
        (State::Failed, ErrorKind::WorkerLost)
    );
    assert_eq!(service.outcomes(id).await, ["lost", "lost", "lost"]);
    assert!(service.store.claim("worker", 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_job_that_was_only_held_ready_is_neither_charged_nor_set_apart_but_not_for_ever() {
    let service = Service::impatient().await;
    let id = service.submit().await.id;
    for number in 1..=9 {
        let claimed = service.claim().await;
        assert_eq!((claimed.lease.number, claimed.job.attempts), (number, 1));
        assert!(!claimed.alone);
        // a word about a claim that is over marks nothing
        let before = Lease {
            number: number - 1,
            ..claimed.lease
        };
        service.store.begin(&[before]).await.unwrap();
        service.store.sweep().await.unwrap();
        assert_eq!(service.job(id).await.attempts, 0);
    }
    for _ in 0..3 {
        service.claim().await;
        service.store.sweep().await.unwrap();
    }
    assert_eq!(service.job(id).await.state, State::Failed);
    assert_eq!(service.outcomes(id).await, ["lost"; 12]);
}

#[tokio::test]
async fn a_job_whose_worker_beats_is_left_alone() {
    let service = Service::start().await;
    service.submit_many(2).await;
    let claimed = service.store.claim("worker", 2).await.unwrap();
    service
        .tamper("update jobs set heartbeat_at = heartbeat_at - interval '5 s'")
        .await;
    service
        .store
        .heartbeat(&[Beat {
            lease: claimed[0].lease,
            stage: None,
            said: Vec::new(),
        }])
        .await
        .unwrap();
    let swept = service.store.sweep().await.unwrap();
    assert_eq!(swept.requeued, [claimed[1].job.id]);
    assert_eq!(service.store.sweep().await.unwrap(), Swept::default());
}

#[tokio::test]
async fn sweepers_at_once_charge_a_lost_worker_once() {
    let service = Service::impatient().await;
    service.submit_many(20).await;
    service.store.claim("worker", 20).await.unwrap();
    let sweeps = futures_util::future::join_all((0..6).map(|_| service.store.sweep())).await;
    let requeued: usize = sweeps
        .into_iter()
        .map(|swept| swept.unwrap().requeued.len())
        .sum();
    assert_eq!(requeued, 20);
}

#[tokio::test]
async fn a_job_whose_deadline_has_passed_is_not_told() {
    let service = Service::start().await;
    let soon = StoryRequest {
        deadline: Some(Utc::now() + TimeDelta::hours(1)),
        ..StoryRequest::default()
    };
    let past = StoryRequest {
        deadline: Some(Utc::now() - TimeDelta::seconds(1)),
        ..StoryRequest::default()
    };
    let late = service.submit_as(past).await.id;
    let in_time = service.submit_as(soon).await.id;
    let claimed = service.store.claim("worker", 2).await.unwrap();
    assert_eq!(
        claimed
            .iter()
            .map(|claimed| claimed.job.id)
            .collect::<Vec<_>>(),
        [in_time]
    );
    assert_eq!(service.store.sweep().await.unwrap().expired, [late]);
    let job = service.job(late).await;
    assert_eq!(
        (job.state, job.error.unwrap().kind),
        (State::Expired, ErrorKind::DeadlinePassed)
    );
    assert_eq!(job.attempts, 0);
}

/// As if the database had been away until now, and everybody's last beat were from before.
const AFTER_AN_OUTAGE: &str = "update jobs set heartbeat_at = now() - interval '6 s';
    update sweeps set seen_at = now() - interval '6 s', trusted_from = now() - interval '1 hour'";

#[tokio::test]
async fn time_in_which_nobody_could_be_heard_ends_no_lease() {
    let service = Service::start().await;
    service.submit_many(2).await;
    let claimed = service.store.claim("innocent", 2).await.unwrap();
    service.tamper(AFTER_AN_OUTAGE).await;
    // the first worker to reach the database again sweeps before the others have had time for a beat
    for _ in 0..3 {
        assert_eq!(service.store.sweep().await.unwrap(), Swept::default());
    }
    let lease = claimed[0].lease;
    let beat = Beat {
        lease,
        stage: None,
        said: Vec::new(),
    };
    service.store.heartbeat(&[beat]).await.unwrap();
    // a whole lease later; heard in the future, because a pause of this test is no silence of the database
    service
        .tamper("update sweeps set trusted_from = now(), seen_at = now() + interval '1 h'")
        .await;
    let swept = service.store.sweep().await.unwrap();
    assert_eq!(swept.requeued, [claimed[1].job.id], "one did not come back");
    assert_eq!(service.job(claimed[0].job.id).await.state, State::Running);
}

#[tokio::test]
async fn a_lease_is_as_long_as_its_holder_was_told_whoever_sweeps() {
    let with = |seconds: u64| Rules {
        lease_timeout: Duration::from_secs(seconds),
        heartbeat: Duration::from_secs(seconds) / 4,
        ..Rules::default()
    };
    let service = Service::with(with(60)).await;
    let hasty = Store::connect(&service.url, with(4)).await.unwrap();
    service.submit().await;
    let id = service.claim().await.job.id;
    let silent = async |how: &str| {
        // heard in the future, because a pause of this test is no silence of the database
        let sweeps = "update sweeps set trusted_from = now() - interval '1 h', seen_at = now() + interval '1 h'";
        let beat = "update jobs set heartbeat_at = now() - interval";
        service.tamper(&format!("{sweeps}; {beat} {how}")).await;
    };
    silent("'20 s'").await;
    assert_eq!(hasty.sweep().await.unwrap(), Swept::default());
    // an older version holds it, and says nothing
    silent("'20 s', lease_time = null").await;
    assert_eq!(hasty.sweep().await.unwrap().requeued, [id]);

    // and the other way round: a sweeper with patience notices what is long for those who have less
    let quick = hasty.claim("quick", 1).await.unwrap();
    assert_eq!(quick.len(), 1);
    silent("'10 s'").await;
    service
        .tamper("update sweeps set seen_at = now() - interval '10 s'")
        .await;
    assert_eq!(service.store.sweep().await.unwrap(), Swept::default());
    silent("'10 s'").await;
    assert_eq!(service.store.sweep().await.unwrap().requeued, [id]);
}

#[tokio::test]
async fn a_step_that_another_process_takes_is_passed_by() {
    let service = Service::impatient().await;
    service.submit().await;
    service.claim().await;
    let held = postgres::holding(
        &service.url,
        "select pg_advisory_xact_lock(126943923173681)",
    )
    .await;
    assert_eq!(service.store.sweep().await.unwrap(), Swept::default());
    held.rollback().await;
    assert_eq!(service.store.sweep().await.unwrap().requeued.len(), 1);
}
