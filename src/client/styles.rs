//! Styles of a running service: which there are, and new ones of any text.
//! `commands/styles/served.rs` calls it. What must stay true: a style that was handed in is waited for until it can be told in, or
//! its text turns out to be none.

use std::time::Duration;

use api::view::{StyleState, StyleView, StylesView};
use reqwest::Method;
use reqwest::multipart::{Form, Part};

use super::following::Patience;
use super::{Client, Error};

/// Between two looks at a style that is being made, which takes seconds.
const LOOK: Duration = Duration::from_millis(500);

/// A style that is to be made of a text.
#[derive(Clone, Debug)]
pub struct NewStyle {
    /// The name to ask for.
    pub name: String,
    /// One sentence for people who choose.
    pub description: String,
    /// Where the text is from.
    pub source: String,
    /// The text itself.
    pub text: String,
}

impl Client {
    /// The styles that a story can be told in.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn styles(&self) -> Result<StylesView, Error> {
        self.answer(self.get(&["v1", "styles"])).await
    }

    /// One style, also while it is being made.
    ///
    /// # Errors
    /// When nobody answers or there is no such style.
    pub async fn style(&self, name: &str) -> Result<StyleView, Error> {
        self.answer(self.get(&["v1", "styles", name])).await
    }

    /// Hands in a text that is to become a style; answers with the style as it is then.
    ///
    /// # Errors
    /// When nobody answers, or the service refuses the name or the text.
    pub async fn add_style(&self, style: &NewStyle) -> Result<StyleView, Error> {
        let text = Part::text(style.text.clone()).file_name("text.txt");
        let form = Form::new()
            .text("name", style.name.clone())
            .text("description", style.description.clone())
            .text("source", style.source.clone())
            .part("text", text);
        self.answer(self.post(&["v1", "styles"]).multipart(form))
            .await
    }

    /// Waits until a style can be told in or cannot be made; tells `watch` how far it is.
    ///
    /// # Errors
    /// When there is no such style, or nobody answers for half a minute.
    pub async fn made_style(
        &self,
        name: &str,
        mut watch: impl FnMut(&StyleView),
    ) -> Result<StyleView, Error> {
        let mut patience = Patience::default();
        loop {
            match self.style(name).await {
                Ok(style) => {
                    patience.renew();
                    watch(&style);
                    if matches!(style.state, StyleState::Ready | StyleState::Failed) {
                        return Ok(style);
                    }
                    tokio::time::sleep(LOOK).await;
                }
                Err(error) => patience.bear(error).await?,
            }
        }
    }

    /// Takes away a style that was added to the service.
    ///
    /// # Errors
    /// When nobody answers, or no such style was added.
    pub async fn remove_style(&self, name: &str) -> Result<(), Error> {
        self.done(self.request(Method::DELETE, &["v1", "styles", name]))
            .await
    }
}
