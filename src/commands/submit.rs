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
use crate::commands::telling::checked;
use crate::commands::wishes::Wishes;

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
    /// Of which ends that address is told: story.succeeded, story.failed, story.cancelled, story.expired [default: all].
    #[arg(
        long,
        value_name = "EVENT,…",
        value_delimiter = ',',
        requires = "webhook_url"
    )]
    webhook_events: Vec<String>,
    /// Go on from this story of the service, with another picture or its own.
    #[arg(long = "continue", value_name = "ID")]
    continues: Option<Uuid>,
    /// What is wished for.
    #[command(flatten)]
    wishes: Wishes,
    /// Where it is sent.
    #[command(flatten)]
    asked: Asked,
}

impl Submit {
    /// Sends the picture; prints the job's id, or its story.
    ///
    /// # Errors
    /// When an option is out of its limits, the service refuses the picture or cannot be reached, or the job fails.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let client = self.asked.client()?;
            let wishes = checked(self.wishes())?;
            let job = client.submit(self.photo.as_deref(), &wishes).await?;
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
            continues: self.continues,
            webhook_events: self.webhook_events.clone(),
            ..self.wishes.request()
        }
    }
}
