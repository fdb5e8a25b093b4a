//! What every place for pictures promises, whichever it is.
//! A new place adds a module that runs the same functions.

use bytes::Bytes;
use jobs::images::key;
use jobs::{Directory, Error, Images};
use uuid::Uuid;

async fn a_picture_is_kept_once_and_never_overwritten(images: &dyn Images) {
    let key = key(Uuid::now_v7(), "image/png");
    let bytes = Bytes::from(vec![7; 1 << 20]);
    images.put(&key, bytes.clone()).await.unwrap();
    let error = images
        .put(&key, Bytes::from_static(b"other"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ImageExists { .. }), "{error}");
    assert_eq!(images.get(&key).await.unwrap(), bytes);
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
    let key = key(Uuid::now_v7(), "image/webp");
    let puts = (0..8u8).map(|number| images.put(&key, Bytes::from(vec![number; 4096])));
    let results = futures_util::future::join_all(puts).await;
    let winner = results.iter().position(Result::is_ok).unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(
        images.get(&key).await.unwrap(),
        vec![u8::try_from(winner).unwrap(); 4096]
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
            assert!(matches!(error, Error::ImageKey { .. }), "{key:?}: {error}");
        }
    }
}

mod in_a_directory {
    //! The suite on a directory.

    use super::Directory;

    fn directory() -> (tempfile::TempDir, Directory) {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path().join("pictures")).unwrap();
        (folder, directory)
    }

    #[tokio::test]
    async fn a_picture_is_kept_once_and_never_overwritten() {
        let (_folder, images) = directory();
        super::a_picture_is_kept_once_and_never_overwritten(&images).await;
    }

    #[tokio::test]
    async fn a_picture_that_is_deleted_is_missing() {
        let (_folder, images) = directory();
        super::a_picture_that_is_deleted_is_missing(&images).await;
    }

    #[tokio::test]
    async fn of_many_who_put_one_name_at_once_one_succeeds() {
        let (_folder, images) = directory();
        super::of_many_who_put_one_name_at_once_one_succeeds(&images).await;
    }

    #[tokio::test]
    async fn no_name_reaches_outside() {
        let (_folder, images) = directory();
        super::no_name_reaches_outside(&images).await;
    }
}
