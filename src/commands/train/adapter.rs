//! `train decoder --base`: a published language model learns to write from thoughts, and a bundle comes of it.
//!
//! The bundle named by `--bundle` gives everything but the writer: eyes, gallery, styles, words. What comes out is a copy
//! of it with the new writer; checkpoints, log and curve lie in its folder `training` until it is done.

mod ground;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use models::bundle::Style;
use models::bundle::language_model::fetched;
use models::networks::bert::SentenceEncoder;
use models::networks::llama::Llama;
use models::pipeline::caption_thoughts;
use models::tensors::precision;
use models::text::wording::with_thoughts;
use models::{Bundle, Weights};
use tch::{Device, Kind, Tensor};
use training::language_bundle::{self, Writer};
use training::low_rank::SCALE;
use training::passages::{self, Passage, Take};
use training::recipes::adapter::lessons::{Asking, Lessons, Reading, Surroundings, visible_words};
use training::recipes::adapter::{self, Learner, Settings};
use training::{Measured, Oversight, Parameters};

use crate::commands::place;
use crate::commands::progress::LoadingBar;
use crate::commands::train::adapter::ground::{Ground, Source, Tongue};
use crate::commands::train::progress::TrainingProgress;
use crate::commands::train::recipe::{Defaults, RecipeFlags, Rhythm};

/// What teaching a language model takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "With --base")]
pub(super) struct AdapterFlags {
    /// Books as plain text; the books of a style in a folder of its name.
    #[arg(long, requires = "base", value_name = "DIR")]
    books: Option<PathBuf>,
    /// The bundle that gives eyes, gallery, styles and words [default: the starter].
    #[arg(long, requires = "base", value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// An adapter to go on from; the bundle's own if it has the same base, unless --from-nothing.
    #[arg(
        long,
        requires = "base",
        value_name = "FILE",
        conflicts_with = "from_nothing"
    )]
    from: Option<PathBuf>,
    /// Begin with an adapter that knows nothing.
    #[arg(long, requires = "base")]
    from_nothing: bool,
    /// Passages to learn from, a style.
    #[arg(long, requires = "base", default_value_t = 900)]
    passages: usize,
    /// Of these, the share that is learnt from: those that are nearest to something a caption says.
    #[arg(long, requires = "base", default_value_t = 1.0, value_name = "SHARE")]
    nearest: f64,
    /// Passages of books that are held out to measure on, a style.
    #[arg(long, requires = "base", default_value_t = 8)]
    held_out: usize,
    /// Passages computed at once; a batch comes together of several such parts.
    #[arg(long, requires = "base", default_value_t = 8)]
    at_once: usize,
    /// Soft tokens of an adapter from nothing; --width is the rank of its matrices.
    #[arg(long, requires = "base", default_value_t = 4)]
    soft_tokens: i64,
}

const DEFAULTS: Defaults = Defaults {
    rate: 6e-4,
    clip: 1.0,
    batch: 8,
    dropout: 0.0,
    width: 16,
    embedding: 0,
};
/// Updates between two measurements.
const MEASURE_EVERY: usize = 250;

impl AdapterFlags {
    /// Trains an adapter for the model at `base` and writes the bundle `out`.
    pub(super) fn run(
        &self,
        base: &Path,
        out: &Path,
        updates: usize,
        recipe: &RecipeFlags,
    ) -> anyhow::Result<()> {
        let books = self.books.as_ref().context("--base needs --books DIR")?;
        ensure!(
            self.nearest > 0.0 && self.nearest <= 1.0,
            "--nearest {} is no share: more than 0, at most 1",
            self.nearest
        );
        ensure!(
            !out.join("bundle.toml").exists(),
            "{} holds a bundle already: name another folder with --out",
            out.display()
        );
        let source = self.source(recipe)?;
        let mut bar = LoadingBar::new();
        let encoder = SentenceEncoder::open(
            &fetched(&source.cache, &source.part.sentences)?,
            source.device,
        )?;
        let ground = source.ground(&encoder, &mut bar)?;
        let seen = visible_words(&ground.captions, &ground.words);
        let passages = self.passages(books, &seen, &mut bar)?;
        let work = out.join("training");
        std::fs::create_dir_all(&work)
            .with_context(|| format!("cannot create {}", work.display()))?;
        let sentences: Vec<String> = passages.iter().flat_map(|p| p.sentences.clone()).collect();
        let key = models::bundle::sha256(sentences.join("\n").as_bytes());
        let kept = work.join(format!("thoughts-{}", &key[..8]));
        let thoughts =
            caption_thoughts::recall(&sentences, &encoder, &kept, &mut |_, done, of| {
                bar.show("thinking about the passages", done, of);
            })?;
        let run = Run {
            base,
            out,
            settings: self.settings(updates, recipe)?,
            source: &source,
            ground: &ground,
            passages: &passages,
            thoughts: &thoughts,
            is_seen: &|word| seen.contains(word),
        };
        run.train(self, recipe)
    }

