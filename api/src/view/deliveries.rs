//! The JSON shapes of webhooks: deliveries and the attempts at them.
//! `deliveries.rs` answers with them. What must stay true: as for every shape, fields are only ever added.

use chrono::{DateTime, Utc};
use jobs::delivery::{Delivery, DeliveryAttempt, DeliveryState, message_id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::example_of;

/// The webhooks of one story.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Deliveries, example = DeliveriesView::example)]
pub struct DeliveriesView {
    /// In the order of the ends they tell of.
    pub deliveries: Vec<DeliveryView>,
}

impl DeliveriesView {
    fn example() -> Value {
        json!({"deliveries": [example_of::<DeliveryView>()]})
    }
}

/// One message to a webhook.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery, example = json!({
    "number": 1, "message": "msg_01993e6a5d1c7e9bb2a56f0d7c1b8a11_1", "event": "story.succeeded",
    "url": "https://example.com/hook", "state": "delivered", "created_at": "2026-11-23T09:30:19.015Z", "due_at": null,
    "ended_at": "2026-11-23T09:30:24.310Z", "attempts": [
        {"started_at": "2026-11-23T09:30:19.020Z", "ended_at": "2026-11-23T09:30:19.110Z", "status": 503, "error": "the receiver answered 503; only 2xx counts as delivered"},
        {"started_at": "2026-11-23T09:30:24.200Z", "ended_at": "2026-11-23T09:30:24.310Z", "status": 204, "error": null}
    ]
}))]
pub struct DeliveryView {
    /// Which of the story's deliveries, from 1.
    pub number: u32,
    /// The `webhook-id` that the receiver sees, the same in every attempt.
    pub message: String,
    /// `story.succeeded`, `story.failed`, `story.cancelled` or `story.expired`; `batch.finished` if it was the last one of
    /// its batch.
    pub event: String,
    /// Where to.
    pub url: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// When the story ended.
    pub created_at: DateTime<Utc>,
    /// While waiting: when it is sent.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was delivered, given up or disabled.
    pub ended_at: Option<DateTime<Utc>>,
    /// Every attempt, the first one first.
    pub attempts: Vec<DeliveryAttemptView>,
}

/// One attempt at a delivery.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeliveryAttempt, example = json!({
    "started_at": "2026-11-23T09:30:24.200Z", "ended_at": "2026-11-23T09:30:24.310Z", "status": 204, "error": null
}))]
pub struct DeliveryAttemptView {
    /// When it was taken up.
    pub started_at: DateTime<Utc>,
    /// When it had ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What the receiver answered, if it did.
    pub status: Option<u16>,
    /// What was wrong, if anything was.
    pub error: Option<String>,
}

impl DeliveryView {
    pub(crate) fn of(job: Uuid, delivery: Delivery) -> Self {
        let waits = delivery.state == DeliveryState::Waiting;
        DeliveryView {
            number: delivery.number,
            message: message_id(job, delivery.number),
            event: delivery.event,
            url: delivery.url,
            state: delivery.state,
            created_at: delivery.created_at,
            due_at: waits.then_some(delivery.due_at),
            ended_at: delivery.ended_at,
            attempts: delivery
                .attempts
                .into_iter()
                .map(DeliveryAttemptView::of)
                .collect(),
        }
    }
}

impl DeliveryAttemptView {
    fn of(attempt: DeliveryAttempt) -> Self {
        DeliveryAttemptView {
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            status: attempt.status,
            error: attempt.error,
        }
    }
}
