//! `storyteller submit`: sends a picture to a running service; with `--wait` stays for the story.
//! It is a client like any other: everything goes through the HTTP API.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jobs::StoryRequest;

use crate::commands::command_line::block_on;
use crate::commands::tell::Telling;
use storyteller::client::{Client, story_of};

/// What `submit` takes.
#[derive(Args, Debug)]
pub(crate) struct Submit {
    /// The picture (JPEG, PNG, WebP or GIF).
    photo: PathBuf,
    /// The service to send it to.
    #[arg(
        long,
        env = "STORYTELLER_SERVER",
        default_value = "http://127.0.0.1:7878",
        value_name = "URL"
    )]
    server: String,
    /// Wait for the story and print it.
    #[arg(long)]
    wait: bool,
    /// Print the whole job as JSON.
    #[arg(long)]
    json: bool,
    /// An address of yours that is told of the end of the story.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// How the story is told.
    #[command(flatten)]
    telling: Telling,
}

impl Submit {
    /// Sends the picture; prints the job's id, or with `--wait` its story.
    ///
    /// # Errors
    /// When the service refuses the picture or cannot be reached, or the job fails.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let client = Client::new(&self.server)?;
            let wishes = StoryRequest {
                webhook_url: self.webhook_url.clone(),
                ..self.telling.request()
            };
            let mut job = client.submit(&self.photo, &wishes).await?;
            if self.wait {
                job = client.finished(job.id, |_| {}).await?;
            }
            let mut out = std::io::stdout().lock();
            match (self.json, self.wait) {
                (true, _) => writeln!(out, "{}", serde_json::to_string(&job)?)?,
                (false, true) => writeln!(out, "{}", story_of(&job)?)?,
                (false, false) => writeln!(out, "{}", job.id)?,
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
