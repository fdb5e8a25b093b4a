//! Files that are small and claim, or unpack to, very much: each is answered within seconds and without the memory it asks for.
//! One test in a program of its own, because memory is measured for the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use pictures::{Caps, Refusal, Turning, take_in};
use testkit::photos;

/// What a decoder may take for the largest picture, and some for the test itself.
const MOST_MEMORY: u64 = 640 << 20;
/// A picture of the largest size takes a second; this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most memory that this process has had so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

/// Each with its name, and what is to become of it.
fn bombs(inflating: Vec<u8>) -> [(&'static str, Vec<u8>, &'static str); 11] {
    [
        (
            "a PNG's claim",
            photos::boastful_png(60_000, 60_000),
            "too large",
        ),
        (
            "a JPEG's claim",
            photos::boastful_jpeg(65_500, 65_500),
            "too large",
        ),
        (
            "a GIF's claim",
            photos::boastful_gif(65_535, 65_535),
            "too large",
        ),
        (
            "a WebP's claim",
            photos::boastful_webp(16_384, 16_384),
            "too large",
        ),
        // within what is taken, and next to nothing behind it
        (
            "a PNG's promise",
            photos::boastful_png(7000, 7000),
            "unreadable",
        ),
        (
            "a WebP's promise",
            photos::boastful_webp(7000, 7000),
            "unreadable",
        ),
        ("a GIF's promise", photos::boastful_gif(7000, 7000), "any"),
        ("a JPEG's promise", photos::boastful_jpeg(7000, 7000), "any"),
        ("data that inflate", inflating, "any"),
        (
            "a GIF of many frames",
            photos::gif_of_frames(100_000),
            "animated",
        ),
        (
            "a JPEG of many scans",
            photos::jpeg_of_scans(5000),
            "unreadable",
        ),
    ]
}

#[tokio::test]
async fn no_file_gets_more_memory_or_time_than_a_picture_of_the_largest_size() {
    let inflating = photos::inflating_png(6000);
    assert!(inflating.len() < 1 << 20, "{}", inflating.len());
    let before = peak();
    for (name, bytes, expected) in bombs(inflating) {
        let begun = Instant::now();
        let taken = take_in(bytes.into(), Turning::Upright, Caps::default()).await;
        let took = begun.elapsed();
        let became = match &taken {
            Ok(_) => "taken",
            Err(Refusal::TooLarge(_)) => "too large",
            Err(Refusal::Unreadable(_)) => "unreadable",
            Err(Refusal::Animated) => "animated",
        };
        assert!(expected == "any" || became == expected, "{name}: {taken:?}");
        assert!(took < PATIENCE, "{name} took {took:?}");
        let grown = peak() - before;
        assert!(grown < MOST_MEMORY, "{name} brought it to {grown} bytes");
    }
    let scans = take_in(
        photos::jpeg_of_scans(101).into(),
        Turning::Upright,
        Caps::default(),
    )
    .await;
    assert!(scans.unwrap_err().to_string().contains("scans"));
}
