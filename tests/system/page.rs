//! The page in a real browser, with a camera that shows a turning disc, on a service whose engine is scripted.
//! `reading` is one person with one story, `sheet` fifty pictures at once, `lines` bad connections. Every test ends with a
//! browser that complained of nothing.

mod browser;
mod lines;
mod reading;
mod sheet;

use std::path::PathBuf;

/// A photo of the fixtures, as a file.
fn photo(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("tests/fixtures/photos").join(name)
}
