//! Styles that callers add: jobs like any other, whose result is there for everybody in the moment they succeed.

use std::sync::Arc;
use std::time::Duration;

use jobs::{
    ErrorKind, JobError, JobKind, Outcome, PostgresQueue, Queue, State, StyleEntry, StyleSubmitted,
    Written,
};

use crate::rabbitmq::OnBroker;
use testkit::Service;
use testkit::service::styles::{BUNDLE, draft, learnt};

async fn a_style_is_taken_like_a_story(service: Service, queue: Arc<dyn Queue>) {
    service.new_style("mine").await;
    queue.publish(&[]).await.unwrap();
    let claimed = queue.claim("worker", 4, Duration::from_secs(20)).await;
    let claimed = claimed.unwrap().remove(0);
    assert_eq!(claimed.job.kind, JobKind::Style);
    let text = service.store.style_draft(claimed.job.id).await.unwrap();
    assert_eq!(text.unwrap().text, "long ago");
    let written = service.store.finish(claimed.lease, learnt(0.5)).await;
    assert_eq!(written.unwrap(), Written::Done);
    assert_eq!(service.vectors("mine").await, [vec![0.5; 3]]);
    assert_eq!(service.outcomes(claimed.job.id).await, ["succeeded"]);
}

#[tokio::test]
async fn the_table_rings_for_a_style_as_for_a_story() {
    let service = Service::start().await;
    let queue = Arc::new(PostgresQueue::new(service.store.clone()));
    a_style_is_taken_like_a_story(service, queue).await;
}

#[tokio::test]
async fn the_broker_rings_for_a_style_as_for_a_story() {
    let service = Service::start().await;
    let on = OnBroker::shared(&service).await;
    a_style_is_taken_like_a_story(service, on.queue).await;
}

#[tokio::test]
async fn a_style_is_listed_with_the_bundle_it_was_made_with_and_with_no_other() {
    let service = Service::start().await;
    let own = StyleEntry {
        name: "romance".to_owned(),
        description: String::new(),
        passages: 9,
        source: String::new(),
    };
    let own = [own];
    service.store.register_styles(BUNDLE, &own).await.unwrap();
    service.new_style("mine").await;
    let names = async || {
        let catalogue = service.store.styles().await.unwrap().unwrap();
        let names = catalogue.styles.into_iter().map(|style| style.name);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["romance"], "it is not made yet");
    let knows = async |name: &str| {
        let asked = [name.to_owned()];
        service.store.are_of_the_bundle(&asked) || names().await.contains(&asked[0])
    };
    assert!(knows("romance").await && !knows("mine").await);
    let lease = service.claim().await.lease;
    service.store.finish(lease, learnt(1.0)).await.unwrap();
    assert!(knows("mine").await, "there in the moment it is made");
    assert_eq!(names().await, ["romance", "mine"]);
    service
        .store
        .register_styles("other-1", &own)
        .await
        .unwrap();
    assert_eq!(names().await, ["romance"]);
    let stories = service.store.list(None, None, 10).await.unwrap();
    assert!(stories.jobs.is_empty(), "a style is no story");
}

#[tokio::test]
async fn the_same_text_is_the_same_style_and_another_text_needs_another_name() {
    let service = Service::start().await;
    service.new_style("mine").await;
    let again = service.store.submit_style(&draft("mine", "long ago")).await;
    assert!(matches!(again.unwrap(), StyleSubmitted::Same(_)));
    let other = service.store.submit_style(&draft("mine", "just now")).await;
    assert_eq!(other.unwrap(), StyleSubmitted::Taken);
    assert_eq!(service.store.depth().await.unwrap().queued, 1);
}

#[tokio::test]
async fn a_result_that_comes_too_late_is_not_kept() {
    let service = Service::impatient().await;
    service.new_style("mine").await;
    let slow = service.claim().await.lease;
    service.store.sweep().await.unwrap();
    let quick = service.claim().await.lease;
    let written = service.store.finish(quick, learnt(2.0)).await.unwrap();
    assert_eq!(written, Written::Done);
    let written = service.store.finish(slow, learnt(1.0)).await.unwrap();
    assert_eq!(written, Written::Stale);
    assert_eq!(service.vectors("mine").await, [vec![2.0; 3]]);
}

#[tokio::test]
async fn a_style_that_failed_gives_up_its_name() {
    let service = Service::start().await;
    service.new_style("mine").await;
    let error = JobError::new(ErrorKind::TextUnusable, "too short");
    let lease = service.claim().await.lease;
    let failed = Outcome::Failed(error.clone());
    service.store.finish(lease, failed).await.unwrap();
    let standing = service.store.style("mine").await.unwrap().unwrap();
    assert_eq!(
        (standing.state, standing.error),
        (State::Failed, Some(error))
    );
    service.new_style("mine").await;
    assert_eq!(service.state("mine").await, Some(State::Queued));
}

#[tokio::test]
async fn a_style_that_is_removed_while_it_is_made_is_not_kept() {
    let service = Service::start().await;
    service.new_style("mine").await;
    let lease = service.claim().await.lease;
    assert!(service.store.remove_style("mine").await.unwrap());
    assert!(!service.store.remove_style("mine").await.unwrap());
    let written = service.store.finish(lease, learnt(1.0)).await.unwrap();
    assert_eq!(written, Written::Stale);
    assert!(service.vectors("mine").await.is_empty() && service.state("mine").await.is_none());
}
