//! Programs of one version on the tables of the next: what is there during every upgrade.
//! `statements_before.json` has every statement of the version before the last migrations, taken from its `.sqlx/`; whoever
//! releases a version puts that version's in its place. What must stay true: see `migrations/README.md`.

use jobs::{Rules, Store, Written};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};
use testkit::Service;
use testkit::service::told;

const BEFORE: &str = include_str!("statements_before.json");

#[tokio::test]
async fn every_statement_of_the_version_before_works_on_these_tables() {
    let service = Service::start().await;
    let mut connection = PgConnection::connect(&service.url).await.unwrap();
    let statements: Vec<String> = serde_json::from_str(BEFORE).unwrap();
    assert!(statements.len() > 40);
    for statement in statements {
        let prepared = connection
            .prepare(AssertSqlSafe(statement.clone()).into_sql_str())
            .await;
        if let Err(error) = prepared {
            panic!("{error}: {statement}");
        }
    }
}

#[tokio::test]
async fn a_program_goes_on_with_tables_that_are_newer_than_it() {
    let service = Service::start().await;
    service
        .tamper(
            "alter table jobs add column later text default 'later';
            insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
            values (9999, 'of a later version', now(), true, 'x', 1)",
        )
        .await;
    let old = Store::connect(&service.url, Rules::default())
        .await
        .unwrap();
    old.migrate().await.unwrap();
    assert!(old.has_tables().await.unwrap());
    let id = service.submit().await.id;
    let claimed = service.claim().await;
    assert_eq!(claimed.job.id, id);
    assert_eq!(
        old.finish(claimed.lease, told()).await.unwrap(),
        Written::Done
    );
}

#[tokio::test]
async fn who_needs_tables_waits_for_them_and_of_many_who_make_them_one_does() {
    let url = testkit::postgres::fresh().await;
    let store = async || Store::connect(&url, Rules::default()).await.unwrap();
    let waiting = store().await;
    assert!(!waiting.has_tables().await.unwrap());
    let (one, other, third) = (store().await, store().await, store().await);
    let (waited, one, other, third) = tokio::join!(
        waiting.wait_for_tables(),
        one.migrate(),
        other.migrate(),
        third.migrate()
    );
    for done in [waited, one, other, third] {
        done.unwrap();
    }
    assert!(waiting.has_tables().await.unwrap());
}