    fn source(&self, recipe: &RecipeFlags) -> anyhow::Result<Source> {
        let place = place::Weights {
            bundle: self.bundle.clone(),
            cache: None,
            device: String::new(),
        };
        let bundle = Bundle::open(&place.bundle()?)?;
        let part = bundle.manifest().language_model.clone();
        let part =
            part.context("the bundle has no [language_model]: name another with --bundle")?;
        Ok(Source {
            bundle,
            part,
            cache: place.cache()?,
            device: recipe.device()?,
        })
    }

    /// The passages of all styles, those that are held out last.
    fn passages(
        &self,
        books: &Path,
        seen: &HashSet<String>,
        bar: &mut LoadingBar,
    ) -> anyhow::Result<Vec<Passage>> {
        let take = Take {
            learnt: self.passages,
            measured: self.held_out,
        };
        let mut all =
            passages::gather(books, take, &|word| seen.contains(word), &mut |done, of| {
                bar.show("reading the books", done, of);
            })?;
        all.sort_by_key(|passage| passage.held_out);
        Ok(all)
    }

    fn settings(&self, updates: usize, recipe: &RecipeFlags) -> anyhow::Result<Settings> {
        let rhythm = Rhythm {
            grouping: training::Grouping::Similar,
            updates,
            report_every: 10,
            measure_every: MEASURE_EVERY,
        };
        let chosen = recipe.choose(DEFAULTS, rhythm)?;
        Ok(Settings {
            rank: chosen.dim,
            soft_tokens: self.soft_tokens,
            batch: chosen.batch,
            at_once: self.at_once,
            nearest: self.nearest,
            course: chosen.course,
        })
    }

    /// The adapter to go on from, if there is one.
    fn earlier(&self, source: &Source, base: &Path) -> anyhow::Result<Option<Weights>> {
        if self.from_nothing {
            return Ok(None);
        }
        if let Some(path) = &self.from {
            return Ok(Some(Weights::from_safetensors(path)?));
        }
        let own = fetched(&source.cache, &source.part.base).is_ok_and(|own| own == base);
        let trained = source.part.adapter.as_ref().filter(|_| own);
        let trained = trained.map(|file| source.bundle.weights(file));
        Ok(trained.transpose()?)
    }
}

/// Everything that a training is made of.
struct Run<'a> {
    /// The folder of the model that learns.
    base: &'a Path,
    /// The folder of the bundle that comes of it.
    out: &'a Path,
    settings: Settings,
    source: &'a Source,
    ground: &'a Ground,
    /// Those that are held out last.
    passages: &'a [Passage],
    /// Thoughts of all their sentences.
    thoughts: &'a Tensor,
    is_seen: &'a dyn Fn(&str) -> bool,
}

