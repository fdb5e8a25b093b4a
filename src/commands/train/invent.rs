//! `storyteller train invent-captions`: a gallery in its own words from captions that people wrote.
//! What comes out is plain text: read some of it before it becomes a gallery.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use training::caption_model::{Asking, CaptionModel, coverage};
use training::caption_writer::CaptionWriter;

use crate::commands::progress::LoadingBar;
use crate::commands::train::captioner;

/// Content words in fewer captions than this are not asked for when coverage is told.
const LEAST_USES: u32 = 5;
/// Requests that are written before the gallery is looked at again.
const ROUND: usize = 1024;

/// Writes captions that nobody wrote.
#[derive(Args, Debug)]
pub(crate) struct InventCaptions {
    /// Text files with one caption a line.
    #[arg(required = true)]
    captions: Vec<PathBuf>,
    /// The gallery to be written, one caption a line.
    #[arg(long)]
    out: PathBuf,
    /// How many captions.
    #[arg(long, default_value_t = 40_000)]
    count: usize,
    /// The same seed invents the same captions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    writing: Writing,
}

/// With a language model instead of runs of words.
#[derive(Args, Debug)]
#[command(next_help_heading = "With a language model")]
struct Writing {
    /// Weights of `train caption-writer`: that language model writes some of the captions, and judges all.
    #[arg(long, requires = "base", value_name = "FILE")]
    writer: Option<PathBuf>,
    /// The language model they were trained for.
    #[arg(long, requires = "writer", value_name = "FILE")]
    base: Option<PathBuf>,
    /// Words or names that it writes captions of, one a line.
    #[arg(long, requires = "writer", value_name = "FILE")]
    names: Option<PathBuf>,
    /// Captions for each of these names.
    #[arg(long, requires = "names", default_value_t = 4)]
    each: usize,
    /// How many captions it writes for words that people used together.
    #[arg(long, requires = "writer", default_value_t = 10_000)]
    written: usize,
    /// How many captions of runs of words it chooses from, for each that is wanted.
    #[arg(long, requires = "writer", default_value_t = 2.5)]
    drafts: f64,
    /// Where to compute: cpu, cuda, cuda:N, or auto for a GPU if there is one.
    #[arg(long, requires = "writer", default_value = "auto")]
    device: String,
}

impl InventCaptions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let text = captioner::read(&self.captions)?;
        let model = captioner::counted(&text)?;
        let mut bar = LoadingBar::new();
        let mut show = |what: &str, done, of| bar.show(what, done, of);
        let invented = match (&self.writing.writer, &self.writing.base) {
            (Some(writer), Some(base)) => {
                let device = models::tensors::device::choose(&self.writing.device)?;
                tch::set_num_threads(
                    std::thread::available_parallelism().map_or(1, usize::from) as i32
                );
                let writer = captioner::open(writer, base, &model, device)?;
                self.judged(&model, &writer, &mut show)?
            }
            _ => model.invent(self.count, self.seed, &mut |done| {
                show("inventing captions", done, self.count);
            }),
        };
        let share = coverage(&invented, text.lines(), LEAST_USES);
        std::fs::write(&self.out, invented.join("\n") + "\n")
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        writeln!(
            std::io::stdout(),
            "{} captions from {}; they have {:.1} % of the words in use there",
            invented.len(),
            model.len(),
            100.0 * share
        )?;
        Ok(())
    }

    /// Captions of a language model, those of the names first, and captions of runs of words; what makes least sense to the
    /// model is left out until there are as many as wanted.
    fn judged(
        &self,
        model: &CaptionModel,
        writer: &CaptionWriter,
        show: &mut dyn FnMut(&str, usize, usize),
    ) -> anyhow::Result<Vec<String>> {
        tch::manual_seed(self.seed as i64);
        let mut asking = Asking::new(model, self.count, self.seed);
        let mut requests = self.names()?;
        let mut drafts = Vec::new();
        let of = requests.len() + self.writing.written;
        for done in (0..of).step_by(ROUND) {
            show("writing captions", done, of);
            let mut round = requests.split_off(requests.len().saturating_sub(ROUND));
            let others = ROUND.min(of - done) - round.len();
            round.extend((0..others).map(|_| asking.ask()));
            let written = writer.write(&round)?.into_iter().flatten();
            drafts.extend(written.filter(|text| asking.take(text)));
        }
        let count = (self.writing.drafts * self.count as f64) as usize;
        let invented = model.invent(count, self.seed, &mut |done| {
            show("inventing captions", done, count);
        });
        drafts.extend(invented.into_iter().filter(|text| asking.take(text)));
        let mut sense = Vec::with_capacity(drafts.len());
        for part in drafts.chunks(ROUND) {
            show("judging captions", sense.len(), drafts.len());
            sense.extend(writer.sense(part)?);
        }
        let mut order: Vec<usize> = (0..drafts.len()).collect();
        order.sort_by(|&a, &b| sense[b].total_cmp(&sense[a]));
        order.truncate(self.count);
        order.sort_unstable();
        Ok(order
            .into_iter()
            .map(|place| drafts[place].clone())
            .collect())
    }

    /// Requests for the names, each as often as asked.
    fn names(&self) -> anyhow::Result<Vec<Vec<String>>> {
        let Some(path) = &self.writing.names else {
            return Ok(Vec::new());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        Ok(names
            .flat_map(|name| std::iter::repeat_n(vec![name.to_lowercase()], self.writing.each))
            .collect())
    }
}
