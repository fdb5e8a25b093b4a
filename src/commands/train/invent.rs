//! `storyteller train invent-captions`: a gallery in its own words from captions that people wrote.
//! What comes out is plain text: read some of it before it becomes a gallery.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use training::caption_model::{CaptionModel, coverage};

use crate::commands::progress::LoadingBar;

/// Content words in fewer captions than this are not asked for when coverage is told.
const LEAST_USES: u32 = 5;

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
}

impl InventCaptions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut text = String::new();
        for path in &self.captions {
            text += &std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            text.push('\n');
        }
        let model = CaptionModel::read(text.lines());
        if model.is_empty() {
            bail!("there are no captions of 5 to 20 plain English words in what you named");
        }
        let mut bar = LoadingBar::new();
        let invented = model.invent(self.count, self.seed, &mut |done| {
            bar.show("inventing captions", done, self.count);
        });
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
}
