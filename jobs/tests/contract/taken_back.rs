//! What people do with their own: taking a story back for good, and letting everybody see it for as long as they like.

use jobs::{Outcome, Removed, Retried, Shared, State, Written};
use testkit::Service;
use testkit::service::{story, told, trouble};
use uuid::Uuid;

/// A told story.
async fn told_story(service: &Service, text: &str) -> Uuid {
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    let outcome = Outcome::Succeeded(story(text));
    assert_eq!(
        service.store.finish(lease, outcome).await.unwrap(),
        Written::Done
    );
    id
}

#[tokio::test]
async fn what_is_taken_back_is_gone_and_the_row_says_so() {
    let service = Service::start().await;
    let id = told_story(&service, "She left.").await;
    let picture = service.job(id).await.image.map(|image| image.key);
    service.store.share(id).await.unwrap();
    let removed = Some(Removed {
        picture: picture.clone(),
    });
    assert_eq!(service.store.remove_data(id).await.unwrap(), removed);
    let job = service.job(id).await;
    assert_eq!(
        (job.state, &job.result, job.shared_at),
        (State::Succeeded, &None, None)
    );
    let since = job.data_removed_at.unwrap();
    let kept: Vec<_> = picture.iter().map(|key| (id, key.clone())).collect();
    assert_eq!(
        service.store.without_a_job(&kept).await.unwrap(),
        Vec::from_iter(picture),
        "if nobody gets to delete the picture, the chore does"
    );
    assert_eq!(service.store.remove_data(id).await.unwrap(), removed);
    service.store.forget_picture(id).await.unwrap();
    assert_eq!(
        service.store.remove_data(id).await.unwrap(),
        Some(Removed { picture: None })
    );
    let job = service.job(id).await;
    assert_eq!((job.image, job.data_removed_at), (None, Some(since)));
    assert!(matches!(
        service.store.share(id).await.unwrap(),
        Shared::Removed
    ));
    assert_eq!(service.store.remove_data(Uuid::max()).await.unwrap(), None);
}

#[tokio::test]
async fn a_story_under_way_is_cancelled_before_it_is_taken_back_and_never_comes_again() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    let lease = service.claim().await.lease;
    service.store.remove_data(id).await.unwrap();
    assert_eq!(service.job(id).await.state, State::Cancelled);
    assert_eq!(service.outcomes(id).await, ["cancelled"]);
    assert_eq!(
        service.store.finish(lease, told()).await.unwrap(),
        Written::Stale
    );
    assert!(matches!(
        service.store.retry(id).await.unwrap(),
        Retried::Removed
    ));
    assert!(service.store.claim("worker", 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_picture_is_forgotten_only_with_the_rest() {
    let service = Service::start().await;
    let id = service.submit().await.id;
    service.store.forget_picture(id).await.unwrap();
    assert!(service.job(id).await.image.is_some());
}

#[tokio::test]
async fn the_gallery_has_what_is_shared_and_told_page_by_page() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(told_story(&service, &format!("Story {number}.")).await);
    }
    let waiting = service.submit().await.id;
    for id in ids.iter().copied().chain([waiting]) {
        assert!(matches!(
            service.store.share(id).await.unwrap(),
            Shared::Done(_)
        ));
    }
    ids.reverse();
    let first = service.store.gallery(None, 2).await.unwrap();
    let shown: Vec<_> = first.jobs.iter().map(|job| job.id).collect();
    assert_eq!(shown, ids[..2]);
    let second = service.store.gallery(first.next, 2).await.unwrap();
    assert_eq!(
        (second.jobs[0].id, second.jobs.len(), second.next),
        (ids[2], 1, None)
    );
    service.store.unshare(ids[0]).await.unwrap();
    service.store.remove_data(ids[1]).await.unwrap();
    let left = service.store.gallery(None, 9).await.unwrap().jobs;
    assert_eq!(left.iter().map(|job| job.id).collect::<Vec<_>>(), ids[2..]);
    let lease = service.claim().await.lease;
    service
        .store
        .finish(lease, Outcome::Failed(trouble()))
        .await
        .unwrap();
    assert_eq!(service.store.gallery(None, 9).await.unwrap().jobs.len(), 1);
    assert!(matches!(
        service.store.unshare(Uuid::max()).await.unwrap(),
        Shared::NotFound
    ));
}

#[tokio::test]
async fn sharing_again_keeps_its_place_and_a_withdrawn_consent_does_not() {
    let service = Service::start().await;
    let id = told_story(&service, "Once.").await;
    let share = async || match service.store.share(id).await.unwrap() {
        Shared::Done(job) => job.shared_at.unwrap(),
        other => panic!("{other:?}"),
    };
    let first = share().await;
    assert_eq!(share().await, first);
    service.store.unshare(id).await.unwrap();
    assert_ne!(share().await, first);
}
