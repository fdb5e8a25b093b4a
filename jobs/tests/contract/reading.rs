//! What can be seen of jobs from outside: pages, places in the queue, the pace, styles, and changes as they happen.
//! Rows are moved in time with [`Service::tamper`] where a test would have to wait.

use std::time::Duration;

use jobs::{
    Catalogue, Depth, ErrorKind, Listed, Outcome, Rules, State, StoryRequest, StyleEntry,
    Submitted, UsedCaption,
};

use testkit::postgres::holding;
use testkit::service::{new_job, story, told, trouble};
use testkit::{Service, eventually};

#[tokio::test]
async fn pages_of_jobs_go_from_the_newest_to_the_oldest() {
    let service = Service::start().await;
    let mut ids = service.submit_many(5).await;
    service.store.cancel(ids[2]).await.unwrap();
    ids.reverse();
    let page = |listed: Listed| {
        let ids = listed.jobs.into_iter().map(|job| job.id);
        ids.collect::<Vec<_>>()
    };
    let first = page(service.store.list(None, None, 3).await.unwrap());
    assert_eq!(first, ids[..3]);
    assert_eq!(
        page(
            service
                .store
                .list(None, first.last().copied(), 3)
                .await
                .unwrap()
        ),
        ids[3..]
    );
    assert_eq!(
        page(
            service
                .store
                .list(Some(State::Cancelled), None, 9)
                .await
                .unwrap()
        ),
        [ids[2]]
    );
    let queued = page(
        service
            .store
            .list(Some(State::Queued), Some(ids[1]), 9)
            .await
            .unwrap(),
    );
    assert_eq!(queued, ids[3..]);
}

#[tokio::test]
async fn who_has_come_to_a_long_line_since_it_was_read_stands_at_the_end_of_his_lane() {
    let service = Service::start().await;
    let ids = service.submit_many(1000).await;
    let line = service.store.line().await.unwrap();
    let as_urgent = |priority| {
        service.submit_as(StoryRequest {
            priority,
            ..StoryRequest::default()
        })
    };
    let (urgent, patient) = (as_urgent(5).await, as_urgent(0).await);
    let place = async |job| service.store.position_in(&line, job).await.unwrap();
    assert_eq!(place(&urgent).await, Some(0));
    // who else has come since is not known
    assert_eq!(place(&patient).await, Some(1000));
    assert_eq!(place(&service.job(ids[999]).await).await, Some(999));
    // one of before that is not in it, since somebody had it just then, is counted
    let claimed = service.claim().await;
    let again = service.store.line().await.unwrap();
    service
        .store
        .finish(claimed.lease, Outcome::Released)
        .await
        .unwrap();
    let place = service.store.position_in(&again, &claimed.job).await;
    assert_eq!(place.unwrap(), Some(0));
}

#[tokio::test]
async fn beyond_ten_thousand_nobody_is_counted_on() {
    let service = Service::start().await;
    let patient = service.submit().await;
    let urgent = service
        .submit_as(StoryRequest {
            priority: 5,
            ..StoryRequest::default()
        })
        .await;
    let many = "insert into jobs (id, request, image, lane, due_at, max_attempts)
        select gen_random_uuid(), request, image, lane, due_at - interval '1 hour', max_attempts
        from jobs, generate_series(1, 10001) where lane = 9";
    service.tamper(many).await;
    let line = service.store.line().await.unwrap();
    let place = async |job| service.store.position_in(&line, job).await.unwrap();
    assert_eq!(place(&urgent).await, Some(0));
    assert_eq!(place(&patient).await, Some(10_000));
    assert_eq!(
        service.store.position(patient.id).await.unwrap(),
        Some(10_000)
    );
}

#[tokio::test]
async fn a_job_knows_how_many_are_told_before_it() {
    let service = Service::start().await;
    let ids = service.submit_many(3).await;
    let urgent = service
        .submit_as(StoryRequest {
            priority: 5,
            ..StoryRequest::default()
        })
        .await
        .id;
    assert_eq!(service.store.position(urgent).await.unwrap(), Some(0));
    assert_eq!(service.store.position(ids[2]).await.unwrap(), Some(3));
    assert_eq!(service.claim().await.job.id, urgent);
    assert_eq!(service.store.position(urgent).await.unwrap(), None);
    assert_eq!(service.store.position(ids[2]).await.unwrap(), Some(2));
    assert_eq!(
        service.store.depth().await.unwrap(),
        Depth {
            queued: 3,
            running: 1
        }
    );
}

#[tokio::test]
async fn the_pace_is_measured_on_the_stories_told_last() {
    let service = Service::start().await;
    assert_eq!(service.store.pace().await.unwrap(), None);
    service.submit_many(4).await;
    for claimed in service.store.claim("worker", 4).await.unwrap() {
        service.store.finish(claimed.lease, told()).await.unwrap();
    }
    service
        .tamper("update jobs set finished_at = now(), started_at = now() - interval '8 s'")
        .await;
    assert_eq!(
        service.store.pace().await.unwrap(),
        Some(Duration::from_secs(2))
    );
    service
        .tamper("update jobs set finished_at = now() - interval '11 minutes'")
        .await;
    assert_eq!(service.store.pace().await.unwrap(), None);
}

