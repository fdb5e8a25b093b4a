//! Pictures as people and attackers send them: good ones stay, turned ones are turned, bad ones are explained.
//! The files are made here, byte by byte where no encoder would write them.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::{Caps, Turn, check, look, take_in};
use crate::error::Refusal;

const FORMATS: [ImageFormat; 4] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Gif,
];
/// An EXIF block in big-endian order that says only: turn 90° clockwise to see it upright.
const TURNED: [u8; 26] = [
    b'M', b'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0,
];

/// Red on the left, blue on the right.
fn picture() -> DynamicImage {
    RgbImage::from_fn(48, 32, |x, _| {
        if x < 24 {
            Rgb([200, 30, 30])
        } else {
            Rgb([30, 30, 200])
        }
    })
    .into()
}

fn file(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture()
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

fn jpeg_with(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let plain = file(ImageFormat::Jpeg);
    let mut bytes = plain[..2].to_vec();
    for (marker, body) in segments {
        bytes.extend([0xff, *marker]);
        bytes.extend(u16::try_from(body.len() + 2).unwrap().to_be_bytes());
        bytes.extend(*body);
    }
    bytes.extend(&plain[2..]);
    bytes
}

fn png_chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = !0u32;
    for byte in kind.iter().chain(body) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], kind, body, &(!crc).to_be_bytes()].concat()
}

/// A PNG with chunks between its header and its pixels.
fn png_with(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let plain = file(ImageFormat::Png);
    let mut bytes = plain[..33].to_vec();
    chunks
        .iter()
        .for_each(|(kind, body)| bytes.extend(png_chunk(kind, body)));
    bytes.extend(&plain[33..]);
    bytes
}

fn kept(bytes: Vec<u8>) -> super::TakenIn {
    check(&bytes.into(), &Caps::default(), Turn::Upright).unwrap()
}

