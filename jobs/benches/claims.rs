//! How many jobs a second can be taken from a long queue: 200,000 rows wait, four workers claim two at a time.
//! `cargo bench -p jobs` prints one line. The claim index must keep this from depending on the length of the queue.
//! It borrows the tests' Postgres from `testkit`, a floor above: a bench is a test's kin, and no program links it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use embedded::EmbeddedPostgres;
use jobs::{Rules, Store};
use sqlx::{Connection as _, PgConnection};

const WAITING: u32 = 200_000;
const WORKERS: usize = 4;
const SPAN: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() {
    let data = testkit::postgres::open_folder();
    let settings = testkit::postgres::settings(data.path());
    let postgres = EmbeddedPostgres::start(settings).await.unwrap();
    let store = Store::connect(&postgres.url(), Rules::default())
        .await
        .unwrap();
    store.migrate().await.unwrap();
    fill(&postgres.url()).await;

    let start = Instant::now();
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| tokio::spawn(claim(store.clone(), format!("worker-{number}"), start)))
        .collect();
    let mut claimed = 0;
    for worker in workers {
        claimed += worker.await.unwrap();
    }
    println!(
        "{:.0} jobs a second out of {WAITING}",
        f64::from(claimed) / start.elapsed().as_secs_f64()
    );
    store.close().await;
    postgres.stop().await.unwrap();
}

async fn fill(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(
        "alter table jobs disable trigger user;
        insert into jobs (id, request, lane, max_attempts)
        select gen_random_uuid(), '{}', 9, 3 from generate_series(1, 200000);
        alter table jobs enable trigger user;
        analyze jobs",
    )
    .execute(&mut connection)
    .await
    .unwrap();
}

async fn claim(store: Store, worker: String, start: Instant) -> u32 {
    let mut claimed = 0;
    while start.elapsed() < SPAN {
        claimed += u32::try_from(store.claim(&worker, 2).await.unwrap().len()).unwrap();
    }
    claimed
}
