//! Copies both word tables into one safetensors file, a block of rows at a time.
//! What must stay true: memory does not grow with the tables, whichever form they have.

use std::path::Path;

use tch::Kind;

use super::Progress;
use crate::formats::Table;
use crate::reader::{Original, Part};
use models::tensors::matrix::Writer;
use models::{Error, Result};

/// So many numbers are in memory at once: 40 MB.
const BLOCK_NUMBERS: usize = 10 << 20;

/// What the tables must be like, and how their numbers are stored.
pub(super) struct Wanted {
    /// How many words there are: a row for each.
    pub(super) words: usize,
    /// The numbers of a row of `utable` and of `btable`: what the encoders read.
    pub(super) sizes: [i64; 2],
    /// Half or whole floats.
    pub(super) kind: Kind,
}

/// Writes `utable` and `btable`.
///
/// # Errors
/// When a table is missing, broken, or does not fit the words or the encoders.
pub(super) fn write(
    original: &Original,
    to: &Path,
    wanted: &Wanted,
    progress: Progress,
) -> Result<()> {
    let mut tables = Vec::new();
    for (part, size) in [Part::UniTable, Part::BiTable]
        .into_iter()
        .zip(wanted.sizes)
    {
        let file = original.path(part)?;
        let what = format!(
            "looking through {}",
            file.file_name().unwrap_or_default().display()
        );
        let table = Table::open(&file, &mut |done, of| {
            progress(&what, done >> 20, (of >> 20).max(1));
        })?;
        let (found, needed) = (
            [table.count(), table.width()],
            [wanted.words, size as usize],
        );
        if found != needed {
            let names = original.path(Part::Words)?;
            let reason = format!(
                "it has shape {found:?}, but {needed:?} is needed: a row for each line of {}, as wide as the encoder reads",
                names.display()
            );
            return Err(Error::format(file.display().to_string(), reason));
        }
        tables.push(table);
    }
    let spec = |name, table: &Table| {
        (
            name,
            [table.count() as i64, table.width() as i64],
            wanted.kind,
        )
    };
    let mut writer = Writer::create(
        to,
        &[spec("utable", &tables[0]), spec("btable", &tables[1])],
    )?;
    let of: usize = tables.iter().map(Table::count).sum();
    let mut done = 0;
    for table in &tables {
        let block = (BLOCK_NUMBERS / table.width().max(1)).max(1);
        for first in (0..table.count()).step_by(block) {
            progress("copying word vectors", done + first, of);
            writer.append(&table.block(first, block)?)?;
        }
        done += table.count();
    }
    progress("copying word vectors", of, of);
    writer.finish()
}
