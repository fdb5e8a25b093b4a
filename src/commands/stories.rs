//! `wait`, `follow`, `list`, `show`, `explain`, `cancel`, `delete`, `retry`, `share` and `gallery`: what one does with stories at a running
//! service.
//! A client like any other: everything goes through the HTTP API. What must stay true: one story that cannot be done with
//! as asked, perhaps because somebody else was quicker, keeps none of the others from it, and the exit code tells.

mod showing;
pub(crate) mod watching;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use api::view::StoryView;
use clap::{Args, Subcommand};
use jobs::State;
use serde::Serialize;
use storyteller::client::{Client, Error, Listing};
use uuid::Uuid;

use crate::commands::asking::Asked;
use crate::commands::exits;
use crate::commands::runtime::block_on;
pub(crate) use showing::attempts;
use watching::Patience;

/// What can be done with stories at a service.
#[derive(Subcommand, Debug)]
pub(crate) enum Stories {
    /// Wait for the end of a story at a running service and print it.
    #[command(after_help = exits::HELP)]
    Wait(Wait),
    /// Print a story sentence by sentence while it is told; what else happens goes to standard error.
    #[command(after_help = exits::HELP)]
    Follow(Wait),
    /// List the stories of a running service, the newest first.
    List(List),
    /// Show all that a running service knows of a story.
    Show(Show),
    /// Say why a story is the one it is: its captions, the words it was told from, and what the style did to its thought.
    Explain(Show),
    /// Say never mind: a queued story is not told, a running one is given up.
    Cancel(Several),
    /// Remove picture, text and captions of stories for good.
    Delete(Several),
    /// Have stories told after all that failed, were cancelled or came too late.
    Retry(Several),
    /// Let everybody who uses the service see stories in its gallery.
    Share(Share),
    /// Print the stories that everybody may see, the one that was shared last first.
    Gallery(Gallery),
}

/// A story that is waited for.
#[derive(Args, Debug)]
pub(crate) struct Wait {
    /// The story's id, as `submit` printed it.
    id: Uuid,
    /// For how long.
    #[command(flatten)]
    patience: Patience,
    /// Where it is.
    #[command(flatten)]
    asked: Asked,
}

/// A story at a service.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The story's id.
    id: Uuid,
    /// Where it is.
    #[command(flatten)]
    asked: Asked,
}

/// Stories at a service.
#[derive(Args, Debug)]
pub(crate) struct Several {
    /// The stories' ids.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<Uuid>,
    /// Where they are.
    #[command(flatten)]
    asked: Asked,
}

/// What `share` takes.
#[derive(Args, Debug)]
pub(crate) struct Share {
    /// Which stories.
    #[command(flatten)]
    stories: Several,
    /// Take them out of the gallery instead.
    #[arg(long)]
    withdraw: bool,
}

/// What `list` takes.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Only those in this state: queued, running, succeeded, failed, cancelled or expired.
    #[arg(long)]
    state: Option<State>,
    /// At most so many.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Where they are.
    #[command(flatten)]
    asked: Asked,
}

/// What `gallery` takes.
#[derive(Args, Debug)]
pub(crate) struct Gallery {
    /// At most so many.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Where it is.
    #[command(flatten)]
    asked: Asked,
}

impl Stories {
    /// Does what was asked for and prints what came of it.
    ///
    /// # Errors
    /// When nobody answers, there is no such story, or one that was waited for ends without a text.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            match self {
                Stories::Wait(wait) => {
                    let Wait {
                        id,
                        patience,
                        asked,
                    } = wait;
                    watching::wait(&asked.client()?, id, &asked, &patience).await
                }
                Stories::Follow(wait) => {
                    let Wait {
                        id,
                        patience,
                        asked,
                    } = wait;
                    watching::follow(&asked.client()?, id, &asked, &patience).await
                }
                Stories::List(list) => list.run().await,
                Stories::Show(show) => show.run().await,
                Stories::Explain(show) => show.explain().await,
                Stories::Cancel(some) => {
                    let stand = |job: &StoryView| job.state.to_string();
                    some.each(async |client: &Client, id| client.cancel(id).await, stand)
                        .await
                }
                Stories::Delete(some) => {
                    let gone = |_: &StoryView| "picture and story are removed".to_owned();
                    some.each(async |client: &Client, id| client.remove(id).await, gone)
                        .await
                }
                Stories::Retry(some) => some.retry().await,
                Stories::Share(share) => share.run().await,
                Stories::Gallery(gallery) => gallery.run().await,
            }
        })
    }
}

