//! `storyteller demo`: the whole service on a free port, one picture through its HTTP API, the story on the screen.
//! On a terminal the service then stays up for the page; elsewhere the demo ends, with everything stopped.

use std::io::{IsTerminal as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use api::view::StoryView;
use clap::Args;
use indicatif::ProgressBar;
use operation::signals::stop_signal;
use storyteller::client::{Client, story_of};
use tokio_util::sync::CancellationToken;

use crate::commands::command_line::block_on;
use crate::commands::serve::ServiceOptions;
use crate::commands::tell::Telling;

/// What `demo` takes.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// The picture to tell.
    photo: PathBuf,
    /// How the story is told.
    #[command(flatten)]
    telling: Telling,
    /// What the service runs on.
    #[command(flatten)]
    service: ServiceOptions,
}

impl Demo {
    /// Starts the service, tells one story through it and shows where the page is.
    ///
    /// # Errors
    /// When the service does not start or the story fails.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let listener =
                TcpListener::bind("127.0.0.1:0").context("cannot open a port on this machine")?;
            let page = format!("http://{}", listener.local_addr()?);
            let shutdown = CancellationToken::new();
            let service = tokio::spawn(self.service.start(listener, shutdown.clone())?);
            let told = tokio::select! {
                told = self.story(&page) => told,
                () = stop_signal() => Err(anyhow::anyhow!("stopped before the story was told")),
            };
            if told.is_ok() && stays() {
                writeln!(
                    std::io::stdout(),
                    "The page is at {page} until you press Ctrl-C."
                )?;
                stop_signal().await;
            }
            shutdown.cancel();
            service.await??;
            told.map(|()| ExitCode::SUCCESS)
        })
    }

    async fn story(&self, page: &str) -> anyhow::Result<()> {
        let client = Client::new(page)?;
        let spinner = ProgressBar::new_spinner().with_message("starting the service");
        spinner.enable_steady_tick(std::time::Duration::from_millis(120));
        let job = client.submit(&self.photo, &self.telling.request()).await?;
        let id = job.id;
        let job = client
            .finished(id, |job| spinner.set_message(doing(job)))
            .await?;
        spinner.finish_and_clear();
        let story = story_of(&job)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{} saw:", self.photo.display())?;
        let captions = job.result.iter().flat_map(|result| &result.captions);
        for caption in captions.take(5) {
            writeln!(out, "  {}", caption.text)?;
        }
        writeln!(
            out,
            "\nand tells, in the style {}:\n\n{story}\n",
            self.telling.style
        )?;
        writeln!(out, "Told by the service at {page} (story {id}).")?;
        Ok(())
    }
}

fn doing(job: &StoryView) -> String {
    match &job.stage {
        Some(stage) => format!("telling: {stage}"),
        None => job.state.to_string(),
    }
}

/// Whether somebody is there to look at the page afterwards.
fn stays() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::env::var_os("CI").is_none()
}
