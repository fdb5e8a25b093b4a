//! The JSON shapes of a batch.
//! `batches.rs` answers with them. What must stay true: every picture that was sent has its item, taken or not.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use jobs::{Batch, BatchStory, RefusedPicture, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::ErrorView;

/// Many pictures that were sent at once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Batch, example = json!({
    "id": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11", "created_at": "2026-11-23T09:30:00.120Z", "finished_at": null, "size": 3,
    "counts": {"queued": 0, "running": 1, "succeeded": 1, "failed": 0, "cancelled": 0, "expired": 0, "refused": 1, "forgotten": 0},
    "webhook_url": null, "items": [
        {"number": 0, "state": "succeeded", "id": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a12",
            "url": "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a12", "story": "She had never seen the sea so still.", "error": null},
        {"number": 1, "state": "refused", "id": null, "url": null, "story": null, "error": {"type": "/problems/image_unreadable",
            "kind": "image_unreadable", "message": "the picture cannot be read: the file is empty", "retryable": false}},
        {"number": 2, "state": "running", "id": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a13",
            "url": "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a13", "story": null, "error": null}
    ]
}))]
pub struct BatchView {
    /// Its id.
    pub id: Uuid,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When the last of its stories ended; `null` before.
    pub finished_at: Option<DateTime<Utc>>,
    /// How many pictures were sent.
    pub size: u32,
    /// How many of them are in each state.
    pub counts: BTreeMap<String, u32>,
    /// Who is told when all have ended.
    pub webhook_url: Option<String>,
    /// Each picture, in the order in which they were sent.
    pub items: Vec<BatchItemView>,
}

/// One picture of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchItem, example = json!({
    "number": 0, "state": "succeeded", "id": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a12",
    "url": "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a12", "story": "She had never seen the sea so still.", "error": null
}))]
pub struct BatchItemView {
    /// Its place among the pictures, from 0.
    pub number: u32,
    /// Where its story stands.
    pub state: BatchItemState,
    /// Its story's job, if it was taken.
    pub id: Option<Uuid>,
    /// Where that can be polled.
    pub url: Option<String>,
    /// Once succeeded: the story, unless it was deleted.
    pub story: Option<String>,
    /// Why it was not taken or has failed, or why the attempt before failed.
    pub error: Option<ErrorView>,
}

/// Where a picture of a batch stands: as its story's job, or without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BatchItemStateName)]
pub enum BatchItemState {
    /// Waits for a worker.
    Queued,
    /// Is being told.
    Running,
    /// There is a story.
    Succeeded,
    /// There will be none.
    Failed,
    /// Its owner did not want it any more.
    Cancelled,
    /// Its deadline passed.
    Expired,
    /// The picture was not taken.
    Refused,
    /// The time for which stories are kept is over.
    Forgotten,
}

impl BatchItemState {
    const ALL: [BatchItemState; 8] = [
        BatchItemState::Queued,
        BatchItemState::Running,
        BatchItemState::Succeeded,
        BatchItemState::Failed,
        BatchItemState::Cancelled,
        BatchItemState::Expired,
        BatchItemState::Refused,
        BatchItemState::Forgotten,
    ];

    fn of(state: State) -> Self {
        match state {
            State::Queued => BatchItemState::Queued,
            State::Running => BatchItemState::Running,
            State::Succeeded => BatchItemState::Succeeded,
            State::Failed => BatchItemState::Failed,
            State::Cancelled => BatchItemState::Cancelled,
            State::Expired => BatchItemState::Expired,
        }
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            BatchItemState::Queued => "queued",
            BatchItemState::Running => "running",
            BatchItemState::Succeeded => "succeeded",
            BatchItemState::Failed => "failed",
            BatchItemState::Cancelled => "cancelled",
            BatchItemState::Expired => "expired",
            BatchItemState::Refused => "refused",
            BatchItemState::Forgotten => "forgotten",
        }
    }
}

impl BatchView {
    /// A batch as it stands.
    pub(crate) fn of(batch: Batch) -> Self {
        let stories = batch.stories.into_iter().map(BatchItemView::of_story);
        let refused = batch.refused.into_iter().map(BatchItemView::of_refused);
        let mut known: BTreeMap<u32, BatchItemView> = stories
            .chain(refused)
            .map(|item| (item.number, item))
            .collect();
        let items: Vec<BatchItemView> = (0..batch.size)
            .map(|number| {
                let item = known.remove(&number);
                item.unwrap_or_else(|| BatchItemView::without(number, BatchItemState::Forgotten))
            })
            .collect();
        let mut counts: BTreeMap<String, u32> = BatchItemState::ALL
            .into_iter()
            .map(|state| (state.name().to_owned(), 0))
            .collect();
        for item in &items {
            *counts.entry(item.state.name().to_owned()).or_default() += 1;
        }
        BatchView {
            id: batch.id,
            created_at: batch.created_at,
            finished_at: batch.finished_at,
            size: batch.size,
            counts,
            webhook_url: batch.webhook_url,
            items,
        }
    }
}

impl BatchItemView {
    fn of_story(story: BatchStory) -> Self {
        BatchItemView {
            id: Some(story.id),
            url: Some(format!("/v1/stories/{}", story.id)),
            story: story.text,
            error: story.error.map(ErrorView::of),
            ..BatchItemView::without(story.number, BatchItemState::of(story.state))
        }
    }

    fn of_refused(picture: RefusedPicture) -> Self {
        BatchItemView {
            // written by this service; another version of it may have put it otherwise
            error: serde_json::from_value(picture.error).ok(),
            ..BatchItemView::without(picture.number, BatchItemState::Refused)
        }
    }

    fn without(number: u32, state: BatchItemState) -> Self {
        BatchItemView {
            number,
            state,
            id: None,
            url: None,
            story: None,
            error: None,
        }
    }
}
