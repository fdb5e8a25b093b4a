//! `evaluate stories` and `evaluate decoder`: the network that writes, by what it writes and by what it expects.
//! Stories can be kept and measured again, since telling them is what takes the time.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use jobs::Compat;
use models::pipeline::options::Options;
use models::pipeline::storyteller::Request;
use models::{Bundle, Picture, Storyteller};
use serde_json::json;
use training::Parameters;
use training::measure::probe;
use training::measure::stories::{Specimen, measure};
use training::recipes::decoder;
use training::recipes::decoder::Passages;
use training::thoughts::Folder;

use crate::commands::evaluate::beside::Beside;
use crate::commands::evaluate::reading::{LanguageModel, read_as};
use crate::commands::evaluate::rows::{flowing, told_apart};
use crate::commands::evaluate::table::{line, print};
use crate::commands::place::Weights;
use crate::commands::tell::{open, read_picture};

/// Stories told together.
const AT_ONCE: usize = 8;

/// Tells and measures stories.
#[derive(Args, Debug)]
pub(crate) struct Stories {
    /// The pictures, or folders of them.
    #[arg(required_unless_present = "from", value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Only these styles, separated by commas [default: all of the bundle].
    #[arg(long, value_delimiter = ',')]
    styles: Vec<String>,
    /// At most this many stories, as many of each style as of any other; the seed picks the photos.
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// How many sentences-to-be the search keeps.
    #[arg(long, default_value_t = 50)]
    beam: usize,
    /// Which photos.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Also write the stories here, a JSON object a line.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Measure stories that were kept before instead of telling new ones.
    #[arg(long, conflicts_with = "photos")]
    from: Option<PathBuf>,
    /// Books as plain text, those of a style in a folder of its name: are stories copied from them, and does a probe that
    /// learnt the styles from their passages know the styles of the stories?
    #[arg(long, value_name = "DIR")]
    books: Option<PathBuf>,
    /// A language model that reads them, a GGUF file or a folder: how expected are their words, and does the second half
    /// belong to the first?
    #[arg(long, value_name = "FILE")]
    reader: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    weights: Weights,
}

impl Stories {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let told = match &self.from {
            Some(file) => read_stories(file)?,
            None => self.tell()?,
        };
        if let Some(file) = &self.keep {
            let lines: Result<Vec<String>, _> = told.iter().map(serde_json::to_string).collect();
            std::fs::write(file, lines?.join("\n") + "\n")
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let (measures, apart) = (measure(&told), probe::accuracy(&told));
        let share = |value: f64| format!("{value:.1} %");
        let [least, median, most] = measures.words;
        let mut lines = vec![
            line("stories", measures.stories),
            line(
                "distinct-2, all together",
                format!("{:.3}", measures.distinct_2),
            ),
            line(
                "distinct-2, within a story",
                format!("{:.3}", measures.distinct_2_within),
            ),
            line(
                "4-grams repeated within a story",
                format!("{:.2} %", measures.repeated_4),
            ),
            line(
                "words: least, median, most",
                format!("{least}, {median}, {most}"),
            ),
            line("of 60 to 200 words", share(measures.of_good_length)),
            line("ending at a sentence", share(measures.ends_at_a_sentence)),
            line("same as another story", share(measures.same_as_another)),
        ];
        lines.extend(flowing("", &measures.flow));
        if let Some(apart) = &apart {
            lines.extend(told_apart("style named by a probe of other stories", apart));
        }
        let reader = self
            .reader
            .as_deref()
            .map(LanguageModel::open)
            .transpose()?;
        let reading = reader
            .as_ref()
            .map(|reader| reader.read(&told))
            .transpose()?;
        lines.extend(reading.iter().flat_map(|reading| read_as("", reading)));
        let books = self.books.as_ref();
        let beside = books.map(|books| Beside::of(books, &told, reader.as_ref()));
        let beside = beside.transpose()?;
        lines.extend(beside.iter().flat_map(Beside::lines));
        let object = json!({
            "stories": measures, "styles": apart, "reading": reading, "beside_books": beside,
            "seed": self.seed,
        });
        Ok(print(self.json, &object, &lines)?)
    }

