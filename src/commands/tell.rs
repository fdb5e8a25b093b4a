//! `storyteller tell`: pictures in, stories out, with no server.
//! All pictures of one call go through the networks as one batch. Standard output carries the stories
//! (or, with `--json`, one object a picture); progress goes to standard error.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use jobs::Compat;
use models::pipeline::picture::Caps;
use models::pipeline::storyteller::{Request, Story, ToldBatch};
use models::{Bundle, Picture, Storyteller};
use serde_json::json;

use crate::commands::exits::{WrongUse, said};
use crate::commands::place::Weights;
use crate::commands::progress::{LoadingBar, StoryBar};
use crate::commands::telling::{Telling, checked};

/// What `tell` takes.
#[derive(Args, Debug)]
pub(crate) struct Tell {
    /// The pictures (JPEG, PNG, WebP or GIF).
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// How the stories are told.
    #[command(flatten)]
    telling: Telling,
    /// Go on from the story in this text file.
    #[arg(long = "continue", value_name = "FILE")]
    continues: Option<PathBuf>,
    /// Print one JSON object a picture: story, style, captions with their similarity, timings in seconds.
    #[arg(long)]
    json: bool,
    /// Where weights are.
    #[command(flatten)]
    weights: Weights,
}

impl Tell {
    /// Tells every picture's story.
    ///
    /// # Errors
    /// When the bundle cannot be opened or the options make no sense. A picture that cannot be told
    /// does not stop the others: it is reported and the exit code is 1.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let request = checked(self.telling.request())?;
        let mut options = worker::engine::storyteller::options(&request)?;
        if let Some(path) = &self.continues {
            options.before = std::fs::read_to_string(path).with_context(|| {
                format!("cannot read {}, the story to go on from", path.display())
            })?;
        }
        check_styles(&options.style, &self.weights)?;
        let storyteller = open(&self.weights)?;
        let mut failures = 0;
        let mut pictures = Vec::new();
        for path in &self.photos {
            match read_picture(path, request.compat) {
                Ok(picture) => pictures.push((path, picture)),
                Err(error) => {
                    failures += 1;
                    complain(path, &error);
                }
            }
        }
        let requests: Vec<Request<'_>> = pictures
            .iter()
            .map(|(_, picture)| Request {
                picture,
                options: options.clone(),
            })
            .collect();
        let told = storyteller.tell(&requests, &mut StoryBar::new(requests.len()));
        for ((path, _), story) in pictures.iter().zip(&told.stories) {
            match story {
                Ok(story) => self.print(path, story, &told)?,
                Err(error) => {
                    failures += 1;
                    complain(path, &anyhow::anyhow!("{error}"));
                }
            }
        }
        Ok(if failures == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn print(&self, path: &Path, story: &Story, told: &ToldBatch) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            let captions: Vec<_> = story
                .captions
                .iter()
                .map(|caption| json!({"text": caption.text, "similarity": caption.similarity}))
                .collect();
            let object = json!({
                // a name may be any bytes, JSON is text
                "photo": path.to_string_lossy(), "story": story.text, "style": self.telling.style,
                "others": story.others, "captions": captions, "timings": told.timings,
            });
            writeln!(out, "{object}")?;
            return Ok(());
        }
        writeln!(out, "{}\n\nNearest captions:", path.display())?;
        for caption in story.captions.iter().take(5) {
            writeln!(out, "  {:.3}  {}", caption.similarity, caption.text)?;
        }
        writeln!(out, "\n{}\n", story.text)?;
        for other in &story.others {
            writeln!(out, "Or:\n{other}\n")?;
        }
        Ok(())
    }
}

/// Whether the bundle has these styles: known before its networks are loaded, which takes seconds.
fn check_styles(styles: &[(String, f32)], weights: &Weights) -> anyhow::Result<()> {
    let bundle = Bundle::open(&weights.bundle()?)?;
    let known: Vec<&str> = bundle
        .manifest()
        .styles
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    let strange = styles
        .iter()
        .find(|(name, _)| !known.contains(&name.as_str()));
    match strange {
        None => Ok(()),
        Some((name, _)) => Err(WrongUse {
            option: "--style".to_owned(),
            why: format!("no style `{name}`; there are {}", known.join(", ")),
        }
        .into()),
    }
}

/// Opens the bundle, showing what is being prepared if anything is.
///
/// # Errors
/// When the bundle, the cache or the device is not as it should be.
pub(crate) fn open(weights: &Weights) -> anyhow::Result<Storyteller> {
    let device = models::tensors::device::choose(&weights.device)?;
    let (bundle, cache) = (weights.bundle()?, weights.cache()?);
    originals::fetched::prepare(&bundle, &cache)?;
    let mut bar = LoadingBar::new();
    let storyteller = Storyteller::open(&bundle, &cache, device, &mut |what, done, of| {
        bar.show(what, done, of);
    })?;
    Ok(storyteller)
}

/// A picture file, decoded within the usual limits.
///
/// # Errors
/// When it cannot be read or is no picture that we take.
pub(crate) fn read_picture(path: &Path, compat: Compat) -> anyhow::Result<Picture> {
    let caps = Caps::default();
    let bytes = Picture::file(path, &caps)?;
    Ok(match compat {
        Compat::Modern => Picture::decode(&bytes, &caps)?,
        Compat::Strict => Picture::decode_as_stored(&bytes, &caps)?,
    })
}

#[expect(
    clippy::print_stderr,
    reason = "a person waits for this word about their picture"
)]
fn complain(path: &Path, error: &anyhow::Error) {
    eprintln!("storyteller: {}: {}", path.display(), said(error));
}
