//! `convert-weights FILE.pth FILE.safetensors`: the fetched image encoder as arrays that a worker maps.
//! Building the worker's container runs it; elsewhere the program converts by itself.

use std::path::PathBuf;

use models::{Error, Result};

fn main() -> Result<()> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match files.as_slice() {
        [from, to] => originals::fetched::convert(from, to),
        _ => Err(Error::format(
            "the command line",
            "give FILE.pth FILE.safetensors",
        )),
    }
}
