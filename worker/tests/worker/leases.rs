//! Who holds a job: stops, crashes, cancellations and results that come too late.
//! What must stay true: however often a story is told, one result is shown and the log of attempts says why.

use std::time::Duration;

use jobs::{Cancelled, Rules, State};
use worker::Config;

use crate::harness::{Service, patient};
use testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_worker_charges_nobody() {
    let service = Service::start().await;
    let ids = service.submit_many(6, "gate").await;
    let worker = service.worker(2).await;
    let begun = eventually("one batch runs and one is prepared", async || {
        let running = service.store.depth().await.unwrap().running;
        worker.tells.batches().pop().filter(|_| running == 4)
    })
    .await;
    let waiting: Vec<_> = ids.iter().filter(|id| !begun.contains(id)).collect();
    assert_eq!((begun.len(), waiting.len()), (2, 4));
    worker.ask_to_stop();
    eventually("what was not begun is given back", async || {
        let depth = service.store.depth().await.unwrap();
        (depth.queued == 4).then_some(())
    })
    .await;
    let tells = worker.tells.clone();
    worker.stop().await;
    for id in &begun {
        let job = service.job(*id).await;
        assert_eq!((job.state, job.attempts), (State::Succeeded, 1));
    }
    for id in &waiting {
        let job = service.job(**id).await;
        assert_eq!((job.state, job.attempts), (State::Queued, 0));
        assert_eq!(tells.of(&id.to_string()), 0);
    }
    let next = service.worker(2).await;
    next.tells.open();
    for id in &waiting {
        let job = service.finished(**id).await;
        assert_eq!((job.state, job.attempts), (State::Succeeded, 1));
        assert_eq!(next.tells.of(&id.to_string()), 1);
    }
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_ever() {
    let service = Service::start().await;
    let id = service.submit("hang").await;
    let config = Config {
        drain: Duration::from_millis(50),
        ..Config::default()
    };
    let worker = service.worker_with(config).await;
    eventually("the story is begun", async || {
        worker.tells.has_begun(id).then_some(())
    })
    .await;
    worker.ask_to_stop();
    worker.end().await.unwrap();
    assert_eq!(service.job(id).await.state, State::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_result_of_a_lost_lease_is_dropped() {
    let service = Service::with(patient()).await;
    let id = service.submit("gate").await;
    let worker = service.worker(1).await;
    eventually("the story is begun", async || {
        worker.tells.has_begun(id).then_some(())
    })
    .await;
    let strict = Rules {
        lease_timeout: Duration::ZERO,
        ..patient()
    };
    let sweeper = service.store_with(strict).await;
    assert_eq!(sweeper.sweep().await.unwrap().requeued, [id]);
    eventually("it is claimed again", async || {
        (service.job(id).await.attempts == 2).then_some(())
    })
    .await;
    worker.tells.open();
    let job = service.finished(id).await;
    assert_eq!(job.state, State::Succeeded);
    // told twice, shown once: the first result came under a lease that was over
    eventually("both are told", async || {
        (worker.tells.of(&id.to_string()) == 2).then_some(())
    })
    .await;
    worker.stop().await;
    assert_eq!(service.outcomes(id).await, ["lost", "succeeded"]);
    assert_eq!(service.job(id).await, job);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_story_leaves_its_batch() {
    let service = Service::start().await;
    let unwanted = service.submit("gate").await;
    let wanted = service.submit("ok").await;
    let worker = service.worker(2).await;
    eventually("the batch is begun", async || {
        worker.tells.has_begun(unwanted).then_some(())
    })
    .await;
    let cancelled = service.store.cancel(unwanted).await.unwrap();
    assert!(matches!(cancelled, Cancelled::Done(_)), "{cancelled:?}");
    let job = service.finished(wanted).await;
    assert_eq!((job.state, job.attempts), (State::Succeeded, 1));
    assert_eq!(worker.tells.batches().len(), 1, "they were told together");
    worker.stop().await;
    assert_eq!(service.job(unwanted).await.state, State::Cancelled);
    assert_eq!(service.outcomes(unwanted).await, ["cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_worker_that_vanishes_are_told_by_the_next_one() {
    let service = Service::start().await;
    // pictures may be ready in any order: whichever two are told first, nothing gets through the gate
    let mut ids = service.submit_many(4, "gate").await;
    ids.extend(service.submit_many(2, "ok").await);
    let first = service.worker(2).await;
    let tells = first.tells.clone();
    let begun = || tells.batches().concat();
    eventually("one batch runs and one is prepared", async || {
        let running = service.store.depth().await.unwrap().running;
        (running == 4 && !tells.batches().is_empty()).then_some(())
    })
    .await;
    first.vanish().await;
    let guilty = begun();
    let second = service.worker(2).await;
    second.tells.open();
    for (place, id) in ids.iter().enumerate() {
        let job = service.finished(*id).await;
        let charged = 1 + u32::from(guilty.contains(id));
        assert_eq!((job.state, job.attempts), (State::Succeeded, charged));
        assert_eq!(second.tells.of(&id.to_string()), 1);
        let outcomes: &[&str] = if place < 4 {
            &["lost", "succeeded"]
        } else {
            &["succeeded"]
        };
        assert_eq!(service.outcomes(*id).await, outcomes);
    }
    // whatever the lost worker had begun was told alone
    let batches = second.tells.batches();
    let mut together = batches.iter().filter(|batch| batch.len() > 1).flatten();
    assert!(guilty.len() == 2 && together.all(|id| !guilty.contains(id)));
    tells.open();
    second.stop().await;
}
