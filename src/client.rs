//! The service seen from outside: a small HTTP client for `submit`, `demo`, `health` and the tests.
//! It speaks only what the API documents; a problem answer becomes an error in the service's own words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::view::{DeliveriesView, DeliveryView, PageView, StoryView};
use jobs::{State, StoryRequest};
use reqwest::RequestBuilder;
use reqwest::multipart::{Form, Part};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// Why the service could not be asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The picture cannot be read from the disk.
    #[error("cannot read {}: {cause}", file.display())]
    Photo {
        /// The file that was named.
        file: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Nobody answers there, or not in HTTP.
    #[error("no answer from {server}: is `storyteller serve` running there? ({cause})")]
    Unreachable {
        /// The service that was asked.
        server: String,
        /// What the HTTP client said.
        cause: reqwest::Error,
    },
    /// Somebody answers, but not our service.
    #[error(
        "{server} answered {status} with something that this program does not understand: it is no storyteller service, or one of another version"
    )]
    NotOurs {
        /// The service that was asked.
        server: String,
        /// The HTTP status of its answer.
        status: u16,
    },
    /// The service refused, in its own words.
    #[error("{detail} (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem's detail.
        detail: String,
    },
    /// The job ended without a story.
    #[error("the job {state}: {reason}")]
    NoStory {
        /// The state it ended in.
        state: String,
        /// The job's own error.
        reason: String,
    },
}

/// A connection to one service.
pub struct Client {
    http: reqwest::Client,
    server: String,
}

impl Client {
    /// A client of the service at `server`, for example `http://127.0.0.1:7878`.
    ///
    /// # Errors
    /// When no HTTP client can be set up on this machine.
    pub fn new(server: &str) -> Result<Self, Error> {
        let server = server.trim_end_matches('/').to_owned();
        let mut http = reqwest::Client::builder()
            // longer than the 60 s for which the service holds a waiting poll
            .timeout(Duration::from_secs(90));
        if is_here(&server) {
            // a proxy for the world knows nothing of what listens on this machine
            http = http.no_proxy();
        }
        let http = http.build().map_err(|cause| Error::Unreachable {
            server: server.clone(),
            cause,
        })?;
        Ok(Client { http, server })
    }

    /// Sends a picture to be told; answers with the accepted job.
    ///
    /// # Errors
    /// When the file cannot be read, nobody answers, or the service refuses the picture or a field.
    pub async fn submit(&self, photo: &Path, wishes: &StoryRequest) -> Result<StoryView, Error> {
        let bytes = tokio::fs::read(photo).await.map_err(|cause| Error::Photo {
            file: photo.to_owned(),
            cause,
        })?;
        let name = photo
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut form = Form::new().part("image", Part::bytes(bytes).file_name(name));
        for (field, text) in texts(wishes) {
            form = form.text(field, text);
        }
        let request = self
            .http
            .post(format!("{}/v1/stories", self.server))
            .multipart(form);
        self.answer(request).await
    }

    /// The job as it stands, after waiting up to `wait` for it to end.
    ///
    /// # Errors
    /// When nobody answers or there is no such job.
    pub async fn job(&self, id: Uuid, wait: Duration) -> Result<StoryView, Error> {
        let url = format!("{}/v1/stories/{id}?wait={}", self.server, wait.as_secs());
        self.answer(self.http.get(url)).await
    }

    /// Waits until the job has ended and answers with it; tells `watch` each state it saw on the way.
    ///
    /// # Errors
    /// As [`Client::job`].
    pub async fn finished(
        &self,
        id: Uuid,
        mut watch: impl FnMut(&StoryView),
    ) -> Result<StoryView, Error> {
        loop {
            let job = self.job(id, Duration::from_secs(2)).await?;
            watch(&job);
            if job.state.is_final() {
                return Ok(job);
            }
        }
    }

    /// The webhooks of a story, with every attempt at them.
    ///
    /// # Errors
    /// When nobody answers or there is no such job.
    pub async fn deliveries(&self, id: Uuid) -> Result<DeliveriesView, Error> {
        let url = format!("{}/v1/stories/{id}/deliveries", self.server);
        self.answer(self.http.get(url)).await
    }

    /// Has a webhook sent again, now; answers with it.
    ///
    /// # Errors
    /// When nobody answers or there is no such delivery.
    pub async fn replay(&self, id: Uuid, number: u32) -> Result<DeliveryView, Error> {
        let url = format!("{}/v1/stories/{id}/deliveries/{number}/replay", self.server);
        self.answer(self.http.post(url)).await
    }

    /// A page of the stories in a state, the newest first; `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// When nobody answers or there is no such state.
    pub async fn stories(&self, state: State, cursor: Option<&str>) -> Result<PageView, Error> {
        let mut url = format!("{}/v1/stories?limit=100&state={state}", self.server);
        if let Some(cursor) = cursor {
            url += &format!("&cursor={cursor}");
        }
        self.answer(self.http.get(url)).await
    }

    /// Has a story that ended without one told after all; answers with its job.
    ///
    /// # Errors
    /// When nobody answers, there is no such job, or it is told already.
    pub async fn retry(&self, id: Uuid) -> Result<StoryView, Error> {
        let url = format!("{}/v1/stories/{id}/retry", self.server);
        self.answer(self.http.post(url)).await
    }

    /// Whether the service is ready, and its own words about it.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn ready(&self) -> Result<(bool, String), Error> {
        let (status, text) = self
            .exchange(self.http.get(format!("{}/readyz", self.server)))
            .await?;
        Ok((status == 200, text))
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Error> {
        let (status, text) = self.exchange(request).await?;
        let stranger = |_| Error::NotOurs {
            server: self.server.clone(),
            status,
        };
        if (200..300).contains(&status) {
            return serde_json::from_str(&text).map_err(stranger);
        }
        let body: Value = serde_json::from_str(&text).map_err(stranger)?;
        let detail = body["detail"]
            .as_str()
            .or(body["title"].as_str())
            .unwrap_or("refused");
        Err(Error::Refused {
            status,
            detail: detail.to_owned(),
        })
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<(u16, String), Error> {
        let unreachable = |cause| Error::Unreachable {
            server: self.server.clone(),
            cause,
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(unreachable)?))
    }
}

/// Whether an address leads to this machine itself.
fn is_here(server: &str) -> bool {
    let url = reqwest::Url::parse(server).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str);
    host.is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = |address: std::net::IpAddr| address.is_loopback();
        host == "localhost" || address.parse().is_ok_and(loopback)
    })
}

/// The fields of a form that say what a request does.
fn texts(wishes: &StoryRequest) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(wishes) else {
        return Vec::new();
    };
    let said = fields.into_iter().filter_map(|(field, value)| match value {
        Value::Null => None,
        Value::Array(values) if values.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        Value::String(text) => Some((field, text)),
        other => Some((field, other.to_string())),
    });
    said.collect()
}

/// The story of a job that has ended.
///
/// # Errors
/// When the job did not succeed: its own error.
pub fn story_of(job: &StoryView) -> Result<&str, Error> {
    match (&job.result, &job.error) {
        (Some(result), _) => Ok(&result.story),
        (None, error) => Err(Error::NoStory {
            state: job.state.to_string(),
            reason: error.as_ref().map_or_else(
                || "no reason was given".to_owned(),
                |error| error.message.clone(),
            ),
        }),
    }
}
