//! `storyteller demo`: the whole service on a free port, one picture through its HTTP API, picture and story on the screen.
//! On a terminal the service then stays up for the page; elsewhere the demo ends, with everything stopped. What must stay
//! true: a person sees what they wait for, the picture and the story, and nothing else; the log is in a file.

use std::io::{IsTerminal as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use api::view::StoryView;
use clap::Args;
use indicatif::ProgressBar;
use operation::signals::{end_with, stop_signal};
use storyteller::client::{Client, story_of};
use tokio_util::sync::CancellationToken;

use crate::commands::runtime::block_on;
use crate::commands::serve::ServiceOptions;
use crate::commands::telling::{Telling, checked};
use crate::commands::terminal_picture;

/// Characters in a line of the story.
const LINE: usize = 72;

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
                let page = console::style(&page).bold().underlined();
                writeln!(
                    std::io::stdout(),
                    "The page for your own pictures is at {page} until you press Ctrl-C."
                )?;
                stop_signal().await;
            }
            shutdown.cancel();
            service.await??;
            let log = self.log_file()?;
            told.with_context(|| format!("the log is in {}", log.display()))?;
            // a story that somebody asked for on the page may still be computed; it is told at the next start
            end_with(0)
        })
    }

    /// Where the service's log goes.
    ///
    /// # Errors
    /// When neither the flag nor `HOME` says where the data is.
    pub(crate) fn log_file(&self) -> anyhow::Result<PathBuf> {
        Ok(self.service.data_folder()?.join("demo.log"))
    }

    async fn story(&self, page: &str) -> anyhow::Result<()> {
        let wishes = checked(self.telling.request())?;
        // whoever has made a key for the service with this data has it in the environment
        let key = std::env::var("STORYTELLER_KEY").ok();
        let client = Client::new(page)?.with_key(key);
        let spinner = ProgressBar::new_spinner().with_message("starting the service");
        spinner.enable_steady_tick(std::time::Duration::from_millis(120));
        let job = client.submit(Some(&self.photo), &wishes).await?;
        let id = job.id;
        let job = client
            .finished(id, |job| spinner.set_message(doing(job)))
            .await?;
        spinner.finish_and_clear();
        let story = story_of(&job)?;
        let mut out = std::io::stdout().lock();
        writeln!(out)?;
        if !terminal_picture::show(&mut out, &self.photo)? {
            writeln!(out, "{}", self.photo.display())?;
        }
        writeln!(out, "\n{}\n", wrapped(story))?;
        let told = format!("in the manner of {}", self.telling.style);
        writeln!(out, "{}\n", console::style(told).italic())?;
        Ok(())
    }
}

/// A book's line is not as long as a terminal's.
fn wrapped(story: &str) -> String {
    let mut lines = Vec::new();
    for paragraph in story.lines() {
        let mut line = String::from(" ");
        for word in paragraph.split_whitespace() {
            if line.chars().count() + word.chars().count() >= LINE {
                lines.push(std::mem::replace(&mut line, String::from(" ")));
            }
            line.push(' ');
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn doing(job: &StoryView) -> String {
    match &job.stage {
        Some(stage) => format!("{stage} …"),
        None => "waiting for the storyteller to wake up …".to_owned(),
    }
}

/// Whether somebody is there to look at the page afterwards.
fn stays() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::env::var_os("CI").is_none()
}
