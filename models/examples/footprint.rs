//! How much memory and time a bundle takes: `footprint BUNDLE CACHE` opens it and tells two stories; with a third word,
//! `original`, a bundle of random numbers as large as the published models is written to BUNDLE first (8 GB).
#![allow(
    clippy::print_stdout,
    reason = "a report on standard output is all it is for"
)]

use models::bundle::fixture::{Sizes, write_bundle_of};
use models::pipeline::options::Options;
use models::pipeline::storyteller::{NoWatcher, Request};
use models::{Error, Picture, Result, Storyteller};
use std::path::PathBuf;
use std::time::Instant;
use tch::Device;

fn main() -> Result<()> {
    models::tensors::device::keep_large_blocks();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [bundle, cache, ..] = words.as_slice() else {
        return Err(Error::format("the command line", "BUNDLE CACHE [original]"));
    };
    let (bundle, cache) = (PathBuf::from(bundle), PathBuf::from(cache));
    if words.get(2).is_some_and(|size| size == "original") {
        let begun = Instant::now();
        write_bundle_of(&bundle, 1, &Sizes::original())?;
        println!("written in {:.0} s", begun.elapsed().as_secs_f64());
    }
    let begun = Instant::now();
    let teller = Storyteller::open(&bundle, &cache, Device::Cpu, &mut |_, _, _| {})?;
    report("opened", begun);
    let picture = Picture {
        width: 320,
        height: 256,
        rgb: (0..320 * 256 * 3u32).map(|n| (n * 7 % 251) as u8).collect(),
    };
    for _ in 0..2 {
        let options = Options::default();
        let request = Request {
            picture: &picture,
            options,
        };
        let begun = Instant::now();
        let told = teller.tell(&[request], &mut NoWatcher);
        report("told", begun);
        println!("  {:?}", told.timings);
    }
    Ok(())
}

/// Prints the time and what the system says of this process.
fn report(what: &str, begun: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kilobytes.unwrap_or(0) / 1024
    };
    println!(
        "{what} in {:.2} s; MiB resident {} (own {}, of files {}), at most so far {}",
        begun.elapsed().as_secs_f64(),
        field("VmRSS:"),
        field("RssAnon:"),
        field("RssFile:"),
        field("VmHWM:")
    );
}
