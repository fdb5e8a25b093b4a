//! What is wrong with one job, one engine or one store stays there.
//! What must stay true: whoever is not guilty has one attempt and one telling in the end.

use std::time::Duration;

use jobs::{ErrorKind, Job, State, StoryRequest};
use worker::{Config, Error};

use crate::harness::{Service, picture, request, together};
use scripted::ScriptedEngine;
use testkit::eventually;

fn failed_as(job: &Job) -> (State, ErrorKind) {
    let error = job.error.as_ref().expect("a failed job says why");
    (job.state, error.kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_image_fails_without_spoiling_its_batch() {
    let service = Service::start().await;
    let good = service.submit_many(2, "ok").await;
    let cut = &picture()[..40];
    let bad = service.submit_as(request("ok"), cut).await;
    let gone = service.submit("ok").await;
    service.lose_picture(gone).await;
    let last = service.submit("ok").await;
    let worker = service.worker(8).await;
    for id in good.into_iter().chain([last]) {
        let job = service.finished(id).await;
        assert_eq!((job.state, job.attempts), (State::Succeeded, 1));
        assert_eq!(worker.tells.of(&id.to_string()), 1);
    }
    let job = service.finished(bad).await;
    assert_eq!(failed_as(&job), (State::Failed, ErrorKind::ImageUnreadable));
    assert_eq!(job.attempts, 1);
    let job = service.finished(gone).await;
    assert_eq!(failed_as(&job), (State::Failed, ErrorKind::ImageMissing));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_style_nobody_knows_fails_with_the_names_of_the_known_ones() {
    let service = Service::start().await;
    let style = StoryRequest {
        style: "romance:0.5,noir:0.5".to_owned(),
        ..StoryRequest::default()
    };
    let id = service.submit_as(style, &picture()).await;
    let worker = service.worker(8).await;
    let job = service.finished(id).await;
    assert_eq!(failed_as(&job), (State::Failed, ErrorKind::UnknownStyle));
    let message = job.error.unwrap().message;
    assert!(
        message.contains("`noir`") && message.contains("adventure, romance, sea"),
        "{message}"
    );
    let catalogue = service.store.styles().await.unwrap().unwrap();
    assert_eq!(catalogue.styles.len(), 3);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_guilty_one_of_a_batch_is_charged() {
    let service = Service::start().await;
    for script in ["panic", "poison", "error"] {
        let mut innocent = service.submit_many(3, "ok").await;
        let guilty = service.submit(script).await;
        innocent.extend(service.submit_many(4, "ok").await);
        let worker = service.worker(8).await;
        for id in innocent {
            let job = service.finished(id).await;
            assert_eq!((job.state, job.attempts), (State::Succeeded, 1), "{script}");
            assert_eq!(worker.tells.of(&id.to_string()), 1, "{script}");
        }
        let job = service.finished(guilty).await;
        assert_eq!(failed_as(&job), (State::Failed, ErrorKind::ModelError));
        assert_eq!(service.outcomes(guilty).await, ["retry", "retry", "failed"]);
        let batches = worker.tells.batches();
        assert_eq!(batches.first().unwrap().len(), 8, "{script}");
        assert_eq!(batches.last().unwrap(), &[guilty], "{script}");
        worker.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_too_much_for_the_memory_is_told_in_parts_and_none_is_as_large_again() {
    let service = Service::start().await;
    let mut jobs = service.submit_many(8, "large").await;
    let worker = service.worker(8).await;
    for &id in &jobs {
        service.finished(id).await;
    }
    let before = worker.tells.batches().len();
    let sizes = |batches: &[Vec<_>]| batches.iter().map(Vec::len).max();
    assert_eq!(sizes(&worker.tells.batches()), Some(8));
    jobs.extend(service.submit_many(8, "large").await);
    for id in jobs {
        let job = service.finished(id).await;
        assert_eq!((job.state, job.attempts), (State::Succeeded, 1));
        assert_eq!(worker.tells.of(&id.to_string()), 1);
    }
    // memory holds two, and half of four was the last that is known to fit
    assert_eq!(sizes(&worker.tells.batches()[before..]), Some(2));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_told_story_waits_for_no_neighbour() {
    let service = Service::start().await;
    let quick = service.submit_many(2, "ok").await;
    let slow = service.submit("gate").await;
    let worker = service.worker(3).await;
    for &id in &quick {
        assert_eq!(service.finished(id).await.state, State::Succeeded);
    }
    assert_eq!(worker.tells.batches().concat().len(), 3);
    assert_eq!(service.job(slow).await.state, State::Running);
    worker.tells.open();
    assert_eq!(service.finished(slow).await.state, State::Succeeded);
    for id in quick.into_iter().chain([slow]) {
        assert_eq!(service.outcomes(id).await, ["succeeded"]);
        assert_eq!(worker.tells.of(&id.to_string()), 1);
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_joins_an_engine_that_has_a_lane_free_and_ends_before_those_it_joined() {
    let service = Service::start().await;
    let engine = ScriptedEngine::with_lanes(2);
    let worker = service.worker_of(together(4), engine).await;
    let slow = service.submit("gate").await;
    eventually("the story is begun", async || {
        worker.tells.has_begun(slow).then_some(())
    })
    .await;
    let quick = service.submit_many(3, "ok").await;
    for &id in &quick {
        assert_eq!(service.finished(id).await.state, State::Succeeded);
    }
    assert_eq!(worker.tells.joined().len(), 3);
    assert_eq!(service.job(slow).await.state, State::Running);
    // one that fails beside others is tried alone, and only then charged
    let bad = service.submit("error").await;
    eventually("it has joined", async || {
        worker.tells.joined().contains(&bad).then_some(())
    })
    .await;
    worker.tells.open();
    assert_eq!(service.finished(slow).await.state, State::Succeeded);
    assert_eq!(service.finished(bad).await.state, State::Failed);
    for id in quick.into_iter().chain([slow]) {
        assert_eq!(service.outcomes(id).await, ["succeeded"]);
        assert_eq!(worker.tells.of(&id.to_string()), 1);
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_that_failed_once_is_told_the_second_time() {
    let service = Service::start().await;
    let id = service.submit("flaky").await;
    let worker = service.worker(8).await;
    let job = service.finished(id).await;
    assert_eq!((job.state, job.attempts), (State::Succeeded, 2));
    assert_eq!(service.outcomes(id).await, ["retry", "succeeded"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_out_of_reach_stop_the_worker_and_charge_nobody() {
    let service = Service::start().await;
    service.pictures.set_down(true);
    let ids = service.submit_many(3, "ok").await;
    let worker = service.worker(2).await;
    let reason = eventually("the worker says what is wrong", async || {
        worker.health.reasons().get("images").cloned()
    })
    .await;
    assert!(
        reason.contains("the picture store cannot be reached"),
        "{reason}"
    );
    eventually("every job is given back", async || {
        let depth = service.store.depth().await.unwrap();
        (depth.queued == 3).then_some(())
    })
    .await;
    service.pictures.set_down(false);
    for id in ids {
        let job = service.finished(id).await;
        assert_eq!((job.state, job.attempts), (State::Succeeded, 1));
    }
    assert!(worker.health.is_ready(), "{:?}", worker.health.reasons());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_hung_engine_are_told_by_another_worker() {
    let service = Service::start().await;
    let id = service.submit("hang").await;
    let impatient = Config {
        hung_after: Duration::from_millis(300),
        ..Config::with_max_batch(1)
    };
    let stuck = service.worker_with(impatient).await;
    eventually("the worker says that it hangs", async || {
        let reasons = stuck.health.reasons();
        let reason = reasons.get("worker")?;
        reason.contains("has not moved").then_some(())
    })
    .await;
    let healthy = service.worker(1).await;
    healthy.tells.open();
    let job = service.finished(id).await;
    assert_eq!((job.state, job.attempts), (State::Succeeded, 2));
    assert_eq!(healthy.tells.of(&id.to_string()), 1);
    // it wakes up, and nobody wants to hear its story any more
    stuck.tells.open();
    eventually("the worker is well again", async || {
        stuck.health.is_ready().then_some(())
    })
    .await;
    stuck.stop().await;
    assert_eq!(service.outcomes(id).await, ["lost", "succeeded"]);
    assert_eq!(service.job(id).await, job);
    healthy.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_networks_do_not_load_says_why_and_ends() {
    let service = Service::start().await;
    let tells = ScriptedEngine::new().tells();
    let broken = Box::new(|| Err("the bundle is empty".to_owned()));
    let worker = service.worker_on(Config::default(), tells, broken).await;
    let health = worker.health.clone();
    let error = worker.end().await.unwrap_err();
    assert!(error.to_string().contains("the bundle is empty"), "{error}");
    assert_eq!(health.reasons()["worker"], error.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_engine_hangs_for_good_ends_and_says_so() {
    let service = Service::start().await;
    let id = service.submit("hang").await;
    let config = Config {
        hung_after: Duration::from_millis(200),
        give_up_after: Duration::from_millis(600),
        ..Config::default()
    };
    let worker = service.worker_with(config).await;
    let health = worker.health.clone();
    let ended = worker.end().await;
    assert!(matches!(ended, Err(Error::Hung { .. })), "{ended:?}");
    assert!(health.doomed().is_some(), "/livez says that all is well");
    // its jobs were left to others before
    assert_eq!(service.job(id).await.state, State::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_take_no_more_memory_than_they_may_and_all_are_told() {
    let service = Service::start().await;
    let config = Config {
        picture_memory: 2,
        ..Config::with_max_batch(8)
    };
    let ids = service.submit_many(9, "ok").await;
    let worker = service.worker_with(config).await;
    for id in ids {
        service.finished(id).await;
    }
    let batches = worker.tells.batches();
    let largest = batches.iter().map(Vec::len).max();
    assert!(
        largest <= Some(2),
        "each takes one MiB, and two may be had: {batches:?}"
    );
    worker.stop().await;
}
