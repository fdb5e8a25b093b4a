//! `storyteller styles`: what a bundle can tell in, with where each style comes from; and new styles from any text.
//! Without a verb it lists. Adding and removing change the bundle's folder at once; a service that is running keeps what
//! it read at its start, unless it is asked itself: `--server`, see `served.rs`.

mod served;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use api::view::{StyleState, StyleView, StylesView};
use clap::{Args, Subcommand};
use models::Bundle;
use models::pipeline::style_from_text::{Draft, Networks, make};
use models::text::encoding;
use reqwest::Url;
use storyteller::client::address;
use training::corpus;
use training::shelf::Shelf;

use crate::commands::asking::Who;
use crate::commands::place::Weights;
use crate::commands::progress::LoadingBar;

/// More hardly move the mean of a style.
const PASSAGES: usize = 1000;

/// What `styles` takes; where the weights are can be said before or after the verb.
#[derive(Args, Debug)]
#[command(mut_args(|arg| arg.global(true)))]
pub(crate) struct Styles {
    /// Where weights are.
    #[command(flatten)]
    weights: Weights,
    /// Ask a running service instead of a bundle of this machine, for example http://127.0.0.1:7878.
    #[arg(long, value_name = "URL", value_parser = address)]
    server: Option<Url>,
    /// Who asks it.
    #[command(flatten)]
    who: Who,
    /// List, or show what a service has, as JSON.
    #[arg(long)]
    json: bool,
    /// What to do; without a word: list.
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What can be done with styles.
#[derive(Subcommand, Debug)]
enum Verb {
    /// List the styles of the bundle.
    List,
    /// Make a style of plain text files: some 4,000 words of prose at least, better 100,000.
    Add(Add),
    /// Say all that is known about a style.
    Show {
        /// The style.
        name: String,
    },
    /// Take a style out of the bundle.
    Remove {
        /// The style.
        name: String,
    },
    /// Show how alike the styles are: 1 the same direction, 0 nothing in common, −1 opposites.
    Compare,
}

/// A new style.
#[derive(Args, Debug)]
struct Add {
    /// The name to ask for in `--style`: small letters, digits and hyphens.
    name: String,
    /// Plain text files, or folders of .txt files; Project Gutenberg's licence texts are left out.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// One sentence for people who choose.
    #[arg(long, default_value = "A style of one's own")]
    description: String,
    /// Where the text is from [default: the names of the files].
    #[arg(long)]
    source: Option<String>,
    /// Read at most so many passages of 100 to 160 words, evenly spread [default: 1000].
    #[arg(long)]
    passages: Option<usize>,
}

impl Styles {
    /// Does what the verb says.
    ///
    /// # Errors
    /// When the bundle cannot be opened or changed, or a text cannot become a style.
    pub(crate) fn run(mut self) -> anyhow::Result<ExitCode> {
        if let Some(server) = self.server.take() {
            return served::run(&server, self);
        }
        let folder = self.weights.bundle()?;
        match self.verb {
            None | Some(Verb::List) => list(&folder, self.json)?,
            Some(Verb::Add(add)) => add.run(&folder, &self.weights)?,
            Some(Verb::Show { name }) => show(&folder, &name)?,
            Some(Verb::Remove { name }) => {
                Shelf::open(&folder)?.remove(&name)?;
                say(&format!(
                    "`{name}` is out of {}; a running service tells in it until it is started again",
                    folder.display()
                ))?;
            }
            Some(Verb::Compare) => compare(&folder)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Add {
    fn run(self, folder: &Path, weights: &Weights) -> anyhow::Result<()> {
        let begun = std::time::Instant::now();
        let bundle = Bundle::open(folder)?.remembering(&weights.cache()?);
        if bundle.manifest().styles.iter().any(|s| s.name == self.name) {
            bail!(
                "there is a style `{}` already: choose another name, or `storyteller styles remove {}` first",
                self.name,
                self.name
            );
        }
        let draft = self.draft()?;
        let cache = weights.cache()?;
        let device = models::tensors::device::choose(&weights.device)?;
        let mut bar = LoadingBar::new();
        let networks = Networks::open(&bundle, &cache, device)?;
        let made = make(&draft, &networks.reader(), &mut |done, of| {
            bar.show("reading passages", done, of);
            true
        })?;
        Shelf::open(folder)?.add(&made)?;
        let style = &made.style;
        say(&format!(
            "`{}` is the mean of {} passages (of {} different ones; {} repeated); {:.0} % of the words are known; {:.0} s",
            style.name,
            style.passages,
            made.found,
            made.repeated,
            made.known,
            begun.elapsed().as_secs_f64()
        ))?;
        say(&format!(
            "try: storyteller tell PHOTO --bundle {} --style {}   (a running service sees it at its next start)",
            folder.display(),
            style.name
        ))
    }

    fn draft(&self) -> anyhow::Result<Draft> {
        let paths = corpus::find_texts(&self.files)?;
        let names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
        let texts = paths
            .iter()
            .zip(&names)
            .map(|(path, name)| Ok((name.clone(), encoding::read_text(path)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        if texts.is_empty() {
            bail!("there is no .txt file in what you named");
        }
        let source = match names.len() {
            0..=6 => names.join(", "),
            more => format!("{} and {} more files", names[..5].join(", "), more - 5),
        };
        Ok(Draft {
            name: self.name.clone(),
            description: self.description.clone(),
            source: self.source.clone().unwrap_or(source),
            texts,
            most_passages: self.passages.unwrap_or(PASSAGES),
        })
    }
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn list(folder: &Path, json: bool) -> anyhow::Result<()> {
    let bundle = Bundle::open(folder)?;
    let styles = bundle.manifest().styles.iter().map(|style| StyleView {
        name: style.name.clone(),
        description: style.description.clone(),
        passages: u32::try_from(style.passages).unwrap_or(u32::MAX),
        source: style.source.clone(),
        state: StyleState::Ready,
        progress: None,
        error: None,
    });
    let view = StylesView {
        bundle: Some(bundle.manifest().name.clone()),
        styles: styles.collect(),
    };
    listed(&view, json)
}

/// Prints styles, wherever they are.
fn listed(view: &StylesView, json: bool) -> anyhow::Result<()> {
    if json {
        return say(&serde_json::to_string(view)?);
    }
    say(&format!("{:16} {:>8}  made of", "style", "passages"))?;
    for style in &view.styles {
        say(&format!(
            "{:16} {:>8}  {} ({})",
            style.name, style.passages, style.description, style.source
        ))?;
    }
    Ok(())
}

fn show(folder: &Path, name: &str) -> anyhow::Result<()> {
    let shelf = Shelf::open(folder)?;
    let place = shelf.styles().iter().position(|style| style.name == name);
    let place = place.with_context(|| {
        let known: Vec<&str> = shelf.styles().iter().map(|s| s.name.as_str()).collect();
        format!("no style `{name}`; there are {}", known.join(", "))
    })?;
    let style = &shelf.styles()[place];
    let vector = shelf.vector(name).context("it has no vector")?;
    say(&format!(
        "{name}\n  {}\n  made of: {}\n  passages: {}",
        style.description, style.source, style.passages
    ))?;
    let length = vector.norm().double_value(&[]);
    say(&format!(
        "  vector: {} numbers, length {length:.3}",
        vector.numel()
    ))?;
    let mut near: Vec<(f64, &str)> = shelf.likeness()[place]
        .iter()
        .zip(shelf.styles())
        .filter(|(_, other)| other.name != name)
        .map(|(likeness, other)| (*likeness, other.name.as_str()))
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0));
    let near: Vec<String> = near
        .iter()
        .map(|(likeness, name)| format!("{name} {likeness:+.2}"))
        .collect();
    say(&format!("  nearest first: {}", near.join(", ")))
}

fn compare(folder: &Path) -> anyhow::Result<()> {
    let shelf = Shelf::open(folder)?;
    let mut head = format!("{:16}", "");
    for style in shelf.styles() {
        head += &format!(" {:>9.9}", style.name);
    }
    say(&head)?;
    for (style, row) in shelf.styles().iter().zip(shelf.likeness()) {
        let row: String = row.iter().map(|value| format!(" {value:>+9.2}")).collect();
        say(&format!("{:16.16}{row}", style.name))?;
    }
    say("Cosines after the mean of all styles is taken away; what they share is prose as such.")
}

pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}
