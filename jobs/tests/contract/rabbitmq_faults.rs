//! Faults of a broker that stays up: each ends in words for an operator while it lasts, and by itself afterwards.
//! They are made by the broker's own commands, so what happens is what happens in earnest.

use std::time::Duration;

use jobs::{Queue, Written};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};

use crate::rabbitmq::{OnBroker, PATIENCE, connected, looked, open, tell};
use testkit::rabbitmq::{self as broker, Broker};
use testkit::service::told;
use testkit::{Service, eventually};

/// A broker that only one test hurts.
async fn private() -> Broker {
    tokio::task::spawn_blocking(Broker::start).await.unwrap()
}

/// Waits until the queue says why it does not work.
async fn complaint(queue: &std::sync::Arc<dyn Queue>, about: &str) -> String {
    eventually(about, async || {
        let error = looked(queue).await.err()?;
        let words = format!("{error} {:?}", std::error::Error::source(&error));
        words.contains(about).then_some(words)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_other_arguments_is_named_and_jobs_go_on_once_it_is_removed() {
    let service = Service::start().await;
    let url = broker::shared().await;
    let name = format!("test-{}", uuid::Uuid::new_v4().simple());
    let stranger = format!("{name}.normal");
    let connection = Connection::connect(&url, ConnectionProperties::default());
    let channel = connection.await.unwrap().create_channel().await.unwrap();
    let declared = channel.queue_declare(
        stranger.clone().into(),
        QueueDeclareOptions::durable(),
        FieldTable::default(),
    );
    declared.await.unwrap();

    let queue = open(&service, &url, &name, 16);
    let id = service.submit().await.id;
    let words = complaint(&queue, "PRECONDITION_FAILED").await;
    assert!(words.contains(&stranger), "{words}");
    let options = QueueDeleteOptions::default();
    channel
        .queue_delete(stranger.into(), options)
        .await
        .unwrap();
    assert_eq!(tell(&service, &queue, 1).await, [id].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_an_alarm_delays_jobs_and_loses_none() {
    let broker = private().await;
    let service = Service::start().await;
    let on = OnBroker::at(&service, broker.url(), 16).await;
    let limit = |share: &str| drop(broker.control(&["set_vm_memory_high_watermark", share]));
    limit("0.000001");
    let ids = service.submit_many(5).await;
    complaint(&on.queue, "takes no messages").await;
    let claimed = on.queue.claim("worker", 4, Duration::from_secs(1)).await;
    assert!(claimed.is_err() || claimed.unwrap().is_empty());
    limit("0.4");
    connected(&on.queue).await;
    assert_eq!(
        tell(&service, &on.queue, 5).await,
        ids.into_iter().collect()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_broker_closes_alone_is_noticed_and_its_job_is_told_once() {
    let broker = private().await;
    let hasty = "application:set_env(rabbit, consumer_timeout, 500), \
                 application:set_env(rabbit, channel_tick_interval, 500).";
    broker.control(&["eval", hasty]);
    let service = Service::start().await;
    let on = OnBroker::at(&service, broker.url(), 16).await;
    let slow = service.submit().await.id;
    let held = on.queue.claim("worker", 1, PATIENCE).await.unwrap();
    complaint(&on.queue, "PRECONDITION_FAILED").await;
    let patient = "application:set_env(rabbit, consumer_timeout, 1800000).";
    broker.control(&["eval", patient]);
    connected(&on.queue).await;
    let written = service.store.finish(held[0].lease, told()).await.unwrap();
    assert_eq!(written, Written::Done);
    let next = service.submit().await.id;
    assert_eq!(tell(&service, &on.queue, 1).await, [next].into());
    assert_eq!(service.outcomes(slow).await, ["succeeded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_the_broker_has_forgotten_is_replaced() {
    let broker = private().await;
    let service = Service::start().await;
    let on = OnBroker::at(&service, broker.url(), 2).await;
    let first = service.submit().await.id;
    assert_eq!(tell(&service, &on.queue, 1).await, [first].into());
    // the connection lives and answers, but the channel of the consumers does nothing any more
    let silence = "[sys:suspend(Channel) || Channel <- rabbit_channel:list(), \
                   [{consumer_count, Count}] <- [rabbit_channel:info(Channel, [consumer_count])], Count > 0].";
    let silenced = broker.control(&["eval", silence]);
    assert_eq!(silenced.trim(), "[ok]");
    let ids = service.submit_many(6).await;
    complaint(&on.queue, "messages wait, and the broker delivers none").await;
    let mut done = tell(&service, &on.queue, 4).await;
    done.extend(tell(&service, &on.queue, 2).await);
    assert_eq!(done, ids.into_iter().collect());
}
