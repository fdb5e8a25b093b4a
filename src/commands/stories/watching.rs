//! What a person sees of a story while it is told: its stages, and its sentences as soon as they are final.
//! `wait`, `follow`, `submit` and `batch` watch with it. What must stay true: standard output has the story and nothing else (with
//! `--json` the job or its events); everything that passes goes to standard error.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use api::view::{EventView, StoryView};
use clap::Args;
use indicatif::ProgressBar;
use jobs::State;
use storyteller::client::{Client, Error, Event, story_of};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::showing::place;
use crate::commands::asking::Asked;
use crate::commands::exits::TooLong;

/// For how long a story is waited for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Patience {
    /// Wait for at most so many seconds; the story goes on all the same [default: until it has ended].
    #[arg(long, value_name = "S")]
    timeout: Option<u64>,
}

/// Waits for the end of a story and prints it.
///
/// # Errors
/// When nobody answers, there is no such story, it takes too long, or it ends without a text.
pub(crate) async fn wait(
    client: &Client,
    id: Uuid,
    asked: &Asked,
    patience: &Patience,
) -> anyhow::Result<ExitCode> {
    let lives = std::io::stdout().is_terminal() && !asked.json;
    let mut watching = Watching::new(lives);
    let hear = |event: &Event| watching.hear(event);
    let follow = async |hear: &mut dyn FnMut(&Event)| client.follow(id, hear).await;
    let job = patience.with(again(id), hear, follow).await?;
    if asked.json {
        asked.print(&job, String::new)?;
    }
    watching.end(&job, asked)
}

/// Prints what happens to a story as it happens.
///
/// # Errors
/// As [`wait`].
pub(crate) async fn follow(
    client: &Client,
    id: Uuid,
    asked: &Asked,
    patience: &Patience,
) -> anyhow::Result<ExitCode> {
    let mut watching = Watching::new(!asked.json);
    watching.talks = !asked.json;
    let hear = |event: &Event| {
        if asked.json {
            asked.print(event, String::new)?;
        }
        watching.hear(event)
    };
    let follow = async |hear: &mut dyn FnMut(&Event)| client.follow(id, hear).await;
    let job = patience.with(again(id), hear, follow).await?;
    watching.end(&job, asked)
}

/// What to type to wait on for a story.
fn again(id: Uuid) -> String {
    format!("storyteller wait {id}")
}

impl Patience {
    /// Follows a story or a batch for as long as that, and as long as whoever hears of it wants to; `again` waits on.
    ///
    /// # Errors
    /// When it takes too long, cannot be followed, or whoever hears of it cannot.
    pub(crate) async fn with<T, E>(
        &self,
        again: String,
        mut hear: impl FnMut(&E) -> anyhow::Result<()>,
        follow: impl AsyncFnOnce(&mut dyn FnMut(&E)) -> Result<T, Error>,
    ) -> anyhow::Result<T> {
        let (gone, mut nobody) = mpsc::unbounded_channel();
        let mut heard = |what: &E| {
            if let Err(error) = hear(what) {
                // received below, or it has ended anyhow
                let _ = gone.send(error);
            }
        };
        let late = async {
            match self.timeout {
                Some(seconds) => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    TooLong { again, seconds }
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            end = follow(&mut heard) => Ok(end?),
            Some(error) = nobody.recv() => Err(error),
            late = late => Err(late.into()),
        }
    }
}

/// One story on a screen, or in a pipe.
struct Watching {
    /// On standard error, and only if that is a terminal.
    bar: ProgressBar,
    /// Whether sentences are printed when they come.
    lives: bool,
    /// Whether what happens is told where there is no terminal.
    talks: bool,
    /// Sentences that were printed of this attempt.
    printed: usize,
    stage: String,
}

impl Watching {
    fn new(lives: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Watching {
            bar,
            lives,
            talks: false,
            printed: 0,
            stage: String::new(),
        }
    }

    fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        match &event.what {
            EventView::State(state) => {
                if state.state == State::Running && self.printed > 0 {
                    self.note(
                        "the attempt before came to nothing: it is told anew, from the beginning",
                    )?;
                    self.printed = 0;
                }
                let waits = state
                    .position
                    .map(|before| place(before, state.eta_seconds));
                let words = match waits {
                    Some(place) => format!("{}, {place}", state.state),
                    None => state.state.to_string(),
                };
                self.bar.set_message(words.clone());
                self.talk(&words)?;
            }
            EventView::Progress(now) => {
                let far = match now.of {
                    0 => String::new(),
                    of => format!(" {}/{of}", now.done),
                };
                self.bar.set_message(format!("{}{far}", now.stage));
                if self.stage != now.stage {
                    self.stage.clone_from(&now.stage);
                    self.talk(&now.stage)?;
                }
            }
            EventView::Captions(found) => {
                if let Some(caption) = found.captions.first() {
                    self.note(&format!("it sees: {}", caption.text))?;
                }
            }
            EventView::Sentence(sentence) if self.lives => {
                self.printed += 1;
                self.bar
                    .suspend(|| writeln!(std::io::stdout(), "{}", sentence.text))?;
            }
            EventView::Sentence(_) => {}
            EventView::End(_) => self.bar.finish_and_clear(),
        }
        Ok(())
    }

    /// The story, unless it stands there already.
    fn end(&self, job: &StoryView, asked: &Asked) -> anyhow::Result<ExitCode> {
        let story = story_of(job)?;
        if !asked.json && self.printed == 0 {
            writeln!(std::io::stdout(), "{story}")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Says something that stays on the screen.
    fn note(&self, words: &str) -> anyhow::Result<()> {
        if !self.bar.is_hidden() {
            self.bar.println(words);
        }
        self.talk(words)
    }

    /// Says something where no bar shows it.
    fn talk(&self, words: &str) -> anyhow::Result<()> {
        if self.talks && self.bar.is_hidden() {
            writeln!(std::io::stderr(), "[{words}]")?;
        }
        Ok(())
    }
}
