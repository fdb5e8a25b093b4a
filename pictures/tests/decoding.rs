//! Files as cameras, editors and broken connections make them, decoded by the one decoder.
//! The files are made here with encoders that the decoder does not share.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use pictures::{Caps, decode};

const WIDTH: u16 = 61;
const HEIGHT: u16 = 43;
const SAMPLINGS: [SamplingFactor; 6] = [
    SamplingFactor::F_1_1,
    SamplingFactor::F_2_1,
    SamplingFactor::F_1_2,
    SamplingFactor::F_2_2,
    SamplingFactor::F_4_1,
    SamplingFactor::F_1_4,
];

/// Colours that change slowly, so that no sampling loses much of them.
fn picture() -> RgbImage {
    RgbImage::from_fn(WIDTH.into(), HEIGHT.into(), |x, y| {
        Rgb([(x * 4) as u8, (y * 3) as u8, (255 - x * 2 - y) as u8])
    })
}

fn jpeg(sampling: SamplingFactor, adjust: impl Fn(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 92);
    encoder.set_sampling_factor(sampling);
    adjust(&mut encoder);
    encoder
        .encode(&picture(), WIDTH, HEIGHT, ColorType::Rgb)
        .unwrap();
    bytes
}

fn seen(bytes: &[u8]) -> RgbImage {
    decode(bytes, &Caps::default()).unwrap().image.into_rgb8()
}

fn apart(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let pairs = one.as_raw().iter().zip(other.as_raw());
    pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.as_raw().len() as f64
}

#[test]
fn every_sampling_and_order_of_scans_shows_the_same_picture() {
    for sampling in SAMPLINGS {
        // optimized tables make this encoder write one scan for each component
        for (name, bytes) in [
            ("one scan", jpeg(sampling, |_| {})),
            (
                "a scan a component",
                jpeg(sampling, |e| e.set_optimized_huffman_tables(true)),
            ),
            ("progressive", jpeg(sampling, |e| e.set_progressive(true))),
            ("restarts", jpeg(sampling, |e| e.set_restart_interval(3))),
        ] {
            let apart = apart(&seen(&bytes), &picture());
            assert!(apart < 4.0, "{sampling:?}, {name}: {apart}");
        }
    }
}

#[test]
fn half_a_jpeg_is_refused_even_with_an_end_mark_and_a_whole_one_is_taken_without() {
    // scans that are missing as a whole only make a progressive one coarser
    for progressive in [false, true] {
        let whole = jpeg(SamplingFactor::F_2_2, |e| e.set_progressive(progressive));
        let unmarked = &whole[..whole.len() - 2];
        assert_eq!(seen(unmarked), seen(&whole));
        for tenths in if progressive { 0..0 } else { 6..10 } {
            let half = [&whole[..whole.len() * tenths / 10], &[0xff, 0xd9]].concat();
            let error = decode(&half, &Caps::default()).unwrap_err().to_string();
            assert!(error.contains("ends in the middle"), "{tenths}: {error}");
        }
    }
}

#[test]
fn end_marks_may_be_missing_where_nothing_else_is() {
    for (format, mark) in [(ImageFormat::Png, 12), (ImageFormat::Gif, 1)] {
        let mut bytes = Vec::new();
        DynamicImage::from(picture())
            .write_to(&mut Cursor::new(&mut bytes), format)
            .unwrap();
        let unmarked = &bytes[..bytes.len() - mark];
        assert_eq!(seen(unmarked), seen(&bytes), "{format:?}");
    }
}

#[test]
fn four_inks_become_the_colours_that_people_see() {
    // half of cyan and a quarter of black
    let inks: Vec<u8> = [128u8, 0, 0, 64].repeat(64);
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 95)
            .encode(&inks, 8, 8, color)
            .unwrap();
        let &Rgb([red, green, blue]) = seen(&bytes).get_pixel(3, 3);
        for (found, right) in [(red, 95u8), (green, 191), (blue, 191)] {
            assert!(found.abs_diff(right) < 4, "{color:?}: {red} {green} {blue}");
        }
    }
}

#[test]
fn kinds_of_jpeg_that_are_not_read_are_named() {
    let plain = jpeg(SamplingFactor::F_1_1, |_| {});
    let frame = plain
        .windows(2)
        .position(|two| two == [0xff, 0xc0])
        .unwrap();
    for (marker, name) in [(0xc9, "arithmetic"), (0xc5, "hierarchical")] {
        let mut other = plain.clone();
        other[frame + 1] = marker;
        let error = decode(&other, &Caps::default()).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
}
