//! `storyteller bench`: what a story costs on this machine, and how near that is to what the machine can do.
//!
//! Processor seconds are what counts, since they hardly depend on who else is busy; wall time stands beside them. The
//! machine's own limits (matrix products, copying) are measured in the same run. `--compare` holds a run against an earlier
//! one and says what became slower.

mod ceilings;
mod clock;
mod report;

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, ensure};
use clap::Args;
use jobs::Compat;
use models::bundle::fixture::{Sizes, write_bundle_of};
use models::pipeline::options::{Mode, Options};
use models::pipeline::storyteller::{Request, Stage, Watcher};
use models::{Picture, Storyteller};

use crate::commands::place::Weights;
use crate::commands::tell::{open, read_picture};
use clock::Clock;
use report::{Report, Row};

/// Measures stories, and the machine that tells them.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// The pictures to tell about.
    #[arg(default_value = "tests/fixtures/photos/dogs.jpg", value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Stories told at once, one measurement each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    batch: Vec<usize>,
    /// Threads of a matrix product, one measurement each; 0: as many as there are processors.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 0])]
    threads: Vec<i32>,
    /// The best of so many.
    #[arg(long, default_value_t = 2)]
    repeat: usize,
    /// So many busy processes beside the measurement.
    #[arg(long, default_value_t = 0)]
    beside: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Also write the JSON object here.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Draw the processor seconds here, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// A file that --keep wrote: print how many times the processor seconds of then these are; exit code 1 if any row became
    /// slower by more than 10 %.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Tell strict stories with a bundle of random numbers as large as the original's, which is made in the cache (2 GB).
    #[arg(long, conflicts_with = "bundle")]
    paper: bool,
    /// Keep a processor busy until killed: what --beside starts.
    #[arg(long, hide = true)]
    busy: bool,
    #[command(flatten)]
    weights: Weights,
}

impl Bench {
    /// Measures and prints.
    ///
    /// # Errors
    /// When a picture or the bundle cannot be opened, a story fails, or a file cannot be read or written.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if self.busy {
            loop {
                std::hint::spin_loop();
            }
        }
        let pictures = self
            .photos
            .iter()
            .map(|path| read_picture(path, Compat::Modern))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let weights = self.weights()?;
        let clock = Clock::start();
        let mut storyteller = open(&weights)?;
        // what a story of a new picture costs, however often one is told
        storyteller.keep_looks(0);
        let opened = clock.row("open the bundle", 1);
        let mut report = Report::new(ceilings::measure(&self.weights.device)?);
        report.rows.push(opened);
        let _busy = Busy::start(self.beside)?;
        for &threads in &self.threads {
            tch::set_num_threads(match threads {
                0 => std::thread::available_parallelism()?.get() as i32,
                some => some,
            });
            for &batch in &self.batch {
                ensure!(batch > 0, "--batch 0 tells nothing");
                let row = self.best(&storyteller, &pictures, batch, threads)?;
                report.rows.push(row);
            }
        }
        self.tell(&report)
    }

    /// What is measured: as asked, or the bundle of --paper, which is made if it is not there.
    fn weights(&self) -> anyhow::Result<Weights> {
        if !self.paper {
            return Ok(self.weights.clone());
        }
        let folder = self.weights.cache()?.join("bench/paper");
        if !folder.join("bundle.toml").is_file() {
            tracing::info!("making {} once", folder.display());
            // its bundle.toml is written last
            write_bundle_of(&folder, 1, &Sizes::paper())?;
        }
        Ok(Weights {
            bundle: Some(folder),
            ..self.weights.clone()
        })
    }

    /// How stories are asked for.
    fn options(&self) -> Options {
        if !self.paper {
            return Options::default();
        }
        Options {
            strict: true,
            mode: Mode::Beam,
            ..Options::default()
        }
    }

    /// The cheapest of some runs: what others do can only add to it.
    fn best(
        &self,
        storyteller: &Storyteller,
        pictures: &[Picture],
        batch: usize,
        threads: i32,
    ) -> anyhow::Result<Row> {
        let beside = match self.beside {
            0 => String::new(),
            some => format!(", {some} busy beside"),
        };
        let threads = match threads {
            0 => "all threads".to_owned(),
            1 => "1 thread".to_owned(),
            some => format!("{some} threads"),
        };
        let name = format!("{batch} at once, {threads}{beside}");
        let mut best: Option<Row> = None;
        for _ in 0..self.repeat.max(1) {
            let requests: Vec<Request> = (0..batch)
                .map(|place| Request {
                    picture: &pictures[place % pictures.len()],
                    options: self.options(),
                })
                .collect();
            let clock = Clock::start();
            let mut ear = Ear {
                clock: &clock,
                first: None,
                tokens: 0,
            };
            let told = storyteller.tell(&requests, &mut ear);
            let (first, tokens) = (ear.first, ear.tokens);
            let mut row = clock.row(&name, batch);
            row.first_sentence = first;
            row.tokens = Some(tokens);
            row.stages = told
                .timings
                .named()
                .iter()
                .map(|&(stage, seconds)| (stage.to_owned(), seconds))
                .collect();
            for story in told.stories {
                story.context("a story that was to be measured was not told")?;
            }
            if best.as_ref().is_none_or(|best| row.cpu < best.cpu) {
                best = Some(row);
            }
        }
        best.context("--repeat is at least 1")
    }

    fn tell(&self, report: &Report) -> anyhow::Result<ExitCode> {
        let object = serde_json::to_string_pretty(report)?;
        if let Some(path) = &self.keep {
            std::fs::write(path, &object)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        if let Some(path) = &self.svg {
            std::fs::write(path, report.drawn())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let before = self.compare.as_ref().map(|path| {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str::<Report>(&text)
                .with_context(|| format!("{} was not written by --keep", path.display()))
        });
        let before = before.transpose()?;
        let slower = report.print(self.json.then_some(&object), before.as_ref())?;
        Ok(if slower {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// Notes when the first sentence stands and how many tokens are written.
struct Ear<'a> {
    clock: &'a Clock,
    first: Option<f64>,
    tokens: usize,
}

impl Watcher for Ear<'_> {
    fn stage(&mut self, _item: usize, stage: Stage, _done: usize, _of: usize) {
        self.tokens += usize::from(stage == Stage::Writing);
    }
    fn sentence(&mut self, _item: usize, _index: usize, _text: &str) {
        self.first.get_or_insert(self.clock.wall());
    }
    fn cancelled(&mut self, _item: usize) -> bool {
        false
    }
}

/// Busy processes, which end with this.
struct Busy(Vec<Child>);

impl Busy {
    fn start(count: usize) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let mut busy = Self(Vec::new());
        for _ in 0..count {
            let child = Command::new(&program)
                .args(["bench", "--busy"])
                .stdin(Stdio::null())
                .spawn()
                .context("cannot start a busy process")?;
            busy.0.push(child);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // one that is gone already cannot be killed, and need not be
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
