//! Stories that go on from others.

use jobs::{ErrorKind, State, StoryRequest};

use crate::harness::{Service, picture};

#[tokio::test(flavor = "multi_thread")]
async fn a_story_goes_on_from_the_text_of_another_unless_it_was_taken_back() {
    let service = Service::start().await;
    let worker = service.worker(4).await;
    let first = service.submit_as(StoryRequest::default(), &picture()).await;
    let told = service.finished(first).await.result.unwrap().story;
    let wishes = StoryRequest {
        continues: Some(first),
        ..StoryRequest::default()
    };
    let second = service.submit_as(wishes.clone(), &picture()).await;
    let goes_on = service.finished(second).await.result.unwrap().story;
    let words = told.split_whitespace().count();
    assert_eq!(goes_on, format!("So it went on after {words} words."));

    service.store.remove_data(first).await.unwrap();
    let orphan = service.submit_as(wishes, &picture()).await;
    let orphan = service.finished(orphan).await;
    assert_eq!(orphan.state, State::Failed);
    let error = orphan.error.unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidParameter);
    assert!(error.message.contains("taken back"), "{error}");
    worker.stop().await;
}
