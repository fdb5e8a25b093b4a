//! `storyteller submit`: sends a picture to a running service; with `--wait` or `--follow` stays for the story.
//! It is a client like any other: everything goes through the HTTP API.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jobs::StoryRequest;
use uuid::Uuid;

use crate::commands::asking::Asked;
use crate::commands::runtime::block_on;
use crate::commands::stories::watching::{self, Patience};
use crate::commands::tell::Telling;

/// What `submit` takes.
#[derive(Args, Debug)]
pub(crate) struct Submit {
    /// The picture (JPEG, PNG, WebP or GIF); with --continue it may be left out.
    #[arg(required_unless_present = "continues")]
    photo: Option<PathBuf>,
    /// Wait for the story and print it.
    #[arg(long, conflicts_with = "follow")]
    wait: bool,
    /// Print the story sentence by sentence while it is told.
    #[arg(long)]
    follow: bool,
    /// For how long, with --wait or --follow.
    #[command(flatten)]
    patience: Patience,
    /// A label of yours, such as album=2026: comes back with the story.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Higher is told earlier.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=9), value_name = "0..9")]
    priority: u8,
    /// Delete picture and story so many seconds after its end [default: the service's own time].
    #[arg(long, value_name = "S")]
    keep_for: Option<u32>,
    /// An address of yours that is told of the end of the story.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Go on from this story of the service, with another picture or its own.
    #[arg(long = "continue", value_name = "ID")]
    continues: Option<Uuid>,
    /// How the story is told.
    #[command(flatten)]
    telling: Telling,
    /// Where it is sent.
    #[command(flatten)]
    asked: Asked,
}

impl Submit {
    /// Sends the picture; prints the job's id, or its story.
    ///
    /// # Errors
    /// When the service refuses the picture or cannot be reached, or the job fails.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let client = self.asked.client()?;
            let job = client.submit(self.photo.as_deref(), &self.wishes()).await?;
            let (id, asked, patience) = (job.id, &self.asked, &self.patience);
            if self.wait {
                return watching::wait(&client, id, asked, patience).await;
            }
            if self.follow {
                return watching::follow(&client, id, asked, patience).await;
            }
            asked.print(&job, || id.to_string())?;
            Ok(ExitCode::SUCCESS)
        })
    }

    fn wishes(&self) -> StoryRequest {
        StoryRequest {
            metadata: self.labels.iter().cloned().collect(),
            continues: self.continues,
            priority: self.priority,
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
