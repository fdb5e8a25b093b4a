//! Albums at a service: many pictures handed in at once, and how they stand.
//! Each call is one of `docs/api.md`. What must stay true: a picture that is not taken spoils no other one, and is named in the
//! answer by its place.

use std::path::PathBuf;
use std::time::Duration;

use api::view::BatchView;
use jobs::StoryRequest;
use reqwest::multipart::Form;
use uuid::Uuid;

use super::following::Patience;
use super::stories::{POLL, texts};
use super::{Client, Error, part_of};

/// An album of 80 MiB on a line of a megabit a second, and a hundred pictures that the service decodes before it answers.
const ALBUM: Duration = Duration::from_secs(15 * 60);

impl Client {
    /// Sends pictures to be told, each by itself; answers with the accepted batch, in which they stand in this order.
    ///
    /// # Errors
    /// When a file cannot be read, nobody answers, or the service refuses all pictures or a field.
    pub async fn submit_batch(
        &self,
        photos: &[PathBuf],
        wishes: &StoryRequest,
    ) -> Result<BatchView, Error> {
        let mut form = Form::new();
        for photo in photos {
            form = form.part("image", part_of(photo).await?);
        }
        for (field, text) in texts(wishes) {
            form = form.text(field, text);
        }
        let request = self.post(&["v1", "batches"]).timeout(ALBUM);
        self.answer(request.multipart(form)).await
    }

    /// The batch as it stands, after waiting up to `wait` for its last story to end.
    ///
    /// # Errors
    /// When nobody answers or there is no such batch.
    pub async fn batch(&self, id: Uuid, wait: Duration) -> Result<BatchView, Error> {
        let id = id.to_string();
        let request = self.get(&["v1", "batches", &id]);
        self.answer(request.query(&[("wait", wait.as_secs())]))
            .await
    }

    /// Waits until the last story of a batch has ended and answers with it; tells `watch` how it stood on the way.
    ///
    /// # Errors
    /// When there is no such batch, or nobody answers for half a minute.
    pub async fn finished_batch(
        &self,
        id: Uuid,
        mut watch: impl FnMut(&BatchView),
    ) -> Result<BatchView, Error> {
        let mut patience = Patience::default();
        loop {
            match self.batch(id, POLL).await {
                Ok(batch) => {
                    patience.renew();
                    watch(&batch);
                    if batch.finished_at.is_some() {
                        return Ok(batch);
                    }
                }
                Err(error) => patience.bear(error).await?,
            }
        }
    }
}