impl Several {
    /// These stories.
    pub(crate) fn new(ids: Vec<Uuid>, asked: Asked) -> Self {
        Several { ids, asked }
    }

    /// Has them told after all.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) async fn retry(self) -> anyhow::Result<ExitCode> {
        let stand = |job: &StoryView| job.state.to_string();
        self.each(async |client: &Client, id| client.retry(id).await, stand)
            .await
    }

    /// Does something with each, and says what came of it.
    async fn each(
        self,
        act: impl AsyncFn(&Client, Uuid) -> Result<StoryView, Error>,
        words: fn(&StoryView) -> String,
    ) -> anyhow::Result<ExitCode> {
        let client = self.asked.client()?;
        let mut code = ExitCode::SUCCESS;
        for id in self.ids {
            match act(&client, id).await {
                Ok(job) => self
                    .asked
                    .print(&job, || format!("{id}  {}", words(&job)))?,
                Err(error @ Error::Refused { .. }) => {
                    code = ExitCode::FAILURE;
                    writeln!(std::io::stderr(), "storyteller: {id}: {error}")?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(code)
    }
}

impl Share {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let hangs = |job: &StoryView| match (job.shared, &job.result) {
            (true, Some(_)) => "everybody may see it".to_owned(),
            (true, None) => "everybody may see it once it is told".to_owned(),
            (false, _) => "only who knows its id sees it".to_owned(),
        };
        let stories = self.stories;
        if self.withdraw {
            let act = async |client: &Client, id| client.unshare(id).await;
            return stories.each(act, hangs).await;
        }
        let act = async |client: &Client, id| client.share(id).await;
        stories.each(act, hangs).await
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let job = self.asked.client()?.job(self.id, Duration::ZERO).await?;
        self.asked.print(&job, || showing::described(&job))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn explain(self) -> anyhow::Result<ExitCode> {
        let why = self.asked.client()?.explanation(self.id).await?;
        self.asked.print(&why, || showing::explained(&why))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.asked.client()?;
        let first = Listing {
            state: self.state,
            ..Listing::from_the_start()
        };
        let pages = async |listing: &Listing| {
            let page = client.stories(listing).await?;
            Ok((page.stories, page.next))
        };
        paged(first, self.limit, pages, |job| {
            self.asked.print(job, || showing::line(job))
        })
        .await
    }
}

impl Gallery {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let client = self.asked.client()?;
        let pages = async |listing: &Listing| {
            let page = client.gallery(listing).await?;
            Ok((page.stories, page.next))
        };
        paged(Listing::from_the_start(), self.limit, pages, |shared| {
            self.asked.print(shared, || showing::shared(shared))
        })
        .await
    }
}

/// Prints the first so many of a list that comes in pages.
async fn paged<T: Serialize>(
    mut listing: Listing,
    limit: usize,
    page: impl AsyncFn(&Listing) -> Result<(Vec<T>, Option<String>), Error>,
    print: impl Fn(&T) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let mut left = limit;
    while left > 0 {
        listing.limit = listing.limit.min(left);
        let (items, next) = page(&listing).await?;
        for item in items.iter().take(left) {
            print(item)?;
        }
        left = left.saturating_sub(items.len());
        match next {
            Some(_) => listing.cursor = next,
            None => break,
        }
    }
    Ok(ExitCode::SUCCESS)
}
