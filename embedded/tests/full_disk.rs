//! A disk that is full under the database: what was accepted stays, what cannot be kept is refused as something that passes,
//! and when there is room again nobody has to do anything.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use embedded::EmbeddedPostgres;
use jobs::{Rules, Store, StoryRequest, Submitted};
use testkit::SmallDisk;
use testkit::eventually;
use testkit::postgres::settings;
use testkit::service::new_job;

/// More statements than any log that Postgres keeps ready has room for.
const MANY: usize = 10_000;
/// After so many refusals nothing is left of what the database had in reserve.
const REFUSALS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_that_was_accepted_is_lost_and_with_room_it_goes_on() {
    let disk = SmallDisk::mount("192m");
    let postgres = EmbeddedPostgres::start(settings(disk.path()))
        .await
        .unwrap();
    let store = Store::connect(&postgres.url(), Rules::default())
        .await
        .unwrap();
    store.migrate().await.unwrap();
    let mut accepted = Vec::new();
    let mut submit = async || {
        let submitted = store.submit(new_job(StoryRequest::default())).await?;
        let Submitted::New(job) = submitted else {
            panic!("{submitted:?}");
        };
        accepted.push(job.id);
        Ok::<(), jobs::Error>(())
    };
    submit().await.unwrap();
    disk.fill();
    let mut refused = 0;
    for _ in 0..MANY {
        if let Err(error) = submit().await {
            assert!(error.is_unavailable(), "{error}");
            refused += 1;
        }
        if refused == REFUSALS {
            break;
        }
    }
    assert_eq!(refused, REFUSALS, "the disk is full");
    disk.clear();
    eventually("a story is accepted again", async || submit().await.ok()).await;
    for id in accepted {
        assert!(store.get(id).await.unwrap().is_some(), "{id} is lost");
    }
    store.close().await;
    postgres.stop().await.unwrap();
}
