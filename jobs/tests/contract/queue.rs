//! What every queue promises, whichever it is: each test takes a queue and the store it leads to.
//! A new queue adds a module that runs the same functions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobs::{PostgresQueue, Queue, State, Store};
use uuid::Uuid;

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
    queue.ring(&[Uuid::now_v7()]).await.unwrap();
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
    queue.ring(&[id]).await.unwrap();
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
    queue.settle(claimed[0].lease).await.unwrap();
}

async fn workers_at_once_share_no_job(service: Service, queue: Arc<dyn Queue>) {
    let ids: HashSet<Uuid> = service.submit_many(120).await.into_iter().collect();
    queue
        .ring(&ids.iter().copied().collect::<Vec<_>>())
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
        // a broker rings a moment after the submit
        if claimed.is_empty() && store.depth().await.unwrap().queued == 0 {
            return ids;
        }
        for claimed in claimed {
            store.finish(claimed.lease, told()).await.unwrap();
            queue.settle(claimed.lease).await.unwrap();
            ids.push(claimed.job.id);
        }
    }
}

async fn the_job_of_a_lost_worker_comes_again(service: Service, queue: Arc<dyn Queue>) {
    let id = service.submit().await.id;
    queue.ring(&[id]).await.unwrap();
    let held = queue.claim("lost", 1, PATIENCE).await.unwrap();
    service.store.begin(&[held[0].lease]).await.unwrap();
    let swept = service.store.sweep().await.unwrap();
    queue.ring(&swept.requeued).await.unwrap();
    let again = queue.claim("other", 1, PATIENCE).await.unwrap();
    assert!(again[0].job.id == id && again[0].alone);
}

fn postgres(service: &Service) -> Arc<dyn Queue> {
    Arc::new(PostgresQueue::new(service.store.clone()))
}

mod on_postgres {
    //! The suite on the jobs table.

    use super::{Service, postgres};

    #[tokio::test]
    async fn an_empty_queue_answers_when_patience_ends() {
        let service = Service::start().await;
        super::an_empty_queue_answers_when_patience_ends(postgres(&service)).await;
    }

    #[tokio::test]
    async fn a_submit_wakes_a_waiting_worker() {
        let service = Service::start().await;
        let queue = postgres(&service);
        super::a_submit_wakes_a_waiting_worker(service, queue).await;
    }

    #[tokio::test]
    async fn workers_at_once_share_no_job() {
        let service = Service::start().await;
        let queue = postgres(&service);
        super::workers_at_once_share_no_job(service, queue).await;
    }

    #[tokio::test]
    async fn the_job_of_a_lost_worker_comes_again() {
        let service = Service::impatient().await;
        let queue = postgres(&service);
        super::the_job_of_a_lost_worker_comes_again(service, queue).await;
    }
}

mod on_rabbitmq {
    //! The suite on a real broker.

    use super::Service;
    use crate::rabbitmq::OnBroker;

    #[tokio::test]
    async fn an_empty_queue_answers_when_patience_ends() {
        let service = Service::start().await;
        if let Some(on) = OnBroker::shared(&service).await {
            super::an_empty_queue_answers_when_patience_ends(on.queue).await;
        }
    }

    #[tokio::test]
    async fn a_submit_wakes_a_waiting_worker() {
        let service = Service::start().await;
        if let Some(on) = OnBroker::shared(&service).await {
            super::a_submit_wakes_a_waiting_worker(service, on.queue).await;
        }
    }

    #[tokio::test]
    async fn workers_at_once_share_no_job() {
        let service = Service::start().await;
        if let Some(on) = OnBroker::shared(&service).await {
            super::workers_at_once_share_no_job(service, on.queue).await;
        }
    }

    #[tokio::test]
    async fn the_job_of_a_lost_worker_comes_again() {
        let service = Service::impatient().await;
        if let Some(on) = OnBroker::shared(&service).await {
            super::the_job_of_a_lost_worker_comes_again(service, on.queue).await;
        }
    }
}
