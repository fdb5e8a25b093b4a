//! The page in a real browser, with a camera that shows a turning disc, on a service whose engine is scripted.
//! `reading` is one person with one story, `taking` what goes in and out, `accounts` one who logs in, `sheet` fifty pictures at once, `shelves` gallery and own
//! stories, `camera`, `booth` and `wall` an event, `lines` bad connections, `eyes` everybody who looks or listens in another way,
//! `views` every view on every screen. Every test ends with a browser
//! that complained of nothing.

mod accounts;
mod booth;
mod browser;
mod camera;
mod eyes;
mod lines;
mod reading;
mod sheet;
mod shelves;
mod taking;
mod teller;
mod views;
mod wall;

use std::path::PathBuf;

/// A photo of the fixtures, as a file.
fn photo(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("tests/fixtures/photos").join(name)
}
