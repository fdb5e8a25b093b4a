//! `storyteller tell`: pictures in, stories out, with no server.
//! All pictures of one call go through the networks as one batch. Standard output carries the stories
//! (or, with `--json`, one object a picture); progress goes to standard error.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jobs::StoryRequest;
use models::pipeline::picture::Caps;
use models::pipeline::storyteller::{Request, Story, ToldBatch};
use models::{Picture, Storyteller};
use serde_json::json;

use crate::commands::place::Weights;
use crate::commands::progress::{LoadingBar, StoryBar};

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

/// How a story is told.
#[derive(Args, Clone, Debug)]
pub(crate) struct Telling {
    /// The style: a name from `storyteller styles`, or a mix such as romance:0.7,adventure:0.3.
    #[arg(long, default_value = "romance")]
    pub(crate) style: String,
    /// How far to shift from captions to the style: 0 not at all, 1 as the original did, at most 2.
    #[arg(long, default_value_t = 1.0, value_name = "0..2")]
    pub(crate) style_strength: f64,
    /// How many of the nearest captions the story is made of.
    #[arg(long, short, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) k: u32,
    /// How many sentences-to-be the search keeps: wider is slower and more likely prose.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) beam: u32,
    /// The most words a story may have.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(20..=400))]
    pub(crate) max_words: u32,
    /// How many stories of each picture, the best first.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) count: u32,
    /// Break the story at its commas, one line each.
    #[arg(long)]
    pub(crate) lyrics: bool,
    /// Write for people, or exactly by the rules of the original of 2015: its likeliest text as bare tokens without the
    /// last one, however long; the picture not turned as its EXIF entry says.
    #[arg(long, value_enum, default_value_t = Compat::Modern)]
    pub(crate) compat: Compat,
    /// Draw sentences by chance and choose the best of each eight (with --beam fewer), or search for the likeliest one; strict stories are
    /// always searched for.
    #[arg(long, value_enum, default_value_t = Manner::Sample)]
    pub(crate) mode: Manner,
    /// Drawn stories: the same seed draws the same story, another one another story.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Drawn stories: below 1 safer, above 1 wilder.
    #[arg(long, default_value_t = 0.8)]
    pub(crate) temperature: f64,
    /// Drawn stories: draw from the likeliest words that together have this probability.
    #[arg(long, default_value_t = 0.92)]
    pub(crate) top_p: f64,
}

/// How words are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Manner {
    /// By chance, the best of many.
    Sample,
    /// By beam search.
    Beam,
}

/// Whose rules a story follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// Ours: whole sentences, set as in a book.
    Modern,
    /// The original's.
    Strict,
}

impl Telling {
    /// The same as a request to the service.
    pub(crate) fn request(&self) -> StoryRequest {
        let compat = match self.compat {
            Compat::Modern => jobs::Compat::Modern,
            Compat::Strict => jobs::Compat::Strict,
        };
        let mode = match self.mode {
            Manner::Sample if compat == jobs::Compat::Modern => jobs::Mode::Sample,
            _ => jobs::Mode::Beam,
        };
        StoryRequest {
            style: self.style.clone(),
            style_strength: self.style_strength,
            form: if self.lyrics {
                jobs::Form::Lyrics
            } else {
                jobs::Form::Prose
            },
            beam_width: self.beam,
            captions: self.k,
            max_words: self.max_words,
            mode: Some(mode),
            temperature: self.temperature,
            top_p: self.top_p,
            seed: (mode == jobs::Mode::Sample).then_some(self.seed),
            compat,
            count: self.count,
            ..StoryRequest::default()
        }
    }
}

impl Tell {
    /// Tells every picture's story.
    ///
    /// # Errors
    /// When the bundle cannot be opened or the options make no sense. A picture that cannot be told
    /// does not stop the others: it is reported and the exit code is 1.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let request = self.telling.request();
        request
            .validate()
            .map_err(|problem| anyhow::anyhow!("--style and its company: {problem}"))?;
        let mut options = worker::engine::storyteller::options(&request)?;
        if let Some(path) = &self.continues {
            options.before = std::fs::read_to_string(path).with_context(|| {
                format!("cannot read {}, the story to go on from", path.display())
            })?;
        }
        let storyteller = open(&self.weights)?;
        let mut failures = 0;
        let mut pictures = Vec::new();
        for path in &self.photos {
            match read_picture(path, self.telling.compat) {
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
    eprintln!("storyteller: {}: {error:#}", path.display());
}
