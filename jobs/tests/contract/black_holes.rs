//! Servers that are there and say nothing: packets are dropped and nobody is told, as behind a firewall that has forgotten a
//! connection or a host that has lost its power. What must stay true: it is noticed in seconds, nobody waits for ever, and
//! everything goes on by itself once packets come through again.

use std::str::FromStr as _;
use std::time::Duration;

use jobs::{Cancelled, Rules, Store};
use sqlx::postgres::PgConnectOptions;
use testkit::link::{Far, Link, Wire};
use testkit::postgres::holding;
use testkit::rabbitmq as broker;
use testkit::{Service, eventually};
use tokio::time::timeout;
use uuid::Uuid;

use crate::rabbitmq::{OnBroker, connected, looked, tell};

/// The kernel alone would take a quarter of an hour.
const SECONDS: Duration = Duration::from_secs(40);

/// A store on the same database, with a wire between.
async fn by_wire(service: &Service) -> (Store, Link) {
    let straight = PgConnectOptions::from_str(&service.url).unwrap();
    let socket = format!(".s.PGSQL.{}", straight.get_port());
    let socket = straight.get_socket().unwrap().join(socket);
    let link = Link::lay("Postgres", Far::Socket(socket)).await;
    let who = service.url.split_once("://").unwrap().1;
    let who = who.split_once('@').unwrap().0;
    let database = straight.get_database().unwrap();
    let url = format!(
        "postgres://{who}@{}/{database}?sslmode=disable",
        link.address
    );
    let store = Store::connect(&url, Rules::default()).await;
    (store.unwrap(), link)
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_whose_answers_never_come_end_in_seconds_and_leave_no_connection_taken() {
    let service = Service::start().await;
    let (store, link) = by_wire(&service).await;
    let ids = service
        .submit_many(Rules::default().connections as usize)
        .await;
    let held = holding(&service.url, "lock table jobs in exclusive mode").await;
    let asked = ids.clone().into_iter().map(|id| {
        let store = store.clone();
        tokio::spawn(async move { store.cancel(id).await })
    });
    let asked: Vec<_> = asked.collect();
    eventually("all connections wait for an answer", async || {
        let waiting = "select count(*)::text from pg_locks where not granted and database = \
            (select oid from pg_database where datname = current_database())";
        let most = Rules::default().connections - 1;
        (service.ask(waiting).await == most.to_string()).then_some(())
    })
    .await;
    link.set(Wire::Swallowing);
    held.rollback().await;
    for answer in asked {
        let answer = timeout(SECONDS, answer).await.expect("it ends").unwrap();
        assert!(answer.unwrap_err().is_unavailable());
    }
    let id = Uuid::now_v7();
    let ping = timeout(SECONDS, store.ping()).await.expect("it ends");
    assert!(ping.unwrap_err().is_unavailable(), "not ready is said");
    for id in ids {
        eventually("what the dead have locked is free", async || {
            let cancelled = service.store.cancel(id).await.ok()?;
            (!matches!(cancelled, Cancelled::NotFound)).then_some(())
        })
        .await;
    }
    link.set(Wire::Open);
    // all at once: each connection that is still taken by the dead would keep one of them waiting
    let fresh = (0..Rules::default().connections).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.cancel(id).await })
    });
    for answer in fresh.collect::<Vec<_>>() {
        let answer = timeout(SECONDS, answer).await.expect("it ends").unwrap();
        assert!(matches!(answer.unwrap(), Cancelled::NotFound));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_listens_over_a_connection_that_went_silent_hears_again() {
    let service = Service::start().await;
    let (store, link) = by_wire(&service).await;
    let mut changes = store.changes();
    let hears = async |changes: &mut tokio::sync::broadcast::Receiver<Uuid>| {
        eventually("a change is heard of", async || {
            let id = service.submit().await.id;
            service.store.cancel(id).await.unwrap();
            let soon = Duration::from_millis(500);
            while let Ok(Ok(heard)) = timeout(soon, changes.recv()).await {
                if heard == id {
                    return Some(());
                }
            }
            None
        })
        .await;
    };
    hears(&mut changes).await;
    link.set(Wire::Swallowing);
    let id = service.submit().await.id;
    service.store.cancel(id).await.unwrap();
    timeout(SECONDS, store.ping())
        .await
        .expect("it ends")
        .unwrap_err();
    link.set(Wire::Open);
    // the connection that listened is as silent as before
    timeout(SECONDS, hears(&mut changes))
        .await
        .expect("it is noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_went_silent_is_noticed_and_jobs_go_on_afterwards() {
    let service = Service::start().await;
    let url = broker::shared().await;
    let (who, place) = url.rsplit_once('@').unwrap();
    let (address, host) = place.split_once('/').unwrap();
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let link = Link::lay("RabbitMQ", Far::Tcp(port)).await;
    let on = OnBroker::at(&service, format!("{who}@{}/{host}", link.address), 16).await;
    link.set(Wire::Swallowing);
    let noticed = eventually("claims fail", async || looked(&on.queue).await.err());
    let error = timeout(SECONDS, noticed).await.expect("it is noticed");
    assert!(error.is_unavailable(), "{error}");
    let id = service.submit().await.id;
    link.set(Wire::Open);
    timeout(SECONDS, connected(&on.queue))
        .await
        .expect("it comes back");
    assert_eq!(tell(&service, &on.queue, 1).await, [id].into());
}
