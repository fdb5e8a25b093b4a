//! What the broker's queue promises beyond the suite of all queues: it outlives its broker, and the broker's faults
//! cost time, never a job.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jobs::{Queue, RabbitQueue, RabbitSettings, StoryRequest};
use lapin::options::{BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use uuid::Uuid;

use testkit::rabbitmq::{self as broker, Broker};
use testkit::service::told;
use testkit::{Service, eventually};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A queue of the test's own on a broker.
pub(crate) struct OnBroker {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) url: String,
    pub(crate) name: String,
}

impl OnBroker {
    pub(crate) async fn shared(service: &Service) -> OnBroker {
        OnBroker::at(service, broker::shared().await, 16).await
    }

    pub(crate) async fn at(service: &Service, url: String, prefetch: u16) -> OnBroker {
        let name = format!("test-{}", Uuid::new_v4().simple());
        let on = OnBroker {
            queue: open(service, &url, &name, prefetch),
            url,
            name,
        };
        connected(&on.queue).await;
        on
    }

    pub(crate) async fn channel(&self) -> (Connection, Channel) {
        let connection = Connection::connect(&self.url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    async fn publish(&self, text: &str) {
        let (_connection, channel) = self.channel().await;
        let queue = format!("{}.normal", self.name);
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default();
        channel
            .basic_publish(
                "".into(),
                queue.into(),
                options,
                text.as_bytes(),
                properties,
            )
            .await
            .unwrap()
            .await
            .unwrap();
        // asked for on the same channel, so it answers after the message is in its queue
        self.count(&channel, "normal").await;
    }

    async fn count(&self, channel: &Channel, queue: &str) -> u32 {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::durable()
        };
        let queue = format!("{}.{queue}", self.name);
        let declared = channel.queue_declare(queue.into(), options, FieldTable::default());
        declared.await.unwrap().message_count()
    }
}

pub(crate) fn open(service: &Service, url: &str, name: &str, prefetch: u16) -> Arc<dyn Queue> {
    let settings = RabbitSettings {
        urls: url.split(',').map(str::to_owned).collect(),
        name: name.to_owned(),
        prefetch,
    };
    Arc::new(RabbitQueue::open(service.store.clone(), settings))
}

/// Whether jobs could come now: a claim of none.
pub(crate) async fn looked(queue: &Arc<dyn Queue>) -> jobs::Result<()> {
    queue.claim("nobody", 0, Duration::ZERO).await.map(drop)
}

pub(crate) async fn connected(queue: &Arc<dyn Queue>) {
    eventually("the broker answers", async || looked(queue).await.ok()).await;
}

/// Tells jobs until so many are told; a broker that is away may make claims fail.
pub(crate) async fn tell(service: &Service, queue: &Arc<dyn Queue>, count: usize) -> HashSet<Uuid> {
    let mut ids = HashSet::new();
    eventually("all jobs are told", async || {
        let most = (count - ids.len()).min(4);
        let claimed = queue
            .claim("worker", most, Duration::from_millis(300))
            .await;
        for claimed in claimed.unwrap_or_default() {
            service.store.finish(claimed.lease, told()).await.unwrap();
            assert!(ids.insert(claimed.job.id), "told twice");
        }
        (ids.len() == count).then_some(())
    })
    .await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_loses_no_job_and_the_outbox_drains_after_it() {
    let mut broker = tokio::task::spawn_blocking(Broker::start).await.unwrap();
    let service = Service::start().await;
    let on = OnBroker::at(&service, broker.url(), 8).await;
    let mut ids = service.submit_many(30).await;
    let mut done = tell(&service, &on.queue, 10).await;
    broker.sync();
    broker.kill();
    eventually("the loss is noticed", async || {
        looked(&on.queue).await.err()
    })
    .await;
    ids.extend(service.submit_many(10).await);
    broker.start_again();
    connected(&on.queue).await;
    let rest = ids.len() - done.len();
    done.extend(tell(&service, &on.queue, rest).await);
    assert_eq!(done, ids.into_iter().collect());
}

#[tokio::test]
async fn messages_that_come_twice_are_harmless() {
    let service = Service::start().await;
    let on = OnBroker::shared(&service).await;
    let id = service.submit().await.id;
    for _ in 0..3 {
        on.publish(&id.to_string()).await;
    }
    assert_eq!(tell(&service, &on.queue, 1).await, [id].into());
    let rest = on
        .queue
        .claim("worker", 4, Duration::from_millis(500))
        .await;
    assert!(rest.unwrap().is_empty());
    assert_eq!(service.outcomes(id).await, ["succeeded"]);
}

#[tokio::test]
async fn a_message_that_names_no_job_becomes_a_dead_letter_and_blocks_nothing() {
    let service = Service::start().await;
    let on = OnBroker::shared(&service).await;
    on.publish("no job at all").await;
    let id = service.submit().await.id;
    assert_eq!(tell(&service, &on.queue, 1).await, [id].into());
    let (_connection, channel) = on.channel().await;
    eventually("it lies with the dead letters", async || {
        (on.count(&channel, "dead").await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_process_was_delivered_goes_to_another() {
    let service = Service::start().await;
    let on = OnBroker::shared(&service).await;
    let ids = service.submit_many(5).await;
    let held = on.queue.claim("worker", 1, PATIENCE).await.unwrap();
    service.store.finish(held[0].lease, told()).await.unwrap();
    // it dies after the commit and before the acknowledgement, with messages it never looked at
    let (url, name) = (on.url.clone(), on.name.clone());
    drop(on);
    let other = open(&service, &url, &name, 16);
    let told = tell(&service, &other, 4).await;
    assert!(
        !told.contains(&held[0].job.id)
            && ids
                .iter()
                .all(|id| *id == held[0].job.id || told.contains(id))
    );
}

#[tokio::test]
async fn a_process_is_delivered_no_more_than_its_prefetch() {
    let service = Service::start().await;
    let url = broker::shared().await;
    let on = OnBroker::at(&service, url, 3).await;
    service.submit_many(10).await;
    let mut held = Vec::new();
    while held.len() < 3 {
        held.extend(on.queue.claim("worker", 10, PATIENCE).await.unwrap());
    }
    let more = on
        .queue
        .claim("worker", 10, Duration::from_millis(500))
        .await;
    assert!(held.len() == 3 && more.unwrap().is_empty());
    drop(held);
    assert!(
        !on.queue
            .claim("worker", 10, PATIENCE)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn urgent_jobs_go_first_and_patient_ones_still_move() {
    let service = Service::start().await;
    let on = OnBroker::shared(&service).await;
    let with = |priority| StoryRequest {
        priority,
        ..StoryRequest::default()
    };
    let patient = service.submit_as(with(0)).await.id;
    for _ in 0..12 {
        service.submit_as(with(9)).await;
    }
    // all thirteen are delivered: the order is that of the claims
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut order = Vec::new();
    while order.len() < 13 {
        for claimed in on.queue.claim("worker", 1, PATIENCE).await.unwrap() {
            order.push(claimed.job.id);
        }
    }
    let place = order.iter().position(|id| *id == patient).unwrap();
    assert!((1..=4).contains(&place), "{place}");
}

#[tokio::test]
async fn a_queue_that_somebody_removes_is_made_again() {
    let service = Service::start().await;
    let on = OnBroker::shared(&service).await;
    let (_connection, channel) = on.channel().await;
    let queue = format!("{}.normal", on.name);
    channel
        .queue_delete(queue.into(), QueueDeleteOptions::default())
        .await
        .unwrap();
    let id = service.submit().await.id;
    assert_eq!(tell(&service, &on.queue, 1).await, [id].into());
}
