//! Three nodes of RabbitMQ: the queues are on all of them, so the loss of one, also of the leader, costs seconds and
//! no job.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobs::{Queue, Written};
use uuid::Uuid;

use crate::rabbitmq::{OnBroker, open};
use testkit::rabbitmq::Broker;
use testkit::service::told;
use testkit::{Service, eventually};

/// How many jobs are submitted while the leader dies.
const JOBS: usize = 300;

/// The node that leads the queue of normal jobs, as another node sees it.
fn leader(witness: &Broker, queue: &str) -> String {
    let listed = witness.control(&["list_queues", "--no-table-headers", "name", "leader"]);
    let rows = listed.lines().map(|line| line.split_whitespace());
    let mut named = rows.filter_map(|mut row| Some((row.next()?, row.next()?)));
    let found = named.find(|(name, _)| *name == queue);
    found.map(|(_, node)| node.to_owned()).unwrap_or_default()
}

/// A worker until `done`: what it told, and how often a result of its came too late.
async fn work(service: Arc<Service>, queue: Arc<dyn Queue>, done: Arc<AtomicBool>) -> Vec<Uuid> {
    let mut ids = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let claimed = queue.claim("worker", 4, Duration::from_millis(300)).await;
        for claimed in claimed.unwrap_or_default() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let written = service.store.finish(claimed.lease, told()).await.unwrap();
            assert_eq!(written, Written::Done, "nobody took this lease away");
            ids.push(claimed.job.id);
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_a_clusters_leader_under_load_loses_no_job_and_tells_none_twice() {
    let started = tokio::task::spawn_blocking(Broker::cluster::<3>);
    let mut cluster = started.await.unwrap();
    let service = Arc::new(Service::start().await);
    let urls = cluster.each_ref().map(Broker::url).join(",");
    let on = OnBroker::at(&service, urls.clone(), 8).await;
    let other = open(&service, &urls, &on.name, 8);
    let lane = format!("{}.normal", on.name);
    let led_by = leader(&cluster[0], &lane);
    let lost = cluster.iter().position(|node| node.is(&led_by)).unwrap();
    cluster.iter().for_each(Broker::sync);

    let done = Arc::new(AtomicBool::new(false));
    let workers = [on.queue.clone(), other]
        .map(|queue| tokio::spawn(work(service.clone(), queue, done.clone())));
    let mut ids = HashSet::new();
    for number in 0..JOBS {
        ids.insert(service.submit().await.id);
        if number == JOBS / 3 {
            cluster[lost].kill();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eventually("all jobs are told", async || {
        let depth = service.store.depth().await.unwrap();
        (depth.queued + depth.running == 0).then_some(())
    })
    .await;
    let witness = &cluster[(lost + 1) % 3];
    let led_by_now = leader(witness, &lane);
    assert!(!led_by_now.is_empty() && led_by_now != led_by);

    // the lost node comes back and the cluster goes on with it
    cluster[lost].start_again();
    let after = service.submit().await.id;
    ids.insert(after);
    eventually("the last job is told", async || {
        service.job(after).await.finished_at
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    for worker in workers {
        told.extend(worker.await.unwrap());
    }
    assert_eq!(told.len(), ids.len(), "told twice or not at all");
    assert_eq!(told.into_iter().collect::<HashSet<_>>(), ids);
}
