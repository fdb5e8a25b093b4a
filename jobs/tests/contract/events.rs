//! What those who follow a job are told: numbered, in order, once, and the same for everybody who asks.

use jobs::{Beat, Event, Outcome, Said, Stage, State, UsedCaption, What, Written};
use testkit::Service;
use testkit::service::{story, told, trouble};
use uuid::Uuid;

async fn names(service: &Service, id: Uuid, after: u32) -> Vec<(u32, &'static str)> {
    let happened = service.store.happened(id, after).await.unwrap().unwrap();
    let name = |event: &Event| match &event.what {
        What::State { state, .. } => state.name(),
        What::Progress(_) => "progress",
        What::Captions { .. } => "captions",
        What::Sentence { .. } => "sentence",
        What::End => "end",
    };
    let named = happened
        .events
        .iter()
        .map(|event| (event.number, name(event)));
    named.collect()
}

fn stage(done: u32) -> Option<Stage> {
    Some(Stage {
        name: "writing".to_owned(),
        done,
        of: 120,
    })
}

fn captions() -> Said {
    Said::Captions {
        captions: vec![UsedCaption {
            text: "A dog runs .".to_owned(),
            similarity: 0.5,
        }],
    }
}

fn sentence(index: u32) -> Said {
    let text = format!("Sentence {index}.");
    Said::Sentence { index, text }
}

#[tokio::test]
async fn a_job_is_followed_from_its_submit_to_its_end() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    assert_eq!(names(&service, id, 0).await, [(1, "queued")]);
    let lease = service.claim().await.lease;
    let beat = |stage, said| Beat { lease, stage, said };
    let say = async |beat| assert_eq!(service.store.heartbeat(&[beat]).await.unwrap().len(), 1);
    say(beat(stage(0), vec![captions()])).await;
    assert_eq!(
        names(&service, id, 0).await,
        [
            (1, "queued"),
            (2, "running"),
            (3, "captions"),
            (4, "progress")
        ]
    );
    say(beat(stage(40), Vec::new())).await;
    say(beat(stage(40), Vec::new())).await;
    say(beat(None, Vec::new())).await;
    assert_eq!(
        names(&service, id, 3).await,
        [(5, "progress")],
        "only the present progress counts, and no progress is no news"
    );
    say(beat(None, vec![sentence(0), sentence(1)])).await;
    service.store.finish(lease, told()).await.unwrap();
    let end = [
        (6, "sentence"),
        (7, "sentence"),
        (8, "succeeded"),
        (9, "end"),
    ];
    assert_eq!(names(&service, id, 5).await, end);
    let happened = service.store.happened(id, 6).await.unwrap().unwrap();
    assert_eq!((happened.state, happened.last), (State::Succeeded, 9));
    assert_eq!(
        happened.events[0].what,
        What::Sentence {
            index: 1,
            text: "Sentence 1.".to_owned()
        }
    );
    assert!(names(&service, id, 9).await.is_empty());
    assert!(
        service
            .store
            .happened(Uuid::max(), 0)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn another_attempt_makes_captions_and_sentences_before_it_void_and_numbers_go_on() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    let said = vec![captions(), sentence(0)];
    let beat = Beat {
        lease,
        stage: stage(3),
        said,
    };
    service.store.heartbeat(&[beat]).await.unwrap();
    service
        .store
        .finish(lease, Outcome::Retry(trouble()))
        .await
        .unwrap();
    service.claim().await;
    assert_eq!(
        names(&service, id, 0).await,
        [(1, "queued"), (2, "running"), (6, "queued"), (7, "running")]
    );
    service.store.cancel(id).await.unwrap();
    service.store.retry(id).await.unwrap();
    assert_eq!(
        names(&service, id, 7).await,
        [(8, "cancelled"), (9, "end"), (10, "queued")]
    );
}

#[tokio::test]
async fn words_under_a_lease_that_is_over_are_not_heard() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    service.store.cancel(id).await.unwrap();
    let said = vec![sentence(0)];
    let beat = Beat {
        lease,
        stage: None,
        said,
    };
    assert!(service.store.heartbeat(&[beat]).await.unwrap().is_empty());
    assert_eq!(
        service.store.finish(lease, told()).await.unwrap(),
        Written::Stale
    );
    assert_eq!(names(&service, id, 2).await, [(3, "cancelled"), (4, "end")]);
}

#[tokio::test]
async fn a_job_of_the_time_before_events_has_a_state_and_an_end() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    service
        .store
        .finish(lease, Outcome::Failed(trouble()))
        .await
        .unwrap();
    service
        .tamper("update jobs set events = '[]', last_event = 0")
        .await;
    assert_eq!(names(&service, id, 0).await, [(1, "failed"), (2, "end")]);
    assert!(names(&service, id, 2).await.is_empty());
    service.store.retry(id).await.unwrap();
    assert_eq!(names(&service, id, 2).await, [(3, "queued")]);
}

#[tokio::test]
async fn standings_and_the_line_tell_of_many_jobs_at_once() {
    let service = Service::start().await;
    let ids = service.submit_many(3).await;
    service.store.cancel(ids[0]).await.unwrap();
    let mut standings = service
        .store
        .standings(&[ids[0], ids[2], Uuid::max()])
        .await
        .unwrap();
    standings.sort_by_key(|standing| standing.id);
    let seen: Vec<_> = standings
        .iter()
        .map(|one| (one.id, one.state, one.last_event))
        .collect();
    assert_eq!(
        seen,
        [(ids[0], State::Cancelled, 3), (ids[2], State::Queued, 1)]
    );
    let line = service.store.waiting_order().await.unwrap();
    assert_eq!((line.len(), line[&ids[1]], line[&ids[2]]), (2, 0, 1));
}

#[tokio::test]
async fn what_a_network_writes_is_kept_whatever_letters_it_is_made_of() {
    let service = Service::start().await;
    let (id, neighbour) = (service.submit().await.id, service.submit().await.id);
    let (lease, other) = (service.claim().await.lease, service.claim().await.lease);
    let text = "A nul\0 and a bell \u{7}, half a pair \u{fffd}, and 🐕.".to_owned();
    let beat = |lease, said| Beat {
        lease,
        stage: None,
        said,
    };
    let sentence = vec![Said::Sentence {
        index: 0,
        text: text.clone(),
    }];
    let beats = [beat(lease, sentence), beat(other, Vec::new())];
    assert_eq!(service.store.heartbeat(&beats).await.unwrap().len(), 2);
    assert_eq!(names(&service, id, 2).await, [(3, "sentence")]);
    let outcome = Outcome::Succeeded(story(&text));
    assert_eq!(
        service.store.finish(lease, outcome).await.unwrap(),
        Written::Done
    );
    let job = service.job(id).await;
    assert_eq!(job.result.unwrap().story, text.replace('\0', ""));
    assert_eq!(service.job(neighbour).await.state, State::Running);
}
