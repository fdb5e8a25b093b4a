//! The JSON shapes of the gallery: what everybody may see of a story.
//! `gallery.rs` answers with them. What must stay true: a caller's labels, webhooks and wishes about money and time stay
//! with the caller; the gallery shows the story, how it was told, and its picture.

use chrono::{DateTime, Utc};
use jobs::{Form, Job};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ImageView, example_of};

/// A story that everybody may see.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SharedStory, example = json!({
    "id": "01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11", "story": "She had never seen the sea so still.",
    "style": "romance", "form": "prose", "shared_at": "2026-11-23T10:02:11.400Z",
    "image": {"url": "/v1/stories/01993e6a-5d1c-7e9b-b2a5-6f0d7c1b8a11/image", "media_type": "image/jpeg",
        "width": 640, "height": 480, "bytes": 81234}
}))]
pub struct SharedStoryView {
    /// The job's id.
    pub id: Uuid,
    /// The story itself.
    pub story: String,
    /// The style it is told in.
    pub style: String,
    /// `prose` or `lyrics`.
    pub form: Form,
    /// Its picture.
    pub image: Option<ImageView>,
    /// When its owner let everybody see it.
    pub shared_at: DateTime<Utc>,
}

/// A page of the gallery, the story that was shared last first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GalleryPage, example = GalleryView::example)]
pub struct GalleryView {
    /// The stories of this page.
    pub stories: Vec<SharedStoryView>,
    /// `?cursor=` of the next page; `null` on the last one.
    pub next: Option<String>,
}

impl GalleryView {
    fn example() -> Value {
        json!({"stories": [example_of::<SharedStoryView>()], "next": null})
    }
}

impl SharedStoryView {
    /// What may be seen of this job; nothing if it is not shared or not told.
    pub(crate) fn of(job: Job) -> Option<Self> {
        let shared_at = job.shared_at?;
        Some(SharedStoryView {
            id: job.id,
            story: job.result?.story,
            style: job.request.style,
            form: job.request.form,
            image: job.image.map(|image| ImageView::of(job.id, image)),
            shared_at,
        })
    }
}