    fn tell(&self) -> anyhow::Result<Vec<Specimen>> {
        let storyteller = open(&self.weights)?;
        let mut styles = self.styles.clone();
        if styles.is_empty() {
            styles = storyteller
                .styles()
                .iter()
                .map(|style| style.name.clone())
                .collect();
        }
        let mut photos = pictures(&self.photos)?;
        rotate(&mut photos, self.seed);
        // the probe needs two photos at least
        photos.truncate((self.count / styles.len().max(1)).max(2));
        let bar = indicatif::ProgressBar::new((photos.len() * styles.len()) as u64);
        let mut told = Vec::new();
        for path in &photos {
            let picture = read_picture(path, Compat::Modern)?;
            for some in styles.chunks(AT_ONCE) {
                told.extend(self.tell_one(&storyteller, path, &picture, some)?);
                bar.inc(some.len() as u64);
            }
        }
        bar.finish_and_clear();
        Ok(told)
    }

    fn tell_one(
        &self,
        storyteller: &Storyteller,
        path: &Path,
        picture: &Picture,
        styles: &[String],
    ) -> anyhow::Result<Vec<Specimen>> {
        let request = |style: &String| Request {
            picture,
            options: Options {
                style: vec![(style.clone(), 1.0)],
                beam_width: self.beam,
                ..Options::default()
            },
        };
        let requests: Vec<Request<'_>> = styles.iter().map(request).collect();
        let stories = storyteller
            .tell(&requests, &mut models::pipeline::storyteller::NoWatcher)
            .stories;
        let photo = path.display().to_string();
        let told = styles.iter().zip(stories).map(|(style, story)| {
            let story = story.with_context(|| format!("{photo}, {style}"))?.text;
            Ok(Specimen {
                photo: photo.clone(),
                style: style.clone(),
                story,
            })
        });
        told.collect()
    }
}

pub(super) fn read_stories(file: &Path) -> anyhow::Result<Vec<Specimen>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let story = |line: &str| {
        serde_json::from_str(line).with_context(|| {
            format!(
                "{}: no object with photo, style and story: {line}",
                file.display()
            )
        })
    };
    text.lines().map(story).collect()
}

/// The pictures among files and folders, in order of their names.
fn pictures(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries =
            std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_picture = |file: &PathBuf| {
            let kind = file
                .extension()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            matches!(kind.as_str(), "jpg" | "jpeg" | "png" | "webp" | "gif")
        };
        found.extend(files.filter(is_picture));
    }
    found.sort();
    if found.is_empty() {
        bail!("there is no picture (jpg, png, webp, gif) in what was named");
    }
    Ok(found)
}

/// Lets another photo be the first for each seed.
fn rotate(photos: &mut [PathBuf], seed: u64) {
    let by = (seed.saturating_sub(1) as usize).wrapping_mul(7) % photos.len().max(1);
    photos.rotate_left(by);
}

/// Measures the decoder.
#[derive(Args, Debug)]
pub(crate) struct DecoderQuestion {
    /// The folder of book thoughts (`train thoughts`); the passages that training holds out of it are used.
    #[arg(long)]
    thoughts: PathBuf,
    /// Weights of a decoder of the same size that was trained without thoughts (`train decoder --unconditional`).
    #[arg(long)]
    unconditional: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    weights: Weights,
}

impl DecoderQuestion {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let bundle = Bundle::open(&self.weights.bundle()?)?;
        let (_, words) = bundle.decoder(tch::Device::Cpu)?;
        let part = bundle.manifest().decoder.file.clone();
        let (_, held_out) = Passages::gather(&Folder(self.thoughts), &words)?;
        let read = |file: &Path| models::tensors::weights::Weights::from_safetensors(file);
        let parameters = Parameters::from_weights(&read(&bundle.path(&part))?);
        let (own, others) = decoder::perplexity(&parameters, &held_out);
        let mut object =
            json!({"passages": held_out.len(), "own_thought": own, "another_thought": others});
        let mut lines = vec![
            line("held-out passages", held_out.len()),
            line("perplexity with its own thought", format!("{own:.1}")),
            line("perplexity with another's", format!("{others:.1}")),
        ];
        if let Some(file) = &self.unconditional {
            let parameters = Parameters::from_weights(&read(file)?);
            let (blind, _) = decoder::perplexity(&parameters, &held_out.without_thoughts());
            let helps = 100.0 * (1.0 - own / blind);
            object["unconditional"] = json!(blind);
            object["thoughts_help_per_cent"] = json!(helps);
            lines.push(line(
                "perplexity of the unconditional one",
                format!("{blind:.1}"),
            ));
            lines.push(line("thoughts help by", format!("{helps:.1} %")));
        }
        Ok(print(self.json, &object, &lines)?)
    }
}
