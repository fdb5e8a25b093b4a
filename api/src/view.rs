//! The JSON shapes a caller sees: the job, its picture, its result, its error, and pages of jobs.
//! Handlers build them from the rows of `jobs`; the OpenAPI document describes them. What must stay true:
//! fields are only ever added, and a state that has no value for a field says `null`, so that programs
//! need not guess.

mod batches;
mod deliveries;
mod events;
mod gallery;
mod rows;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use jobs::{Cache, State, StoryRequest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

pub use batches::{BatchItemState, BatchItemView, BatchView};
pub use deliveries::{DeliveriesView, DeliveryAttemptView, DeliveryView};
pub use events::{CaptionsView, EventView, SentenceView, StageView, StateView};
pub use gallery::{GalleryView, SharedStoryView};

/// A story that was asked for, from its submit to its end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Story, example = json!({
    "id": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11", "state": "succeeded",
    "created_at": "2026-11-23T09:30:00.120Z", "started_at": "2026-11-23T09:30:00.480Z",
    "finished_at": "2026-11-23T09:30:19.015Z",
    "due_at": null, "position": null, "eta_seconds": null, "stage": null, "progress": null, "attempts": 1, "max_attempts": 3,
    "history": [{"started_at": "2026-11-23T09:30:00.480Z", "ended_at": "2026-11-23T09:30:19.015Z", "outcome": "succeeded", "error": null}],
    "request": {"style": "romance", "style_strength": 1.0, "form": "prose", "beam_width": 50, "captions": 100,
        "max_words": 120, "mode": "sample", "temperature": 0.6, "top_p": 0.92, "seed": 1, "compat": "modern", "count": 1, "continue": null, "metadata": {}, "deadline": null, "priority": 0,
        "webhook_url": null, "webhook_events": []},
    "shared": false, "data_removed": false, "cache": "miss", "batch": null,
    "image": {"url": "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11/image", "media_type": "image/jpeg",
        "width": 640, "height": 480, "bytes": 81234},
    "result": {"story": "She had never seen the sea so still.", "others": [], "style": "romance",
        "captions": [{"text": "A woman stands on the beach .", "similarity": 0.61}],
        "timings": {"looking": 0.11, "writing": 17.9}, "bundle": "starter-0.1.0-5f2c9a1e"},
    "error": null
}))]
pub struct StoryView {
    /// The job's own id, in the order of submission.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When a worker took it (the last time, if more than one did).
    pub started_at: Option<DateTime<Utc>>,
    /// When it reached its last state.
    pub finished_at: Option<DateTime<Utc>>,
    /// While queued: not before this time. Later than `created_at` after a failed attempt.
    pub due_at: Option<DateTime<Utc>>,
    /// While queued: how many are told before it.
    pub position: Option<u64>,
    /// While queued, once the pace of this service is known: in how many seconds it is told.
    pub eta_seconds: Option<u64>,
    /// While running: what is being done with it: `looking`, `captioning`, `thinking` or `writing`.
    pub stage: Option<String>,
    /// While running: how far that stage is, where it is known.
    pub progress: Option<ProgressView>,
    /// How often a worker has taken it and been charged for it.
    pub attempts: u32,
    /// How often it may be.
    pub max_attempts: u32,
    /// Each attempt so far, the first one first; only where a single story is asked for.
    pub history: Option<Vec<AttemptView>>,
    /// What was asked for, defaults filled in.
    pub request: StoryRequest,
    /// Whether everybody who uses the service may see it in the gallery, once it is told.
    pub shared: bool,
    /// Whether picture, story and captions were removed at the owner's wish.
    pub data_removed: bool,
    /// Whether it had to be told: `miss`; or was known, `hit`; or was just being told for somebody else, `coalesced`.
    pub cache: Cache,
    /// The batch it came with, if it did: look at `/v1/batches/{id}`.
    pub batch: Option<Uuid>,
    /// The picture as it is kept: metadata removed.
    pub image: Option<ImageView>,
    /// Once succeeded: the story.
    pub result: Option<ResultView>,
    /// Once failed or expired: why. While queued again: why the attempt before failed.
    pub error: Option<ErrorView>,
}

/// How far a stage is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Progress, example = json!({"done": 12, "of": 120}))]
pub struct ProgressView {
    /// Steps done.
    pub done: u32,
    /// Steps there are.
    pub of: u32,
}

