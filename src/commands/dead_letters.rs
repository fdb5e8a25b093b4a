//! `storyteller dead-letters`: stories that failed after all their attempts, for a person to look at and to try again.
//! It is a client like any other: everything goes through the HTTP API.

use std::io::Write;
use std::process::ExitCode;

use api::view::StoryView;
use clap::{Args, Subcommand};
use jobs::State;
use uuid::Uuid;

use crate::commands::command_line::block_on;
use storyteller::client::Client;

/// What `dead-letters` takes.
#[derive(Args, Debug)]
pub(crate) struct DeadLetters {
    /// The service to ask.
    #[arg(
        long,
        global = true,
        env = "STORYTELLER_SERVER",
        default_value = "http://127.0.0.1:7878",
        value_name = "URL"
    )]
    server: String,
    /// What to do.
    #[command(subcommand)]
    action: Action,
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
            let client = Client::new(&self.server)?;
            let mut out = std::io::stdout().lock();
            match self.action {
                Action::List(which) => {
                    for story in failed(&client, &which).await? {
                        writeln!(out, "{}", line(&story))?;
                    }
                }
                Action::Show { id } => {
                    let job = client.job(id, std::time::Duration::ZERO).await?;
                    write!(out, "{}", with_attempts(&job))?;
                }
                Action::Replay { ids, all, which } => {
                    let ids = if all {
                        let stories = failed(&client, &which).await?;
                        stories.iter().map(|story| story.id).collect()
                    } else {
                        ids
                    };
                    return replay(&client, &ids, &mut out).await;
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// One that cannot be tried again, perhaps because somebody else was quicker, keeps none of the others from it.
async fn replay(client: &Client, ids: &[Uuid], out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut refused = false;
    for id in ids {
        match client.retry(*id).await {
            Ok(job) => writeln!(out, "{id}  {}", job.state)?,
            Err(error @ storyteller::client::Error::Refused { .. }) => {
                refused = true;
                writeln!(out, "{id}  {error}")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(ExitCode::from(u8::from(refused)))
}

/// All failed stories. They are collected before any is tried again, because a page ends where the last one began.
async fn failed(client: &Client, which: &Which) -> anyhow::Result<Vec<StoryView>> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client.stories(State::Failed, cursor.as_deref()).await?;
        let wanted = |story: &StoryView| {
            let kind = story.error.as_ref().map(|error| error.kind.as_str());
            which.kind.is_none() || which.kind.as_deref() == kind
        };
        found.extend(page.stories.into_iter().filter(wanted));
        match page.next {
            Some(next) => cursor = Some(next),
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

fn with_attempts(job: &StoryView) -> String {
    let mut lines = format!("{}  {}\n", job.id, job.state);
    for attempt in job.history.iter().flatten() {
        let outcome = attempt.outcome.as_deref().unwrap_or("running");
        let error = attempt.error.as_ref().map_or("", |error| &error.message);
        let started = attempt.started_at.to_rfc3339();
        lines += &(format!("   {started}  {outcome}  {error}")
            .trim_end()
            .to_owned()
            + "\n");
    }
    lines
}
