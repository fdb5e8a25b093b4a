//! `storyteller batch`: sends an album to a running service in one call; with `--wait` stays for its stories.
//! A client like any other: everything goes through the HTTP API. What must stay true: stories are printed in the order of the
//! pictures, each as soon as those before it have ended; one without a story keeps none of the others from being printed.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use api::view::{BatchItemState, BatchItemView, BatchView};
use clap::Args;
use indicatif::ProgressBar;
use storyteller::client::Client;
use uuid::Uuid;

use crate::commands::asking::Asked;
use crate::commands::exits;
use crate::commands::progress;
use crate::commands::runtime::block_on;
use crate::commands::stories::watching::Patience;
use crate::commands::telling::checked;
use crate::commands::wishes::Wishes;

/// What `batch` takes.
#[derive(Args, Debug)]
pub(crate) struct Batch {
    /// The pictures (JPEG, PNG, WebP or GIF), as many as the service takes at once: 100, and 80 MiB in all.
    #[arg(required_unless_present = "id", value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Look at a batch that was sent before, instead of sending one.
    #[arg(long, value_name = "ID", conflicts_with_all = ["photos", "Wishes", "Telling"])]
    id: Option<Uuid>,
    /// Wait for the stories and print them, in the order of the pictures.
    #[arg(long)]
    wait: bool,
    /// For how long, with --wait.
    #[command(flatten)]
    patience: Patience,
    /// What is wished for, of each picture.
    #[command(flatten)]
    wishes: Wishes,
    /// Where it is sent.
    #[command(flatten)]
    asked: Asked,
}

impl Batch {
    /// Sends the pictures; prints the batch's id, or the stories.
    ///
    /// # Errors
    /// When an option is out of its limits, the service takes none of the pictures or cannot be reached, or when it takes too long.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let client = self.asked.client()?;
            if let Some(id) = self.id {
                return self.look(&client, id).await;
            }
            let wishes = checked(self.wishes.request())?;
            let batch = client.submit_batch(&self.photos, &wishes).await?;
            if self.wait {
                return self.watch(&client, batch.id).await;
            }
            self.asked.print(&batch, || batch.id.to_string())?;
            let refused = batch.items.iter();
            let refused = refused.filter(|item| item.state == BatchItemState::Refused);
            let mut code = ExitCode::SUCCESS;
            for item in refused {
                complain(&self.name(item), item)?;
                code = ExitCode::FAILURE;
            }
            Ok(code)
        })
    }

    /// A batch that was sent before.
    async fn look(&self, client: &Client, id: Uuid) -> anyhow::Result<ExitCode> {
        if self.wait {
            return self.watch(client, id).await;
        }
        let batch = client.batch(id, Duration::ZERO).await?;
        self.asked.print(&batch, || listed(&batch))?;
        Ok(ExitCode::SUCCESS)
    }

    /// Waits for the last story and prints all of them.
    async fn watch(&self, client: &Client, id: Uuid) -> anyhow::Result<ExitCode> {
        let bar = ProgressBar::new(0).with_style(progress::style());
        let mut printed = 0;
        let hear = |batch: &BatchView| {
            show(&bar, batch);
            let ended = batch.items.iter().skip(printed);
            for item in ended.take_while(|item| has_ended(item)) {
                printed += 1;
                bar.suspend(|| self.tell(item))?;
            }
            Ok(())
        };
        let follow = async |hear: &mut dyn FnMut(&BatchView)| client.finished_batch(id, hear).await;
        let again = format!("storyteller batch --id {id} --wait");
        let batch = self.patience.with(again, hear, follow).await?;
        bar.finish_and_clear();
        if self.asked.json {
            self.asked.print(&batch, String::new)?;
        }
        let ends = batch.items.iter().map(|item| match item.story {
            // it was taken back meanwhile
            None if item.state == BatchItemState::Succeeded => BatchItemState::Forgotten,
            _ => item.state,
        });
        Ok(ExitCode::from(exits::after_all(ends)))
    }

    /// The story of a picture, or why there is none.
    fn tell(&self, item: &BatchItemView) -> anyhow::Result<()> {
        let name = self.name(item);
        match &item.story {
            Some(_) if self.asked.json => Ok(()),
            Some(story) => Ok(writeln!(std::io::stdout(), "{name}\n{story}\n")?),
            None => complain(&name, item),
        }
    }

    /// What a picture is called.
    fn name(&self, item: &BatchItemView) -> String {
        match self.photos.get(item.number as usize) {
            Some(file) => file.display().to_string(),
            None => format!("picture {}", item.number + 1),
        }
    }
}

fn show(bar: &ProgressBar, batch: &BatchView) {
    let ended = batch.items.iter().filter(|item| has_ended(item)).count();
    let running = batch.counts.get(BatchItemState::Running.name());
    bar.set_length(batch.items.len() as u64);
    bar.set_position(ended as u64);
    bar.set_message(match running {
        None | Some(0) => "waiting for a worker".to_owned(),
        Some(running) => format!("{running} being told"),
    });
}

fn has_ended(item: &BatchItemView) -> bool {
    !matches!(item.state, BatchItemState::Queued | BatchItemState::Running)
}

/// Each picture in a line.
fn listed(batch: &BatchView) -> String {
    let lines = batch.items.iter().map(|item| {
        let id = item.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let told = match &item.story {
            Some(story) => story.split_whitespace().collect::<Vec<_>>().join(" "),
            None if has_ended(item) => why(item),
            None => String::new(),
        };
        let line = format!("{id:<36}  {:<9}  {told}", item.state.name());
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn complain(name: &str, item: &BatchItemView) -> anyhow::Result<()> {
    let (state, why) = (item.state.name(), why(item));
    writeln!(std::io::stderr(), "storyteller: {name}: {state}: {why}")?;
    Ok(())
}

/// Why there is no story.
fn why(item: &BatchItemView) -> String {
    if let Some(error) = &item.error {
        return error.message.clone();
    }
    let words = match item.state {
        BatchItemState::Cancelled => "somebody said never mind",
        BatchItemState::Expired => "it was not told before its deadline",
        BatchItemState::Forgotten => "the time for which stories are kept is over",
        BatchItemState::Succeeded => "picture and story were taken back",
        _ => "no reason was given",
    };
    words.to_owned()
}