impl Run<'_> {
    fn train(self, flags: &AdapterFlags, recipe: &RecipeFlags) -> anyhow::Result<()> {
        let tongue = Tongue::of(self.base, &self.ground.words)?;
        let styles = self.styles()?;
        let around = Surroundings {
            words: &tongue.words,
            mean: &self.ground.spread.mean,
            caption: &self.ground.caption,
            captions: &self.ground.caption_thoughts,
            styles: &styles,
            pull: self.source.part.style_pull,
            told: (self.source.part.words_told, self.source.part.words_of_style),
            asking: self.asking(),
        };
        let thoughts = self.thoughts_apart();
        let lessons = self.lessons(false, &thoughts[0], &around, &tongue)?;
        let measured = self.lessons(true, &thoughts[1], &around, &tongue)?;
        let allowed = tongue.allowed([&lessons, &measured]);
        let llama = Llama::open(self.base, (self.kind(recipe), self.source.device))?;
        let earlier = flags.earlier(self.source, self.base)?;
        let (learner, parameters) = self.learner(llama, earlier.as_ref(), &allowed)?;
        let weights = self.out.join("training/adapter.safetensors");
        let keeper = recipe.keeper(&weights)?;
        let at_once = self.settings.at_once;
        let mut progress = TrainingProgress::new(
            &weights,
            Box::new(|_| {
                let found = adapter::held_out(&learner, &measured, at_once).ok()?;
                Some(Measured {
                    value: found.own,
                    numbers: serde_json::json!(found),
                })
            }),
        );
        let course = adapter::Recipe {
            settings: &self.settings,
            lessons: &lessons,
            learner: &learner,
            about: serde_json::json!({"base": self.base.to_string_lossy(), "kind": format!("{:?}", learner.kind())}),
        };
        let overseen = Oversight {
            keeper: Some(&keeper),
            observer: &mut progress,
        };
        let trained = course.run(parameters, overseen);
        progress.finish(&keeper, trained)?;
        let adapter = Weights::from_safetensors(&weights)?;
        self.write(adapter, &tongue, &allowed)
    }

    /// The bundle with the new writer.
    fn write(&self, adapter: Weights, tongue: &Tongue, allowed: &[i64]) -> anyhow::Result<()> {
        let writer = Writer {
            base: self.source.name_of(self.base),
            adapter,
            scale: SCALE,
            words: &tongue.words,
            spread: &self.ground.spread,
            allowed,
        };
        language_bundle::with_writer(&self.source.bundle, self.out, &writer)?;
        tracing::info!(
            "{0} is a bundle: tell with --bundle {0}",
            self.out.display()
        );
        Ok(())
    }

    /// How stories are asked for by the bundle that lends all else: the adapter learns behind the same words.
    fn asking(&self) -> Asking<'_> {
        let part = &self.source.part;
        let styles = self.source.bundle.manifest().styles.iter();
        let manner = |style: &Style| Some((style.name.clone(), style.manner.clone()?));
        Asking {
            prose: part.request.as_deref().map(with_thoughts),
            verse: part.lyrics_request.as_deref().map(with_thoughts),
            manners: styles.filter_map(manner).collect(),
            captions: &self.ground.captions,
        }
    }

    /// Thoughts of the sentences that are learnt from, and of those that are held out.
    fn thoughts_apart(&self) -> [Tensor; 2] {
        let learnt = self.passages.iter().filter(|passage| !passage.held_out);
        let split: usize = learnt.map(|passage| passage.sentences.len()).sum();
        let parts = [split as i64, self.thoughts.size()[0] - split as i64];
        let parts = self.thoughts.split_with_sizes(parts, 0);
        [parts[0].shallow_clone(), parts[1].shallow_clone()]
    }

    fn lessons<'a>(
        &'a self,
        held_out: bool,
        thoughts: &'a Tensor,
        around: &'a Surroundings,
        tongue: &'a Tongue,
    ) -> anyhow::Result<Lessons<'a>> {
        let passages = self.passages.iter();
        let own: Vec<&Passage> = passages
            .filter(|passage| passage.held_out == held_out)
            .collect();
        let reading = Reading {
            pieces: &tongue.pieces,
            end: tongue.end,
            is_seen: self.is_seen,
            device: self.source.device,
            share: if held_out { 1.0 } else { self.settings.nearest },
        };
        Ok(Lessons::new(&own, thoughts, around, &reading)?)
    }

    /// What the published weights are computed in.
    fn kind(&self, recipe: &RecipeFlags) -> Kind {
        recipe.precision().unwrap_or_else(|| {
            let found = precision::quicker(self.source.device);
            tracing::info!(
                "bfloat16 is {:.1} times as quick as 32-bit floats here: computing in {:?}",
                found.gain,
                found.kind
            );
            found.kind
        })
    }

    /// The network with what learns beside it, as it was left or from nothing.
    fn learner(
        &self,
        llama: Llama,
        earlier: Option<&Weights>,
        allowed: &[i64],
    ) -> anyhow::Result<(Learner, Parameters)> {
        let (size, device) = (self.thoughts.size()[1], self.source.device);
        let parameters = match earlier {
            Some(earlier) => adapter::resumed(&llama, earlier, size)?,
            None => adapter::initial(&llama, &self.settings, size),
        };
        let parameters = parameters.to_device(device);
        let spread = self.ground.spread.to_device(device);
        let learner = Learner::new(llama, &parameters, &spread, allowed)?;
        Ok((learner, parameters))
    }

    /// A style's direction from the mean: the bundle's where it has it, else that of the books' own passages.
    fn styles(&self) -> anyhow::Result<BTreeMap<String, Tensor>> {
        let mean = &self.ground.spread.mean;
        let known = self.source.bundle.styles(mean.size()[0], Device::Cpu)?;
        let mut first = 0i64;
        let mut sums: BTreeMap<String, (Tensor, i64)> = BTreeMap::new();
        for passage in self.passages {
            let count = passage.sentences.len() as i64;
            if let Some(style) = &passage.style {
                let own = self.thoughts.narrow(0, first, count);
                let own = own.sum_dim_intlist(0i64, false, Kind::Float);
                let sum = sums
                    .entry(style.clone())
                    .or_insert_with(|| (mean.zeros_like(), 0));
                *sum = (&sum.0 + own, sum.1 + count);
            }
            first += count;
        }
        let direction = |(name, (sum, count)): (String, (Tensor, i64))| {
            if known.contains(&name) {
                let mix = known.mix(&[(name.clone(), 1.0)], 1.0)?;
                return Ok((name, known.direction(&mix, mean)));
            }
            tracing::info!(
                "`{name}` is no style of the bundle: its direction is that of its books"
            );
            let apart = sum / count as f64 - mean;
            let length = apart.square().sum(Kind::Float).sqrt();
            Ok((name, apart / length))
        };
        sums.into_iter().map(direction).collect()
    }
}
