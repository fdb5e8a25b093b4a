//! The worker on real networks with random weights: the words of jobs and of models meet.
//! What must stay true: nothing is fetched for it, the bundle is made on the spot.

use jobs::{Compat, Mode, State, StoryRequest};
use operation::metrics::METRICS;
use scripted::ScriptedEngine;
use worker::Config;

use crate::harness::{Service, picture};

#[tokio::test(flavor = "multi_thread")]
async fn the_networks_tell_a_story_with_captions_and_timings() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (bundle, cache) = (folder.path().join("bundle"), folder.path().join("cache"));
    models::bundle::fixture::write_bundle(&bundle, 1).unwrap();
    let small = StoryRequest {
        beam_width: 4,
        captions: 5,
        max_words: 20,
        ..StoryRequest::default()
    };
    let drawn = StoryRequest {
        mode: Some(Mode::Sample),
        seed: Some(3),
        ..small.clone()
    };
    let strict = StoryRequest {
        compat: Compat::Strict,
        ..small.clone()
    };
    let searched = service.submit_as(small, &picture()).await;
    let strict = service.submit_as(strict, &picture()).await;
    let drawn = service.submit_as(drawn, &picture()).await;
    let factory = worker::engine::storyteller::factory(bundle, cache, "cpu".to_owned());
    let tells = ScriptedEngine::new().tells();
    let worker = service.worker_on(Config::default(), tells, factory).await;
    let mut stories = Vec::new();
    for id in [searched, drawn, strict] {
        let job = service.finished(id).await;
        assert_eq!((job.state, job.error), (State::Succeeded, None));
        let result = job.result.unwrap();
        assert_eq!(
            (result.captions.len(), result.style.as_str()),
            (5, "romance")
        );
        assert!(
            result
                .captions
                .is_sorted_by(|a, b| a.similarity >= b.similarity)
        );
        let stages: Vec<_> = result.timings.keys().map(String::as_str).collect();
        assert_eq!(stages, ["captioning", "looking", "thinking", "writing"]);
        stories.push(result.story);
    }
    assert_ne!(stories[0], stories[2], "strict stories follow other rules");
    let pictures = |seen| METRICS.pictures.with_label_values(&[seen]).get();
    assert_eq!((pictures("looked"), pictures("known")), (1, 2));
    worker.stop().await;
}
