//! Verbs for what is said to webhooks.
//! What must stay true: they say what a dispatcher would, and nothing is sent.

use std::time::Duration;

use jobs::delivery::{Claim, Delivery, DeliveryLease, Verdict};
use jobs::{StoryRequest, Written};
use uuid::Uuid;

use super::told;
use crate::service::Service;

impl Service {
    /// Hands in a job and tells it.
    pub async fn told(&self, request: StoryRequest) -> Uuid {
        let id = self.submit_as(request).await.id;
        let claimed = self.claim().await;
        self.store.finish(claimed.lease, told()).await.unwrap();
        id
    }

    /// What is to be said about a job.
    pub async fn deliveries(&self, job: Uuid) -> Vec<Delivery> {
        self.store.deliveries(job).await.unwrap()
    }

    /// The same by its events.
    pub async fn events(&self, job: Uuid) -> Vec<String> {
        self.deliveries(job)
            .await
            .into_iter()
            .map(|delivery| delivery.event)
            .collect()
    }

    /// Takes what is due.
    pub async fn take(&self, max: usize, time: Duration) -> Vec<DeliveryLease> {
        let claim = Claim {
            max,
            most_a_host: usize::MAX,
            most_a_stranger: usize::MAX,
            ..Claim::one("sender", time)
        };
        self.store.claim_deliveries(&claim).await.unwrap()
    }

    /// The next word, which must be due.
    pub async fn take_one(&self) -> DeliveryLease {
        let mut taken = self.take(1, Duration::from_secs(60)).await;
        taken.pop().expect("a delivery is due")
    }

    /// Says what became of it.
    pub async fn settle(&self, held: &DeliveryLease, verdict: Verdict) -> Written {
        self.store.finish_delivery(held, &verdict).await.unwrap()
    }
}
