//! Pictures that no job has are swept, and no others: over a directory and over a real S3 server.

use std::time::Duration;

use bytes::Bytes;
use pictures::images::key;
use pictures::{Directory, Images};
use testkit::Service;
use testkit::service::new_job;
use uuid::Uuid;
use worker::dispatcher::tidy;

async fn names(images: &dyn Images) -> Vec<String> {
    images
        .list(None)
        .await
        .unwrap()
        .into_iter()
        .map(|kept| kept.key)
        .collect()
}

async fn only_orphans_are_swept(images: &dyn Images) {
    let service = Service::start().await;
    let (mut job, mut changed) = (new_job(Default::default()), new_job(Default::default()));
    job.image.key = key(job.id, "image/png");
    let stale = key(changed.id, "image/png");
    changed.image.key = key(changed.id, "image/jpeg");
    let orphans = [
        key(Uuid::now_v7(), "image/png"),
        key(Uuid::now_v7(), "image/gif"),
        stale,
    ];
    let kept = [
        job.image.key.clone(),
        changed.image.key.clone(),
        "notes.txt".to_owned(),
    ];
    for key in orphans.iter().chain(&kept) {
        images
            .put(key, Bytes::from_static(b"picture"))
            .await
            .unwrap();
    }
    service.store.submit(job).await.unwrap();
    service.store.submit(changed).await.unwrap();

    let young = tidy(&service.store, images, Duration::from_secs(3600))
        .await
        .unwrap();
    assert_eq!(
        (young.looked_at, young.orphans),
        (6, 0),
        "a submit may be under way"
    );
    // clocks of stores count in seconds
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let tidied = tidy(&service.store, images, Duration::from_millis(1))
        .await
        .unwrap();
    assert_eq!((tidied.looked_at, tidied.orphans), (6, 3));
    let (mut left, mut expected) = (names(images).await, kept.to_vec());
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn only_orphans_are_swept_from_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    only_orphans_are_swept(&Directory::open(folder.path().join("pictures")).unwrap()).await;
}

#[tokio::test]
async fn only_orphans_are_swept_from_s3() {
    let Some(images) = testkit::seaweedfs::bucket().await else {
        return;
    };
    only_orphans_are_swept(&images).await;
}