#[tokio::test]
async fn styles_are_those_of_the_worker_that_registered_last() {
    let service = Service::start().await;
    let style = |name: &str| StyleEntry {
        name: name.to_owned(),
        description: "told like a novel".to_owned(),
        passages: 100,
        source: "a novel".to_owned(),
    };
    assert_eq!(service.store.styles().await.unwrap(), None);
    let styles = vec![style("romance"), style("adventure")];
    service
        .store
        .register_styles("starter-1", &styles)
        .await
        .unwrap();
    service
        .store
        .register_styles("starter-2", &[])
        .await
        .unwrap();
    service
        .store
        .register_styles("starter-1", &styles)
        .await
        .unwrap();
    let known = service.store.styles().await.unwrap();
    assert_eq!(
        known,
        Some(Catalogue {
            bundle: "starter-1".to_owned(),
            styles
        })
    );
}

#[tokio::test]
async fn whoever_waits_for_a_job_hears_of_its_changes() {
    let service = Service::start().await;
    let mut changes = service.store.changes();
    let id = service.submit().await.id;
    // the first word may pass before the listener has connected, so the job is changed until it is heard
    loop {
        let lease = service.claim().await.lease;
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(50), changes.recv()).await {
            assert_eq!(heard.unwrap(), id);
            return;
        }
        service
            .store
            .finish(lease, Outcome::Released)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_page_says_whether_there_is_another_one() {
    let service = Service::start().await;
    let ids = service.submit_many(3).await;
    let page = service.store.list(None, None, 2).await.unwrap();
    assert_eq!((page.jobs.len(), page.next), (2, Some(ids[1])));
    let last = service.store.list(None, page.next, 2).await.unwrap();
    assert_eq!((last.jobs.len(), last.next), (1, None));
    let whole = service.store.list(None, None, 3).await.unwrap();
    assert_eq!((whole.jobs.len(), whole.next), (3, None));
}

#[tokio::test]
async fn one_row_of_another_version_hides_no_other() {
    let service = Service::start().await;
    let ids = service.submit_many(3).await;
    service
        .tamper("update jobs set request = '5' where id = (select id from jobs order by id limit 1 offset 1)")
        .await;
    let page = service.store.list(None, None, 2).await.unwrap();
    assert_eq!((page.jobs.len(), page.unreadable), (1, 1));
    assert_eq!(page.next, Some(ids[1]), "the next page begins after it");
    let next = service.store.list(None, page.next, 2).await.unwrap();
    assert_eq!(next.jobs[0].id, ids[0]);
}

#[tokio::test]
async fn what_a_newer_worker_wrote_can_be_read() {
    let service = Service::start().await;
    let failed = service.submit().await.id;
    let lease = service.claim().await.lease;
    let outcome = Outcome::Failed(trouble());
    service.store.finish(lease, outcome).await.unwrap();
    service
        .tamper("update jobs set error = jsonb_set(error, '{kind}', '\"eclipse\"')")
        .await;
    let error = service.job(failed).await.error.unwrap();
    assert_eq!(
        (error.kind, error.message),
        (ErrorKind::Other, trouble().message)
    );

    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    let mut result = story("They never met again.");
    result.captions = vec![UsedCaption {
        text: "a dog".to_owned(),
        // no JSON has a word for it
        similarity: f64::NAN,
    }];
    let outcome = Outcome::Succeeded(result);
    service.store.finish(lease, outcome).await.unwrap();
    let captions = service.job(id).await.result.unwrap().captions;
    assert_eq!(captions[0].similarity, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_outlives_the_runtime_that_asked_for_it_first() {
    let rules = Rules {
        connections: 2,
        ..Rules::default()
    };
    let service = Service::with(rules).await;
    // so that the next who asks has to connect anew
    let end_all = "select pg_terminate_backend(pid) from pg_stat_activity \
        where datname = current_database() and pid <> pg_backend_pid()";
    service.tamper(end_all).await;
    // the threads that answer requests have runtimes of their own, and end one before the other
    let elsewhere = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let store = service.store.clone();
    let id = elsewhere
        .spawn(async move { store.submit(new_job(StoryRequest::default())).await })
        .await
        .unwrap()
        .unwrap();
    let id = match id {
        Submitted::New(job) => job.id,
        other => panic!("{other:?}"),
    };
    let held = holding(&service.url, "lock table jobs in access exclusive mode").await;
    let store = service.store.clone();
    let asked = tokio::spawn(async move { store.get(id).await });
    eventually("the question waits for the lock", async || {
        let waiting = "select count(*)::text from pg_locks where not granted and database = \
            (select oid from pg_database where datname = current_database())";
        (service.ask(waiting).await == "1").then_some(())
    })
    .await;
    elsewhere.shutdown_background();
    held.rollback().await;
    assert!(asked.await.unwrap().unwrap().is_some());
}
