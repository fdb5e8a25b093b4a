//! Styles of a running service, over HTTP: `styles` with `--server`.
//! `styles.rs` leads here. What must stay true: nothing here touches a bundle of this machine.

use std::process::ExitCode;

use anyhow::bail;
use api::view::{StyleState, StyleView};
use reqwest::Url;
use storyteller::client::{Client, NewStyle};

use super::{Styles, Verb, listed, say};
use crate::commands::progress::LoadingBar;
use crate::commands::runtime::block_on;

/// Does what the verb says, at the service.
///
/// # Errors
/// When nobody answers, the service refuses, or the verb is about a bundle's own numbers.
pub(super) fn run(server: &Url, styles: Styles) -> anyhow::Result<ExitCode> {
    let json = styles.json;
    block_on(async {
        let client = styles.who.client(server.as_str())?;
        match styles.verb {
            None | Some(Verb::List) => listed(&client.styles().await?, json)?,
            Some(Verb::Show { name }) => show(&client.style(&name).await?, json)?,
            Some(Verb::Add(add)) => {
                if add.passages.is_some() {
                    bail!("--passages is for a bundle of this machine: a service decides itself");
                }
                let draft = add.draft()?;
                let texts: Vec<&str> = draft.texts.iter().map(|(_, text)| text.as_str()).collect();
                let style = NewStyle {
                    name: draft.name,
                    description: draft.description,
                    source: draft.source,
                    text: texts.join("\n\n"),
                };
                return make(&client, &style, json).await;
            }
            Some(Verb::Remove { name }) => {
                client.remove_style(&name).await?;
                say(&format!("`{name}` is gone from the service"))?;
            }
            Some(Verb::Compare) => {
                bail!("compare reads a bundle's own vectors: use it without --server")
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Hands it in and waits for it.
async fn make(client: &Client, style: &NewStyle, json: bool) -> anyhow::Result<ExitCode> {
    client.add_style(style).await?;
    let mut bar = LoadingBar::new();
    let made = client
        .made_style(&style.name, |style| {
            if let Some(far) = &style.progress {
                bar.show("reading passages", far.done as usize, far.of as usize);
            }
        })
        .await?;
    drop(bar);
    show(&made, json)?;
    Ok(match made.state {
        StyleState::Failed => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn show(style: &StyleView, json: bool) -> anyhow::Result<()> {
    if json {
        return say(&serde_json::to_string(style)?);
    }
    let stands = match (style.state, &style.error) {
        (StyleState::Ready, _) => "ready".to_owned(),
        (StyleState::Failed, Some(error)) => format!("failed: {}", error.message),
        (StyleState::Failed, None) => "failed".to_owned(),
        (StyleState::Queued | StyleState::Running, _) => "being made".to_owned(),
    };
    let (name, description, source) = (&style.name, &style.description, &style.source);
    say(&format!(
        "{name}\n  {description}\n  made of: {source}\n  passages: {}\n  {stands}",
        style.passages
    ))
}