/// One attempt at a story.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Attempt, example = json!({
    "started_at": "2026-11-23T09:30:00.480Z", "ended_at": "2026-11-23T09:30:04.700Z", "outcome": "lost",
    "error": {"type": "/problems/worker_lost", "kind": "worker_lost", "message": "the worker died", "retryable": true}
}))]
pub struct AttemptView {
    /// When a worker took it.
    pub started_at: DateTime<Utc>,
    /// When it ended; `null` while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// `succeeded`, `failed`, `retry`, `returned`, `lost` or `cancelled`; `null` while it runs.
    pub outcome: Option<String>,
    /// Why it failed, if it did.
    pub error: Option<ErrorView>,
}

/// The stored picture.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Image, example = json!({
    "url": "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11/image", "media_type": "image/jpeg",
    "width": 640, "height": 480, "bytes": 81234
}))]
pub struct ImageView {
    /// Where it is.
    pub url: String,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    pub media_type: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Its size as stored.
    pub bytes: u64,
}

/// A story that was told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StoryResult, example = json!({
    "story": "She had never seen the sea so still.", "others": [], "style": "romance",
    "captions": [{"text": "A woman stands on the beach .", "similarity": 0.61}],
    "timings": {"looking": 0.11, "writing": 17.9}, "bundle": "starter-0.1.0-5f2c9a1e"
}))]
pub struct ResultView {
    /// The story itself.
    pub story: String,
    /// The style it is told in.
    pub style: String,
    /// Further stories, if more than one was wanted (`count`), the best first.
    #[serde(default)]
    pub others: Vec<String>,
    /// The captions it was made of, the nearest first.
    pub captions: Vec<CaptionView>,
    /// Seconds spent in each stage.
    pub timings: BTreeMap<String, f64>,
    /// The weights that told it: name, version and hash.
    pub bundle: String,
}

/// A caption of the gallery that is near the picture.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = UsedCaption, example = json!({"text": "A woman stands on the beach .", "similarity": 0.61}))]
pub struct CaptionView {
    /// Its text, as the networks read it.
    pub text: String,
    /// The cosine of the angle between picture and caption: 1 would be the same.
    pub similarity: f64,
}

/// Why a job ended without a story.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = JobError, example = json!({
    "type": "/problems/worker_lost", "kind": "worker_lost", "message": "the worker died", "retryable": true
}))]
pub struct ErrorView {
    /// `/problems/{kind}`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The kind's name, from the closed list at `GET /problems`.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// Whether submitting it again may help.
    pub retryable: bool,
}

/// A page of jobs, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StoryPage, example = PageView::example)]
pub struct PageView {
    /// The jobs of this page.
    pub stories: Vec<StoryView>,
    /// `?cursor=` of the next page; `null` on the last one.
    pub next: Option<String>,
}

impl PageView {
    fn example() -> Value {
        json!({"stories": [example_of::<StoryView>()], "next": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11"})
    }
}

/// What the document shows of a shape, to be shown in another one as well.
fn example_of<T: PartialSchema>() -> Option<Value> {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object.example,
        _ => None,
    }
}

/// The styles this service can tell in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Styles, example = json!({"bundle": "starter-0.1.0-5f2c9a1e", "styles": [
    {"name": "romance", "description": "Novels of love and marriage", "passages": 14000, "source": "Austen, the Brontës, Flaubert",
        "state": "ready", "progress": null, "error": null}
]}))]
pub struct StylesView {
    /// The weights that have them; `null` until a worker has loaded some.
    pub bundle: Option<String>,
    /// The styles, in the order of the bundle; empty until then.
    pub styles: Vec<StyleView>,
}

/// A style a story can be told in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Style, example = json!({
    "name": "romance", "description": "Novels of love and marriage", "passages": 14000, "source": "Austen, the Brontës, Flaubert",
    "state": "ready", "progress": null, "error": null
}))]
pub struct StyleView {
    /// The name to ask for.
    pub name: String,
    /// What to expect.
    pub description: String,
    /// How many passages it was learnt from.
    pub passages: u32,
    /// The texts they were taken from.
    pub source: String,
    /// `queued` or `running` while a style that was added is made, then `ready`; `failed` if it cannot be.
    pub state: StyleState,
    /// While it is made: how far that is, in passages.
    pub progress: Option<ProgressView>,
    /// Why it could not be made, or why the attempt before failed.
    pub error: Option<ErrorView>,
}

/// How a style stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StyleStateName)]
pub enum StyleState {
    /// Waits for a worker.
    Queued,
    /// A worker reads its text.
    Running,
    /// Stories can be told in it.
    Ready,
    /// Its text cannot become a style; `error` says why.
    Failed,
}
