//! What is wished for a picture that is sent to a service, beside how its story is told.
//! `submit` and `batch` take it. What must stay true: an option that is left out leaves the field to the service.

use chrono::{DateTime, Utc};
use clap::Args;
use jobs::StoryRequest;

use crate::commands::telling::Telling;

/// What is wished for, of each picture.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wishes {
    /// A label of yours, such as album=2026: comes back with the story.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Higher is told earlier.
    #[arg(long, default_value_t = StoryRequest::default().priority, value_name = "0..9")]
    priority: u8,
    /// Not to be told at all if no worker has taken it by then, for example 2026-12-24T18:00:00Z [default: however long it takes].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    deadline: Option<DateTime<Utc>>,
    /// Delete picture and story so many seconds after its end [default: the service's own time].
    #[arg(long, value_name = "S")]
    keep_for: Option<u32>,
    /// An address of yours that is told of the end.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// How the story is told.
    #[command(flatten)]
    telling: Telling,
}

impl Wishes {
    /// The same as a request to the service.
    pub(crate) fn request(&self) -> StoryRequest {
        StoryRequest {
            metadata: self.labels.iter().cloned().collect(),
            priority: self.priority,
            deadline: self.deadline,
            keep_for: self.keep_for,
            webhook_url: self.webhook_url.clone(),
            ..self.telling.request()
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is no label: say KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let moment = DateTime::parse_from_rfc3339(text);
    let moment = moment.map_err(|error| {
        format!("`{text}` is no time ({error}): write one such as 2026-12-24T18:00:00Z, or +01:00 in place of the Z")
    })?;
    Ok(moment.to_utc())
}
