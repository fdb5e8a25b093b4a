//! What one does with stories at a service: hand them in, look, say never mind, take back, let everybody see.
//! Each call is one of `docs/api.md`. What must stay true: a wait outlives a service that is away for a moment, and ends when
//! the job has ended.

use std::path::Path;
use std::time::Duration;

use api::view::{DeliveriesView, DeliveryView, GalleryView, PageView, StoryView};
use jobs::{Explanation, State, StoryRequest};
use reqwest::multipart::Form;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::following::Patience;
use super::{Client, Error, part_of};

/// So long a poll is held, so that whoever watches sees stages.
pub(super) const POLL: Duration = Duration::from_secs(2);

/// Which page of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// Only those in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// How many, 1 to 100.
    pub limit: usize,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Whether everybody may see a story.
#[derive(Serialize)]
struct Consent {
    shared: bool,
}

impl Listing {
    /// The first page, as large as can be.
    pub fn from_the_start() -> Self {
        Listing {
            state: None,
            limit: 100,
            cursor: None,
        }
    }
}

impl Client {
    /// Sends a picture to be told, or a story to go on from in its place; answers with the accepted job.
    ///
    /// # Errors
    /// When the file cannot be read, nobody answers, or the service refuses the picture or a field.
    pub async fn submit(
        &self,
        photo: Option<&Path>,
        wishes: &StoryRequest,
    ) -> Result<StoryView, Error> {
        let mut form = Form::new();
        if let Some(photo) = photo {
            form = form.part("image", part_of(photo).await?);
        }
        for (field, text) in texts(wishes) {
            form = form.text(field, text);
        }
        self.answer(self.post(&["v1", "stories"]).multipart(form))
            .await
    }

    /// The job as it stands, after waiting up to `wait` for it to end.
    ///
    /// # Errors
    /// When nobody answers or there is no such job.
    pub async fn job(&self, id: Uuid, wait: Duration) -> Result<StoryView, Error> {
        let request = self.story(Method::GET, id, &[]);
        self.answer(request.query(&[("wait", wait.as_secs())]))
            .await
    }

    /// Waits until the job has ended and answers with it; tells `watch` each state it saw on the way.
    ///
    /// # Errors
    /// When there is no such job, or nobody answers for half a minute.
    pub async fn finished(
        &self,
        id: Uuid,
        mut watch: impl FnMut(&StoryView),
    ) -> Result<StoryView, Error> {
        let mut patience = Patience::default();
        loop {
            match self.job(id, POLL).await {
                Ok(job) => {
                    patience.renew();
                    watch(&job);
                    if job.state.is_final() {
                        return Ok(job);
                    }
                }
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// A page of stories, the newest first.
    ///
    /// # Errors
    /// When nobody answers, or the service has no such page.
    pub async fn stories(&self, listing: &Listing) -> Result<PageView, Error> {
        self.answer(self.get(&["v1", "stories"]).query(listing))
            .await
    }

    /// A page of the gallery, the story that was shared last first.
    ///
    /// # Errors
    /// As [`Client::stories`].
    pub async fn gallery(&self, listing: &Listing) -> Result<GalleryView, Error> {
        self.answer(self.get(&["v1", "gallery"]).query(listing))
            .await
    }

    /// Why a story is the one it is.
    ///
    /// # Errors
    /// When nobody answers, there is no such job, or it is not told or taken back.
    pub async fn explanation(&self, id: Uuid) -> Result<Explanation, Error> {
        self.answer(self.story(Method::GET, id, &["explain"])).await
    }

    /// Says never mind; answers with the job.
    ///
    /// # Errors
    /// When nobody answers, there is no such job, or it has ended otherwise.
    pub async fn cancel(&self, id: Uuid) -> Result<StoryView, Error> {
        self.answer(self.story(Method::POST, id, &["cancel"])).await
    }

    /// Has a story that ended without one told after all; answers with its job.
    ///
    /// # Errors
    /// When nobody answers, there is no such job, or it is told already.
    pub async fn retry(&self, id: Uuid) -> Result<StoryView, Error> {
        self.answer(self.story(Method::POST, id, &["retry"])).await
    }

    /// Takes a story back: picture, text and captions are removed for good; answers with what is left.
    ///
    /// # Errors
    /// When nobody answers or there is no such job.
    pub async fn remove(&self, id: Uuid) -> Result<StoryView, Error> {
        self.done(self.story(Method::DELETE, id, &[])).await?;
        self.job(id, Duration::ZERO).await
    }

    /// Lets everybody see a story, once it is told; answers with its job.
    ///
    /// # Errors
    /// When nobody answers, there is no such job, or it was taken back.
    pub async fn share(&self, id: Uuid) -> Result<StoryView, Error> {
        self.consent(id, Consent { shared: true }).await
    }

    /// Takes a story out of the gallery; answers with its job.
    ///
    /// # Errors
    /// As [`Client::share`].
    pub async fn unshare(&self, id: Uuid) -> Result<StoryView, Error> {
        self.consent(id, Consent { shared: false }).await
    }

    async fn consent(&self, id: Uuid, consent: Consent) -> Result<StoryView, Error> {
        let request = self.story(Method::PUT, id, &["shared"]);
        self.answer(request.json(&consent)).await
    }

    /// The webhooks of a story, with every attempt at them.
    ///
    /// # Errors
    /// When nobody answers or there is no such job.
    pub async fn deliveries(&self, id: Uuid) -> Result<DeliveriesView, Error> {
        self.answer(self.story(Method::GET, id, &["deliveries"]))
            .await
    }

    /// Has a webhook sent again, now; answers with it.
    ///
    /// # Errors
    /// When nobody answers or there is no such delivery.
    pub async fn replay(&self, id: Uuid, number: u32) -> Result<DeliveryView, Error> {
        let number = number.to_string();
        let path = ["deliveries", &number, "replay"];
        self.answer(self.story(Method::POST, id, &path)).await
    }

    /// A request about one story.
    pub(super) fn story(&self, method: Method, id: Uuid, rest: &[&str]) -> RequestBuilder {
        let id = id.to_string();
        let path = [&["v1", "stories", &id], rest].concat();
        self.request(method, &path)
    }
}

/// The fields of a form that say what a request does.
pub(super) fn texts(wishes: &StoryRequest) -> Vec<(String, String)> {
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
/// When there is none: why.
pub fn story_of(job: &StoryView) -> Result<&str, Error> {
    if let Some(result) = &job.result {
        return Ok(&result.story);
    }
    let reason = match &job.error {
        Some(error) => error.message.clone(),
        None if job.data_removed => "picture and story were taken back".to_owned(),
        None if job.state == State::Cancelled => "somebody said never mind".to_owned(),
        None => "no reason was given".to_owned(),
    };
    Err(Error::NoStory {
        state: job.state,
        reason,
    })
}
