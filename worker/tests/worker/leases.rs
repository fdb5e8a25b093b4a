//! Who holds a job: stops, crashes, cancellations and results that come too late.
//! What must stay true: however often a story is told, one result is shown and the log of attempts says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobs::{Cancelled, LearntStyle, RabbitSettings, State, StoryResult, StyleEntry};
use scripted::ScriptedEngine;
use uuid::Uuid;
use worker::{Config, Engine, EngineError, EngineFactory, Observer, StyleWork, Work};

use crate::harness::{Service, patient, together};
use testkit::eventually;
use testkit::postgres::holding;

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
async fn a_stop_does_not_wait_for_ever_and_charges_nobody() {
    let service = Service::start().await;
    let id = service.submit("hang").await;
    let config = Config {
        drain: Duration::from_millis(50),
        stop_within: Duration::from_millis(50),
        ..Config::default()
    };
    let worker = service.worker_with(config).await;
    eventually("the story is begun", async || {
        worker.tells.has_begun(id).then_some(())
    })
    .await;
    worker.ask_to_stop();
    worker.end().await.unwrap();
    let job = service.job(id).await;
    assert_eq!((job.state, job.attempts), (State::Queued, 0));
    assert_eq!(service.outcomes(id).await, ["returned"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_batch_waits_until_the_engine_has_let_go() {
    let service = Service::start().await;
    let id = service.submit("gate").await;
    let config = Config {
        drain: Duration::from_millis(50),
        ..Config::default()
    };
    let engine = ScriptedEngine::new();
    let tells = engine.tells();
    let gone = Arc::new(AtomicBool::new(false));
    let factory = Noticed::factory(engine, gone.clone());
    let worker = service.worker_on(config, tells, factory).await;
    eventually("the story is begun", async || {
        worker.tells.has_begun(id).then_some(())
    })
    .await;
    worker.ask_to_stop();
    worker.end().await.unwrap();
    assert!(gone.load(Ordering::SeqCst), "the engine is still there");
    assert_eq!(service.outcomes(id).await, ["returned"]);
}

/// An engine whose end is noticed.
struct Noticed {
    engine: Box<dyn Engine>,
    gone: Arc<AtomicBool>,
}

impl Noticed {
    fn factory(engine: ScriptedEngine, gone: Arc<AtomicBool>) -> EngineFactory {
        Box::new(move || {
            let engine = engine.factory()()?;
            Ok(Box::new(Noticed { engine, gone }))
        })
    }
}

impl Drop for Noticed {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
    }
}

impl Engine for Noticed {
    fn bundle(&self) -> String {
        self.engine.bundle()
    }

    fn styles(&self) -> Vec<StyleEntry> {
        self.engine.styles()
    }

    fn tell(
        &mut self,
        batch: &[Work],
        observer: &mut dyn Observer,
    ) -> Vec<Result<StoryResult, EngineError>> {
        self.engine.tell(batch, observer)
    }

    fn learn(
        &mut self,
        work: &StyleWork,
        observer: &mut dyn Observer,
    ) -> Result<LearntStyle, EngineError> {
        self.engine.learn(work, observer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_takes_long_keeps_no_heart_from_beating() {
    let service = Service::start().await;
    let url = service.database_url();
    let _held = holding(&url, "lock table sweeps in access exclusive mode").await;
    let id = service.submit("gate").await;
    let worker = service.worker(1).await;
    eventually("a beat has told how far the story is", async || {
        service.job(id).await.stage
    })
    .await;
    worker.stop().await;
}

/// With room for one message at the broker: a worker that leaks it hears of no more jobs.
#[tokio::test(flavor = "multi_thread")]
async fn cancelled_stories_leave_room_at_the_broker() {
    let url = testkit::rabbitmq::shared().await;
    let service = Service::start().await;
    let settings = RabbitSettings {
        urls: vec![url],
        name: format!("test-{}", Uuid::new_v4().simple()),
        prefetch: 1,
    };
    let engine = ScriptedEngine::new();
    let worker = service.worker_at(settings, together(1), engine).await;
    for _ in 0..3 {
        let id = service.submit("gate").await;
        eventually("the story is begun", async || {
            worker.tells.has_begun(id).then_some(())
        })
        .await;
        service.store.cancel(id).await.unwrap();
    }
    let last = service.submit("ok").await;
    assert_eq!(service.finished(last).await.state, State::Succeeded);
    worker.stop().await;
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
    let silent =
        "update jobs set heartbeat_at = now() - interval '8 hours' where state = 'running';
        update sweeps set trusted_from = now() - interval '8 hours', seen_at = now() + interval '8 hours'";
    testkit::postgres::tamper(&service.database_url(), silent).await;
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
