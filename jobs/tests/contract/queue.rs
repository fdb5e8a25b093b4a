//! What every queue promises, whichever it is: each test takes a queue and the store it leads to.
//! A new queue adds a line that runs the same functions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::{Claimed, Outcome, PostgresQueue, Queue, State, Store, Written};
use uuid::Uuid;

use crate::rabbitmq::OnBroker;
use testkit::Service;
use testkit::service::told;

const PATIENCE: Duration = Duration::from_secs(20);

async fn an_empty_queue_answers_when_patience_ends(queue: Arc<dyn Queue>) {
    let start = Instant::now();
    assert!(
        queue
            .claim("worker", 5, Duration::from_millis(30))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(start.elapsed() >= Duration::from_millis(30) && start.elapsed() < PATIENCE);
    queue.publish(&[Uuid::now_v7()]).await.unwrap();
    assert!(
        queue
            .claim("worker", 5, Duration::ZERO)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_submit_wakes_a_waiting_worker(service: Service, queue: Arc<dyn Queue>) {
    let waiting = {
        let queue = queue.clone();
        tokio::spawn(async move { queue.claim("worker", 1, PATIENCE).await.unwrap() })
    };
    let id = service.submit().await.id;
    queue.publish(&[id]).await.unwrap();
    let claimed = waiting.await.unwrap();
    assert_eq!(
        (claimed[0].job.id, claimed[0].job.state),
        (id, State::Running)
    );
    service
        .store
        .finish(claimed[0].lease, told())
        .await
        .unwrap();
}

async fn workers_at_once_share_no_job(service: Service, queue: Arc<dyn Queue>) {
    let ids: HashSet<Uuid> = service.submit_many(120).await.into_iter().collect();
    queue
        .publish(&ids.iter().copied().collect::<Vec<_>>())
        .await
        .unwrap();
    let workers = (0..8).map(|number| {
        tokio::spawn(drain(
            format!("worker-{number}"),
            queue.clone(),
            service.store.clone(),
        ))
    });
    let mut told = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        told.extend(worker.await.unwrap());
    }
    assert_eq!(told.len(), ids.len());
    assert_eq!(told.into_iter().collect::<HashSet<_>>(), ids);
    for id in ids {
        assert_eq!(service.outcomes(id).await, ["succeeded"]);
    }
}

/// Tells everything there is, three at a time.
async fn drain(worker: String, queue: Arc<dyn Queue>, store: Store) -> Vec<Uuid> {
    let mut ids = Vec::new();
    loop {
        let claimed = queue
            .claim(&worker, 3, Duration::from_millis(200))
            .await
            .unwrap();
        assert!(claimed.len() <= 3);
        // a broker publishes a moment after the submit
        if claimed.is_empty() && store.depth().await.unwrap().queued == 0 {
            return ids;
        }
        for claimed in claimed {
            store.finish(claimed.lease, told()).await.unwrap();
            ids.push(claimed.job.id);
        }
    }
}

async fn the_job_of_a_lost_worker_comes_again(service: Service, queue: Arc<dyn Queue>) {
    let id = service.submit().await.id;
    queue.publish(&[id]).await.unwrap();
    let held = queue.claim("lost", 1, PATIENCE).await.unwrap();
    service.store.begin(&[held[0].lease]).await.unwrap();
    let swept = service.store.sweep().await.unwrap();
    queue.publish(&swept.requeued).await.unwrap();
    let again = queue.claim("other", 1, PATIENCE).await.unwrap();
    assert!(again[0].job.id == id && again[0].alone);
}

/// With room for one message at the queue: whoever leaks it claims nothing more.
async fn a_job_that_is_cancelled_while_claimed_leaves_room(
    service: Service,
    queue: Arc<dyn Queue>,
) {
    for _ in 0..3 {
        let claimed = one(&service, &queue).await;
        service.store.cancel(claimed.job.id).await.unwrap();
        let late = service.store.finish(claimed.lease, told()).await.unwrap();
        assert_eq!(late, Written::Stale);
    }
    let last = one(&service, &queue).await;
    service.store.finish(last.lease, told()).await.unwrap();
}

async fn a_job_whose_lease_is_lost_while_claimed_leaves_room(
    service: Service,
    queue: Arc<dyn Queue>,
) {
    let mut claimed = one(&service, &queue).await;
    for _ in 0..3 {
        let id = claimed.job.id;
        let swept = service.store.sweep().await.unwrap();
        assert_eq!(swept.requeued, [id]);
        drop(claimed);
        queue.publish(&swept.requeued).await.unwrap();
        claimed = queue.claim("other", 1, PATIENCE).await.unwrap().remove(0);
        assert_eq!(claimed.job.id, id);
    }
}

/// In order: what it held is released and comes to the next one, charged to nobody.
async fn a_worker_that_ends_while_it_claims_leaves_room(service: Service, queue: Arc<dyn Queue>) {
    let mut claimed = one(&service, &queue).await;
    for _ in 0..3 {
        let id = claimed.job.id;
        let released = service.store.finish(claimed.lease, Outcome::Released).await;
        assert_eq!(released.unwrap(), Written::Done);
        drop(claimed);
        queue.publish(&[id]).await.unwrap();
        claimed = queue.claim("next", 1, PATIENCE).await.unwrap().remove(0);
        assert_eq!((claimed.job.id, claimed.job.attempts), (id, 1));
    }
}

/// Hands in a job and claims it.
async fn one(service: &Service, queue: &Arc<dyn Queue>) -> Claimed {
    let id = service.submit().await.id;
    queue.publish(&[id]).await.unwrap();
    let mut claimed = queue.claim("worker", 1, PATIENCE).await.unwrap();
    assert_eq!(claimed.len(), 1, "the queue gives no more");
    claimed.remove(0)
}

fn postgres(service: &Service) -> Arc<dyn Queue> {
    Arc::new(PostgresQueue::new(service.store.clone()))
}

/// The suite on one queue: `$open` answers with what keeps the queue alive and the queue.
macro_rules! suite {
    ($where:ident, $open:path) => {
        mod $where {
            use testkit::Service;

            #[tokio::test]
            async fn an_empty_queue_answers_when_patience_ends() {
                let service = Service::start().await;
                let (_alive, queue) = $open(&service, 16).await;
                super::an_empty_queue_answers_when_patience_ends(queue).await;
            }

            #[tokio::test]
            async fn a_submit_wakes_a_waiting_worker() {
                let service = Service::start().await;
                let (_alive, queue) = $open(&service, 16).await;
                super::a_submit_wakes_a_waiting_worker(service, queue).await;
            }

            #[tokio::test]
            async fn workers_at_once_share_no_job() {
                let service = Service::start().await;
                let (_alive, queue) = $open(&service, 16).await;
                super::workers_at_once_share_no_job(service, queue).await;
            }

            #[tokio::test]
            async fn the_job_of_a_lost_worker_comes_again() {
                let service = Service::impatient().await;
                let (_alive, queue) = $open(&service, 16).await;
                super::the_job_of_a_lost_worker_comes_again(service, queue).await;
            }

            #[tokio::test]
            async fn a_job_that_is_cancelled_while_claimed_leaves_room() {
                let service = Service::start().await;
                let (_alive, queue) = $open(&service, 1).await;
                super::a_job_that_is_cancelled_while_claimed_leaves_room(service, queue).await;
            }

            #[tokio::test]
            async fn a_job_whose_lease_is_lost_while_claimed_leaves_room() {
                let service = Service::impatient().await;
                let (_alive, queue) = $open(&service, 1).await;
                super::a_job_whose_lease_is_lost_while_claimed_leaves_room(service, queue).await;
            }

            #[tokio::test]
            async fn a_worker_that_ends_while_it_claims_leaves_room() {
                let service = Service::start().await;
                let (_alive, queue) = $open(&service, 1).await;
                super::a_worker_that_ends_while_it_claims_leaves_room(service, queue).await;
            }
        }
    };
}

suite!(on_postgres, super::on_the_table);
suite!(on_rabbitmq, super::on_a_broker);

async fn on_the_table(service: &Service, _prefetch: u16) -> ((), Arc<dyn Queue>) {
    ((), postgres(service))
}

async fn on_a_broker(service: &Service, prefetch: u16) -> (OnBroker, Arc<dyn Queue>) {
    let on = OnBroker::at(service, testkit::rabbitmq::shared().await, prefetch).await;
    let queue = on.queue.clone();
    (on, queue)
}
