//! What a webhook says: `{type, timestamp, data}`, with the job's end as data.
//! The dispatcher makes it for every attempt from the row as it is then, so what was removed since is not sent. What
//! must stay true: fields are only ever added, and the message's id is the same for every attempt and replay.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::DeliveryLease;
use crate::error::{Error, Result};
use crate::job::{Job, StoryResult};

/// The story without its captions: up to a thousand of them are to be had where `url` points.
#[derive(Serialize)]
struct ResultView<'a> {
    story: &'a str,
    style: &'a str,
    timings: &'a std::collections::BTreeMap<String, f64>,
    bundle: &'a str,
}

impl<'a> ResultView<'a> {
    fn of(result: &'a StoryResult) -> Self {
        ResultView {
            story: &result.story,
            style: &result.style,
            timings: &result.timings,
            bundle: &result.bundle,
        }
    }
}

/// The id of the message, by which a receiver knows that it has had it before.
#[must_use]
pub fn message_id(job: Uuid, number: u32) -> String {
    format!("msg_{}_{number}", job.simple())
}

/// The bytes to be signed and sent; the address of the story begins with `public_url` if there is one.
///
/// # Errors
/// `Unexpected`, if the job cannot be written as JSON.
pub fn body(job: &Job, held: &DeliveryLease, public_url: Option<&str>) -> Result<Vec<u8>> {
    let public_url = public_url.unwrap_or_default().trim_end_matches('/');
    if let Some(Value::Object(batch)) = &held.data {
        let mut data = batch.clone();
        let id = batch.get("id").and_then(Value::as_str).unwrap_or_default();
        data.insert(
            "url".to_owned(),
            format!("{public_url}/v1/batches/{id}").into(),
        );
        let message = json!({"type": held.event, "timestamp": held.created_at, "data": data});
        return written(&message);
    }
    // the state of this delivery's event, though the job may have been retried by hand since
    let state = held
        .event
        .strip_prefix("story.")
        .unwrap_or(job.state.name());
    let same = state == job.state.name();
    let message = json!({
        "type": held.event,
        "timestamp": held.created_at,
        "data": {
            "id": job.id,
            "url": format!("{public_url}/v1/stories/{}", job.id),
            "state": state,
            "created_at": job.created_at,
            "finished_at": held.created_at,
            "attempts": job.attempts,
            "metadata": job.request.metadata,
            "result": job.result.as_ref().filter(|_| same).map(ResultView::of),
            "error": job.error.as_ref().filter(|_| same).cloned(),
        },
    });
    written(&message)
}

fn written(message: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(message).map_err(|error| Error::unexpected("write a webhook", error))
}
