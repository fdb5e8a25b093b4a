//! Follows a training for the person who started it: a bar with loss, words a second and what is left, one JSON line a
//! report on standard output and in `OUT.log.jsonl`, the loss curve as `OUT.svg`, and Ctrl-C, which keeps a checkpoint.
//! After a crash the log holds what the checkpoint knows and no more: it reads as if nothing had happened.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use models::Weights;
use models::tensors::weights::Form;
use serde_json::Value;
use tch::Kind;
use training::course::Progress;
use training::{Keeper, Measured, Observer, Parameters, Standing};

use crate::commands::train::curve;
use crate::commands::train::recipe::beside;

/// What measures, given the parameters so far.
pub(super) type Measure<'a> = Box<dyn FnMut(&Parameters) -> Option<Measured> + 'a>;

/// The follower of one training.
pub(super) struct TrainingProgress<'a> {
    bar: ProgressBar,
    begun: Instant,
    out: PathBuf,
    lines: Vec<Value>,
    measure: Measure<'a>,
    stop: Arc<AtomicBool>,
}

impl<'a> TrainingProgress<'a> {
    /// Follows the training of what will be saved as `out`.
    pub(super) fn new(out: &Path, measure: Measure<'a>) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed} eta {eta}")
            .expect("the template above is a valid one");
        let stop = Arc::new(AtomicBool::new(false));
        listen(stop.clone());
        TrainingProgress {
            bar: ProgressBar::new(1).with_style(style),
            begun: Instant::now(),
            out: out.to_owned(),
            lines: Vec::new(),
            measure,
            stop,
        }
    }

    /// Saves the weights that a training ended with; the checkpoint has done its work.
    pub(super) fn finish(
        self,
        keeper: &Keeper,
        trained: models::Result<Weights>,
    ) -> anyhow::Result<()> {
        self.finish_as(keeper, trained, Form::Numbers(Kind::Float))
    }

    /// As [`TrainingProgress::finish`], in another form than as 32-bit floats.
    pub(super) fn finish_as(
        self,
        keeper: &Keeper,
        trained: models::Result<Weights>,
        form: Form,
    ) -> anyhow::Result<()> {
        let trained = match trained {
            Err(models::Error::Cancelled) => anyhow::bail!(
                "stopped; {} holds all there is: the same command goes on from there",
                keeper.path.display()
            ),
            trained => trained?,
        };
        trained.save_as(&self.out, |_| form)?;
        keeper.forget()?;
        self.bar.finish();
        Ok(())
    }

    fn log(&self) -> PathBuf {
        beside(&self.out, "log.jsonl")
    }

    /// Keeps of an old log what a checkpoint after `update` updates knows; the rest was lost with the crash.
    fn keep_log(&mut self, update: usize) -> anyhow::Result<()> {
        let path = self.log();
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        self.lines = old
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| {
                let at = line["progress"]["update"].as_u64();
                at.is_some_and(|at| at as usize <= update)
            })
            .collect();
        let kept: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, kept).with_context(|| format!("cannot write {}", path.display()))
    }

    fn add(&mut self, line: Value) -> anyhow::Result<()> {
        writeln!(std::io::stdout(), "{line}")?;
        let mut log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(self.log())?;
        writeln!(log, "{line}")?;
        self.lines.push(line);
        std::fs::write(beside(&self.out, "svg"), curve::draw(&self.lines))?;
        Ok(())
    }
}

impl Observer for TrainingProgress<'_> {
    fn begins(&mut self, at: &Standing) {
        if let Err(error) = self.keep_log(at.update) {
            tracing::warn!("the log of the training: {error:#}");
        }
        if at.update > 0 {
            tracing::info!("going on after update {}", at.update);
        }
    }

    fn report(&mut self, progress: &Progress, measured: Option<&Measured>) {
        self.bar.set_length(progress.of as u64);
        self.bar.set_position(progress.update as u64);
        self.bar.set_message(format!(
            "loss {:.3}, {:.0} words/s",
            progress.loss, progress.rate
        ));
        let mut line =
            serde_json::json!({"progress": progress, "seconds": self.begun.elapsed().as_secs()});
        if let Some(measured) = measured {
            line["measured"] = serde_json::json!(measured);
        }
        // a full disk or a closed pipe must not end hours of training
        if let Err(error) = self.add(line) {
            tracing::warn!("the log of the training: {error:#}");
        }
    }

    fn measure(&mut self, parameters: &Parameters) -> Option<Measured> {
        (self.measure)(parameters)
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Sets `stop` at the first Ctrl-C; the second ends the process at once.
fn listen(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // without a runtime Ctrl-C ends the process as it always does; checkpoints are there all the same
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if stop.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                tracing::warn!("stopping after this update; Ctrl-C again ends at once");
            }
        });
    });
}
