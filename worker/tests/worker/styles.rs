//! Styles that callers add, made by workers: a crash makes nothing twice, and a story may ask for what came of it.

use jobs::{ErrorKind, State, StoryRequest, StyleDraft, StyleStanding};

use crate::harness::{Service, picture, request};
use testkit::eventually;

impl Service {
    async fn new_style(&self, name: &str, text: &str) {
        let draft = StyleDraft {
            name: name.to_owned(),
            description: String::new(),
            source: String::new(),
            text: text.to_owned(),
        };
        self.store.submit_style(&draft).await.unwrap();
    }

    async fn style(&self, name: &str) -> StyleStanding {
        self.store.style(name).await.unwrap().unwrap()
    }

    async fn made(&self, name: &str) -> StyleStanding {
        eventually("the style is made or not", async || {
            let style = self.style(name).await;
            style.state.is_final().then_some(style)
        })
        .await
    }
}

fn in_style(style: &str) -> StoryRequest {
    StoryRequest {
        style: style.to_owned(),
        ..request("ok")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_is_told_in_a_style_that_was_made_of_a_text() {
    let service = Service::start().await;
    let worker = service.worker(4).await;
    service.new_style("mine", "ok").await;
    let style = service.made("mine").await;
    assert_eq!((style.state, style.entry.passages), (State::Succeeded, 30));
    for wanted in ["mine", "mine:0.5,romance:0.5"] {
        let id = service.submit_as(in_style(wanted), &picture()).await;
        assert_eq!(service.finished(id).await.state, State::Succeeded);
    }
    service.store.remove_style("mine").await.unwrap();
    let id = service.submit_as(in_style("mine"), &picture()).await;
    let error = service.finished(id).await.error.unwrap();
    assert_eq!(error.kind, ErrorKind::UnknownStyle);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_cannot_be_one_fails_at_once_and_a_panic_after_its_attempts() {
    let service = Service::start().await;
    let worker = service.worker(4).await;
    service.new_style("noise", "unusable").await;
    service.new_style("trap", "panic").await;
    let neighbours = service.submit_many(3, "ok").await;
    let noise = service.made("noise").await.error.unwrap();
    assert_eq!(noise.kind, ErrorKind::TextUnusable);
    let trap = service.made("trap").await.error.unwrap();
    assert_eq!(trap.kind, ErrorKind::ModelError);
    for id in neighbours {
        assert_eq!(service.finished(id).await.state, State::Succeeded);
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_style_whose_worker_dies_is_made_by_another() {
    let service = Service::start().await;
    service.new_style("mine", "gate").await;
    let first = service.worker(2).await;
    eventually("the first has begun", async || {
        let style = service.style("mine").await;
        (style.state == State::Running && style.stage.is_some()).then_some(())
    })
    .await;
    first.vanish().await;
    let second = service.worker(2).await;
    second.tells.open();
    assert_eq!(service.made("mine").await.state, State::Succeeded);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_style_that_is_removed_leaves_its_worker_free() {
    let service = Service::start().await;
    service.new_style("mine", "gate").await;
    let worker = service.worker(2).await;
    eventually("it has begun", async || {
        (service.style("mine").await.stage.is_some()).then_some(())
    })
    .await;
    service.store.remove_style("mine").await.unwrap();
    let id = service.submit("ok").await;
    assert_eq!(service.finished(id).await.state, State::Succeeded);
    worker.stop().await;
}
