//! What every place for pictures promises, whichever it is: one suite, run over a directory and over a real S3 server.
//! A new place adds a line at the end.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use jobs::images::{LARGEST, key, tidy};
use jobs::{Directory, Error, Images};
use uuid::Uuid;

use crate::harness::{Service, new_job};

/// Bytes that no two places of which are alike.
fn bytes(count: usize) -> Bytes {
    let block = |number: usize| (number as u32).wrapping_mul(2_654_435_761).to_le_bytes();
    let mut bytes: Vec<u8> = (0..count.div_ceil(4)).flat_map(block).collect();
    bytes.truncate(count);
    bytes.into()
}

async fn names(images: &dyn Images) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = images.list(names.last().map(String::as_str)).await.unwrap();
        if page.is_empty() {
            return names;
        }
        names.extend(page.into_iter().map(|kept| kept.key));
    }
}

async fn a_picture_is_kept_once_and_never_overwritten(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/png");
    let bytes = bytes(1 << 20);
    images.put(&key, bytes.clone()).await.unwrap();
    let error = images
        .put(&key, Bytes::from_static(b"other"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ImageExists { .. }), "{error}");
    // the very same is another picture as well
    images.put(&key, bytes.clone()).await.unwrap_err();
    assert_eq!(images.get(&key).await.unwrap(), bytes);
}

async fn an_empty_picture_is_kept(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/png");
    images.put(&key, Bytes::new()).await.unwrap();
    assert_eq!(images.get(&key).await.unwrap(), "");
}

async fn a_large_picture_is_kept_and_comes_in_pieces(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/jpeg");
    let large = bytes(20 * 1024 * 1024 + 7);
    images.put(&key, large.clone()).await.unwrap();
    assert!(matches!(
        images.put(&key, large.clone()).await.unwrap_err(),
        Error::ImageExists { .. }
    ));
    let mut reading = images.open(&key).await.unwrap();
    assert_eq!(reading.bytes, large.len() as u64);
    let (mut read, mut pieces) = (Vec::new(), 0);
    while let Some(chunk) = reading.chunks.next().await {
        read.extend_from_slice(&chunk.unwrap());
        pieces += 1;
    }
    assert!(pieces > 1);
    assert!(read == large, "what came out is not what went in");
    assert_eq!(names(images).await, [key]);
    assert_eq!(images.clear_unfinished(Duration::ZERO).await.unwrap(), 0);
}

async fn what_is_no_picture_by_its_size_is_refused(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/jpeg");
    let huge = Bytes::from(vec![0; usize::try_from(LARGEST).unwrap() + 1]);
    let error = images.put(&key, huge).await.unwrap_err();
    assert!(matches!(error, Error::ImageTooLarge { .. }), "{error}");
    images.get(&key).await.unwrap_err();
}

async fn a_picture_that_is_deleted_is_missing(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/jpeg");
    images.put(&key, Bytes::from_static(b"one")).await.unwrap();
    images.delete(&key).await.unwrap();
    images.delete(&key).await.unwrap();
    assert!(matches!(
        images.get(&key).await.unwrap_err(),
        Error::ImageMissing { .. }
    ));
    images.put(&key, Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(images.get(&key).await.unwrap(), "two");
}

async fn of_many_who_put_one_name_at_once_one_succeeds(images: &dyn Images) {
    let (small, large) = ((4096, 20), (17 * 1024 * 1024, 4));
    for (size, writers) in [small, small, small, small, large, large] {
        let key = key(Uuid::now_v7(), "image/webp");
        let puts = (0..writers).map(|number: u8| images.put(&key, Bytes::from(vec![number; size])));
        let results = futures_util::future::join_all(puts).await;
        let winners: Vec<_> = (0..writers)
            .filter(|&number| results[usize::from(number)].is_ok())
            .collect();
        let [winner] = winners[..] else {
            panic!("{winners:?} of {writers} with {size} bytes believe that they won: {results:?}");
        };
        for error in results.into_iter().filter_map(Result::err) {
            assert!(matches!(error, Error::ImageExists { .. }), "{error}");
        }
        assert!(images.get(&key).await.unwrap() == vec![winner; size]);
    }
}

async fn names_are_listed_page_by_page_each_once(images: &dyn Images) {
    let mut put = Vec::new();
    for _ in 0..1100 {
        put.push(key(Uuid::now_v7(), "image/gif"));
    }
    let puts =
        futures_util::stream::iter(&put).map(|key| images.put(key, Bytes::from_static(b"x")));
    let put_all: Vec<_> = puts.buffer_unordered(16).collect().await;
    put_all.into_iter().for_each(Result::unwrap);
    let mut listed = names(images).await;
    listed.sort();
    put.sort();
    assert_eq!(listed, put);
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

async fn no_name_reaches_outside(images: &dyn Images) {
    let long = "a".repeat(129);
    for key in [
        "",
        ".",
        "..",
        "../a",
        "a/b",
        "/etc/passwd",
        ".hidden",
        "A",
        "a\0b",
        "a\\b",
        "ä",
        &long,
    ] {
        for error in [
            images.put(key, Bytes::new()).await.unwrap_err(),
            images.get(key).await.unwrap_err(),
            images.delete(key).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::ImageKey { .. }), "{key:?}: {error}");
        }
    }
}

/// The suite on one place: `$open` answers with what keeps the place alive and the place, or none if there is none.
macro_rules! suite {
    ($place:ident, $open:expr, [$($promise:ident),* $(,)?]) => {
        mod $place {
            $(
                #[tokio::test]
                async fn $promise() {
                    let Some((_alive, images)) = $open.await else { return };
                    super::$promise(&images).await;
                }
            )*
        }
    };
}
macro_rules! suites {
    ($($place:ident: $open:expr),* $(,)?) => {
        $(suite!($place, $open, [
            a_picture_is_kept_once_and_never_overwritten,
            an_empty_picture_is_kept,
            a_large_picture_is_kept_and_comes_in_pieces,
            what_is_no_picture_by_its_size_is_refused,
            a_picture_that_is_deleted_is_missing,
            of_many_who_put_one_name_at_once_one_succeeds,
            names_are_listed_page_by_page_each_once,
            only_orphans_are_swept,
            no_name_reaches_outside,
        ]);)*
    };
}

async fn directory() -> Option<(tempfile::TempDir, Directory)> {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path().join("pictures")).unwrap();
    Some((folder, directory))
}

suites! {
    in_a_directory: super::directory(),
    in_s3: async { Some(((), crate::weed::bucket().await?)) },
}

#[tokio::test]
async fn a_directory_has_no_addresses_to_give_away() {
    let (_folder, images) = directory().await.unwrap();
    assert_eq!(
        images
            .download_url("a", Duration::from_secs(1))
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        images
            .upload_url("a", Duration::from_secs(1))
            .await
            .unwrap(),
        None
    );
}
