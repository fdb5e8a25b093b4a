//! What every place for pictures promises, whichever it is: one suite, run over a directory and over a real S3 server.
//! A new place adds a line at the end.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use pictures::images::{Announced, Deployment, LARGEST, Moved};
use pictures::{Directory, Error, Images};
use uuid::Uuid;

/// Bytes that no two places of which are alike.
fn bytes(count: usize) -> Bytes {
    let block = |number: usize| (number as u32).wrapping_mul(2_654_435_761).to_le_bytes();
    let mut bytes: Vec<u8> = (0..count.div_ceil(4)).flat_map(block).collect();
    bytes.truncate(count);
    bytes.into()
}

/// A name as the service makes them.
pub(crate) fn key(job: Uuid, media_type: &str) -> String {
    Deployment(Uuid::from_u128(7)).key(job, media_type)
}

async fn names(images: &dyn Images) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = images
            .list("", names.last().map(String::as_str))
            .await
            .unwrap();
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
    assert!(matches!(error, Error::Exists { .. }), "{error}");
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
        Error::Exists { .. }
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
    assert_eq!(
        images.clear_unfinished("", Duration::ZERO).await.unwrap(),
        0
    );
}

async fn what_is_no_picture_by_its_size_is_refused(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/jpeg");
    let huge = Bytes::from(vec![0; usize::try_from(LARGEST).unwrap() + 1]);
    let error = images.put(&key, huge).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    images.get(&key).await.unwrap_err();
}

async fn a_picture_that_is_deleted_is_missing(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/jpeg");
    images.put(&key, Bytes::from_static(b"one")).await.unwrap();
    images.delete(&key).await.unwrap();
    images.delete(&key).await.unwrap();
    assert!(matches!(
        images.get(&key).await.unwrap_err(),
        Error::Missing { .. }
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
            assert!(matches!(error, Error::Exists { .. }), "{error}");
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

async fn only_names_with_the_beginning_that_is_asked_for_are_listed(images: &dyn Images) {
    let (ours, others) = (Deployment(Uuid::now_v7()), Deployment(Uuid::now_v7()));
    let keys: Vec<String> = (0..3)
        .map(|_| ours.key(Uuid::now_v7(), "image/png"))
        .collect();
    for key in keys.iter().cloned().chain([
        others.key(Uuid::now_v7(), "image/png"),
        "notes.txt".to_owned(),
    ]) {
        images.put(&key, Bytes::from_static(b"x")).await.unwrap();
    }
    let mut listed: Vec<String> = Vec::new();
    loop {
        let page = images
            .list(&ours.prefix(), listed.last().map(String::as_str))
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|kept| kept.key));
    }
    listed.sort();
    assert_eq!(listed, keys);
    assert!(
        keys.iter()
            .all(|key| ours.job_of(key).is_some() && others.job_of(key).is_none())
    );
}

async fn a_deployment_moves_in_once(images: &dyn Images) {
    let (ours, others) = (Deployment(Uuid::now_v7()), Deployment(Uuid::now_v7()));
    assert_eq!(ours.move_in(images).await.unwrap(), Moved::In);
    assert_eq!(ours.move_in(images).await.unwrap(), Moved::Before);
    assert_eq!(others.move_in(images).await.unwrap(), Moved::In);
    assert!(
        images.list(&ours.prefix(), None).await.unwrap().is_empty(),
        "the mark is no picture"
    );
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
            assert!(matches!(error, Error::Key { .. }), "{key:?}: {error}");
        }
    }
}

/// The suite on one place: `$open` answers with what keeps the place alive and the place.
macro_rules! suite {
    ($place:ident, $open:expr, [$($promise:ident),* $(,)?]) => {
        mod $place {
            $(
                #[tokio::test]
                async fn $promise() {
                    let (_alive, images) = $open.await;
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
            only_names_with_the_beginning_that_is_asked_for_are_listed,
            a_deployment_moves_in_once,
            no_name_reaches_outside,
        ]);)*
    };
}

async fn directory() -> (tempfile::TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path().join("pictures")).unwrap();
    (folder, directory)
}

suites! {
    in_a_directory: super::directory(),
    in_s3: async { ((), testkit::seaweedfs::bucket().await) },
}

#[tokio::test]
async fn a_directory_has_no_addresses_to_give_away() {
    let (_folder, images) = directory().await;
    let announced = Announced {
        media_type: "image/jpeg",
        bytes: 1,
    };
    let asked = images.upload_url("a", announced, Duration::from_secs(1));
    assert_eq!(asked.await.unwrap(), None);
}