fn refused(bytes: Vec<u8>) -> Refusal {
    check(&bytes.into(), &Caps::default(), Turn::Upright).unwrap_err()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_good_picture_keeps_its_pixels() {
    for format in FORMATS {
        let bytes = file(format);
        let taken = kept(bytes.clone());
        assert_eq!(
            (taken.media_type, taken.width, taken.height),
            (format.to_mime_type(), 48, 32)
        );
        let pixels = |bytes: &[u8]| {
            image::load_from_memory_with_format(bytes, format)
                .unwrap()
                .to_rgba8()
        };
        assert_eq!(pixels(&taken.bytes), pixels(&bytes), "{format:?}");
        assert_eq!(
            kept(taken.bytes.to_vec()).sha256,
            taken.sha256,
            "{format:?} is not stable"
        );
    }
}

#[test]
fn a_truncated_picture_is_refused_wherever_it_ends() {
    for format in FORMATS {
        let bytes = file(format);
        for length in [bytes.len() - 1, bytes.len() * 3 / 4, bytes.len() / 2, 14, 8] {
            let error = refused(bytes[..length].to_vec());
            assert!(
                matches!(error, Refusal::Unreadable(_)),
                "{format:?} at {length}: {error}"
            );
        }
    }
}

#[test]
fn a_file_that_is_no_picture_is_named() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"Once upon a time there was a file named .jpg.", "text"),
        (b"%PDF-1.7 \xff\xfe", "PDF"),
        (b"\0\0\0\x1cftypheic\xff\xff", "HEIC"),
        (b"\xff\xd8\xff\xd9", "no pixels"),
        (b"\x01\x02\xff\xfe\xfd", "something else"),
    ] {
        let error = refused(bytes.to_vec());
        assert!(matches!(error, Refusal::Unreadable(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_claim_of_60000_by_60000_pixels_costs_nothing() {
    let mut bytes = file(ImageFormat::Png);
    let size = [60000u32.to_be_bytes(), 60000u32.to_be_bytes()].concat();
    let header = png_chunk(b"IHDR", &[&size, &bytes[24..29]].concat());
    bytes.splice(8..33, header);
    let error = refused(bytes);
    assert!(matches!(error, Refusal::TooLarge(_)), "{error}");
    assert!(error.to_string().contains("60000×60000"), "{error}");
}

#[test]
fn the_caps_are_on_bytes_pixels_and_aspect() {
    let bytes = file(ImageFormat::Png);
    let caps = Caps::default();
    for caps in [
        Caps {
            bytes: 10,
            ..caps.clone()
        },
        Caps {
            pixels: 1000,
            ..caps.clone()
        },
        Caps { aspect: 1, ..caps },
    ] {
        let error = look(&bytes, &caps).unwrap_err();
        assert!(matches!(error, Refusal::TooLarge(_)), "{caps:?}: {error}");
    }
}

#[test]
fn a_picture_that_moves_is_refused() {
    let mut gif = Vec::new();
    let frames =
        [0, 1].map(|red| Frame::new(RgbaImage::from_pixel(9, 9, Rgba([red * 200, 0, 0, 255]))));
    GifEncoder::new(&mut gif).encode_frames(frames).unwrap();
    assert_eq!(refused(gif), Refusal::Animated);

    let png = png_with(&[(b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0])]);
    assert_eq!(refused(png), Refusal::Animated);

    let flags = [0b10, 0, 0, 0, 47, 0, 0, 31, 0, 0];
    let webp = [&b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0"[..], &flags].concat();
    assert_eq!(refused(webp), Refusal::Animated);
}

#[test]
fn metadata_and_what_follows_the_picture_are_removed() {
    let secret = b"N 50.0870 E 14.4208";
    let exif = [&b"Exif\0\0"[..], secret].concat();
    let mut jpeg = jpeg_with(&[
        (0xe1, &exif),
        (0xed, secret),
        (0xfe, secret),
        (0xe2, secret),
    ]);
    jpeg.extend(secret);
    let mut png = png_with(&[(b"tEXt", secret), (b"eXIf", secret), (b"prVt", secret)]);
    png.extend(secret);
    for bytes in [jpeg, png] {
        assert!(contains(&bytes, secret));
        assert!(!contains(&kept(bytes).bytes, secret));
    }
}

#[test]
fn a_webp_loses_its_metadata_and_stays_a_webp() {
    let plain = file(ImageFormat::WebP);
    let extended = [
        &b"VP8X\x0a\0\0\0"[..],
        &[0b1000, 0, 0, 0, 47, 0, 0, 31, 0, 0],
    ]
    .concat();
    let exif = [&b"EXIF\x1a\0\0\0"[..], &TURNED].concat();
    let body = [&b"WEBP"[..], &extended, &plain[12..], &exif].concat();
    let webp = [
        b"RIFF",
        &u32::try_from(body.len()).unwrap().to_le_bytes()[..],
        &body,
    ]
    .concat();
    let taken = kept(webp);
    assert_eq!((taken.width, taken.height), (32, 48));
    assert!(!contains(&taken.bytes, b"EXIF"));
    assert_eq!(kept(taken.bytes.to_vec()).width, 32);
}

#[test]
fn a_turned_picture_is_kept_as_stored_if_that_is_wanted_and_never_turned_again() {
    let exif = [&b"Exif\0\0"[..], &TURNED].concat();
    let bytes = Bytes::from(jpeg_with(&[(0xe1, &exif)]));
    let taken = check(&bytes, &Caps::default(), Turn::AsStored).unwrap();
    assert_eq!((taken.width, taken.height), (48, 32));
    assert!(!contains(&taken.bytes, b"Exif"));
    assert_eq!(
        taken.bytes,
        file(ImageFormat::Jpeg),
        "its pixels are untouched"
    );
}

#[test]
fn a_turned_picture_is_turned_once() {
    let exif = [&b"Exif\0\0"[..], &TURNED].concat();
    for bytes in [jpeg_with(&[(0xe1, &exif)]), png_with(&[(b"eXIf", &TURNED)])] {
        let taken = kept(bytes);
        assert_eq!((taken.width, taken.height), (32, 48));
        let again = kept(taken.bytes.to_vec());
        assert_eq!((again.width, again.sha256), (32, taken.sha256));
        let pixels = image::load_from_memory(&taken.bytes).unwrap().to_rgb8();
        assert!(pixels.get_pixel(16, 4)[0] > 150, "the left side is on top");
        assert!(
            pixels.get_pixel(16, 44)[2] > 150,
            "the right side is at the bottom"
        );
    }
}

#[test]
fn hostile_bytes_are_refused_without_a_panic_of_ours() {
    // every single byte of each format changed: the structure must hold or be refused
    for format in FORMATS {
        let bytes = file(format);
        for at in 0..bytes.len() {
            for value in [0, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = look(&changed, &Caps::default());
            }
        }
    }
}

#[tokio::test]
async fn pictures_are_taken_in_beside_other_work() {
    let bytes = Bytes::from(file(ImageFormat::Jpeg));
    let taken = futures_util::future::join_all(
        (0..8).map(|_| take_in(bytes.clone(), Caps::default(), Turn::Upright)),
    )
    .await;
    assert!(taken.into_iter().all(|taken| taken.is_ok()));
}
