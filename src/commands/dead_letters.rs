//! `storyteller dead-letters`: stories that failed after all their attempts, for a person to look at and to try again.
//! It is a client like any other: everything goes through the HTTP API.

use std::process::ExitCode;
use std::time::Duration;

use api::view::StoryView;
use clap::{Args, Subcommand};
use jobs::State;
use uuid::Uuid;

use crate::commands::asking::Asked;
use crate::commands::runtime::block_on;
use crate::commands::stories::{Several, attempts};
use storyteller::client::{Client, Listing};

/// What `dead-letters` takes; where they are can be said before or after the verb.
#[derive(Args, Debug)]
#[command(mut_args(|arg| arg.global(true)))]
pub(crate) struct DeadLetters {
    /// Where they are.
    #[command(flatten)]
    asked: Asked,
    /// What to do; without a word: list.
    #[command(subcommand)]
    action: Option<Action>,
}

/// What can be done about failed stories.
#[derive(Subcommand, Debug)]
enum Action {
    /// List failed stories, the newest first: id, when, what was wrong.
    List(Which),
    /// Show one with every attempt at it.
    Show {
        /// The story's id.
        id: Uuid,
    },
    /// Put stories back into the queue, with all their attempts before them.
    #[command(arg_required_else_help = true)]
    Replay {
        /// Their ids.
        ids: Vec<Uuid>,
        /// All that failed; with --kind only those.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Which of them.
        #[command(flatten)]
        which: Which,
    },
}

/// Which failed stories.
#[derive(Args, Debug)]
struct Which {
    /// Only those that failed for this reason, such as `worker_lost`; /problems lists all reasons.
    #[arg(long, value_name = "ERROR")]
    kind: Option<String>,
}

impl DeadLetters {
    /// Prints what was asked for.
    ///
    /// # Errors
    /// When nobody answers, or a story is unknown or told already.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let client = self.asked.client()?;
            match self.action {
                None => self.list(&client, &Which { kind: None }).await?,
                Some(Action::List(ref which)) => self.list(&client, which).await?,
                Some(Action::Show { id }) => {
                    let job = client.job(id, Duration::ZERO).await?;
                    let words = || format!("{}  {}\n{}", job.id, job.state, attempts(&job));
                    self.asked.print(&job, || words().trim_end().to_owned())?;
                }
                Some(Action::Replay { ids, all, which }) => {
                    let ids = if all {
                        let stories = failed(&client, &which).await?;
                        stories.iter().map(|story| story.id).collect()
                    } else {
                        ids
                    };
                    return Several::new(ids, self.asked).retry().await;
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }

    async fn list(&self, client: &Client, which: &Which) -> anyhow::Result<()> {
        for story in failed(client, which).await? {
            self.asked.print(&story, || line(&story))?;
        }
        Ok(())
    }
}

/// All failed stories. They are collected before any is tried again, because a page ends where the last one began.
async fn failed(client: &Client, which: &Which) -> anyhow::Result<Vec<StoryView>> {
    let mut found = Vec::new();
    let mut listing = Listing {
        state: Some(State::Failed),
        ..Listing::from_the_start()
    };
    loop {
        let page = client.stories(&listing).await?;
        let wanted = |story: &StoryView| {
            let kind = story.error.as_ref().map(|error| error.kind.as_str());
            which.kind.is_none() || which.kind.as_deref() == kind
        };
        found.extend(page.stories.into_iter().filter(wanted));
        match page.next {
            Some(_) => listing.cursor = page.next,
            None => return Ok(found),
        }
    }
}

fn line(story: &StoryView) -> String {
    let none = || "-".to_owned();
    let finished = story.finished_at.map_or_else(none, |at| at.to_rfc3339());
    let error = story.error.as_ref();
    let kind = error.map_or_else(none, |error| error.kind.clone());
    let message = error.map_or_else(none, |error| error.message.clone());
    format!("{}  {finished}  {kind}  {message}", story.id)
}
