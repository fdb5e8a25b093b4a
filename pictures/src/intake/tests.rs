//! Pictures as people and attackers send them: good ones stay, turned ones are turned, bad ones are explained.
//! The files are made here, byte by byte where no encoder would write them.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{
    DynamicImage, Frame, ImageDecoder as _, ImageFormat, ImageReader, Rgb, RgbImage, Rgba,
    RgbaImage,
};

use super::{DECODING_BUDGET, Turning, check, room_for, take_in};
use crate::caps::Caps;
use crate::layout::{Layout, look};
use crate::refusal::Refusal;

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
    check(&bytes.into(), Turning::Upright, &Caps::default()).unwrap()
}

fn refused(bytes: Vec<u8>) -> Refusal {
    check(&bytes.into(), Turning::Upright, &Caps::default()).unwrap_err()
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
        for length in [bytes.len() * 3 / 4, bytes.len() / 2, 14, 8] {
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

    let png = png_with(&[(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0])]);
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

/// What every reader sees: the pixels as they are stored, and how they are to be turned.
fn seen(bytes: &[u8]) -> (RgbaImage, Orientation) {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .unwrap();
    let mut decoder = reader.into_decoder().unwrap();
    let orientation = decoder.orientation().unwrap();
    let picture = DynamicImage::from_decoder(decoder).unwrap();
    (picture.to_rgba8(), orientation)
}

fn exif(orientation: u8) -> Vec<u8> {
    let mut block = TURNED.to_vec();
    block[19] = orientation;
    block
}

fn webp_with(exif: &[u8]) -> Vec<u8> {
    let plain = file(ImageFormat::WebP);
    let extended = [
        &b"VP8X\x0a\0\0\0"[..],
        &[0b1000, 0, 0, 0, 47, 0, 0, 31, 0, 0],
    ]
    .concat();
    let length = u32::try_from(exif.len()).unwrap().to_le_bytes();
    let exif = [&b"EXIF"[..], &length, exif].concat();
    let body = [&b"WEBP"[..], &extended, &plain[12..], &exif].concat();
    [
        b"RIFF",
        &u32::try_from(body.len()).unwrap().to_le_bytes()[..],
        &body,
    ]
    .concat()
}

/// A file for each format that can say how it is to be turned.
fn turned(orientation: u8) -> [Vec<u8>; 3] {
    let block = exif(orientation);
    let in_jpeg = [&b"Exif\0\0"[..], &block, b"N 50.0870"].concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0tiff:Orientation=3";
    [
        jpeg_with(&[(0xe1, &in_jpeg), (0xe1, xmp)]),
        png_with(&[(b"eXIf", &block)]),
        webp_with(&block),
    ]
}

/// The mean difference of two pictures' numbers.
fn apart(one: &RgbaImage, other: &RgbaImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let pairs = one.as_raw().iter().zip(other.as_raw());
    pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.as_raw().len() as f64
}

#[test]
fn a_turned_picture_is_kept_upright() {
    for orientation in 1..=8 {
        for bytes in turned(orientation) {
            let (pixels, how) = seen(&bytes);
            let mut upright = DynamicImage::from(pixels);
            upright.apply_orientation(how);
            let taken = kept(bytes);
            let (shown, how) = seen(&taken.bytes);
            assert_eq!(how, Orientation::NoTransforms);
            let apart = apart(&shown, &upright.to_rgba8());
            assert!(apart < 3.0, "{orientation} {}: {apart}", taken.media_type);
            assert_eq!((taken.width, taken.height), shown.dimensions());
            assert!(!contains(&taken.bytes, b"N 50") && !contains(&taken.bytes, b"adobe"));
            let again = kept(taken.bytes.to_vec());
            assert_eq!(again.sha256, taken.sha256, "it is not stable");
        }
    }
}

#[test]
fn which_way_up_may_be_written_as_a_long_number_and_the_rest_of_the_block_be_broken() {
    let long = *b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06\0\0\0\0";
    let mut two = exif(6);
    two[9] = 2;
    two.splice(
        22..,
        [
            0x99, 0x99, 0, 99, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
    );
    for block in [long.to_vec(), two] {
        let taken = kept(jpeg_with(&[(0xe1, &[&b"Exif\0\0"[..], &block].concat())]));
        assert_eq!((taken.width, taken.height), (32, 48), "{block:x?}");
    }
}

#[test]
fn a_picture_for_the_original_keeps_its_pixels_and_says_once_how_it_is_to_be_turned() {
    for orientation in 1..=8 {
        for bytes in turned(orientation) {
            let before = seen(&bytes);
            let taken = check(&bytes.into(), Turning::AsSent, &Caps::default()).unwrap();
            let after = seen(&taken.bytes);
            assert_eq!(before, after);
            assert_eq!(after.1.to_exif(), orientation);
            assert!(!contains(&taken.bytes, b"N 50") && !contains(&taken.bytes, b"adobe"));
        }
    }
}

#[test]
fn a_picture_that_would_outgrow_the_caps_when_turned_keeps_its_pixels() {
    // noise, pressed hard: encoded again at another quality it is several times as large
    let mut state = 1u32;
    let noise = RgbImage::from_fn(400, 300, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    });
    let mut plain = Vec::new();
    noise
        .write_with_encoder(JpegEncoder::new_with_quality(&mut plain, 20))
        .unwrap();
    let body = [&b"Exif\0\0"[..], &TURNED].concat();
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    let turned = Bytes::from([&plain[..2], &[0xff, 0xe1], &length, &body, &plain[2..]].concat());
    let caps = |bytes: usize| Caps {
        bytes: bytes as u64,
        ..Caps::default()
    };
    let check = |most: usize| check(&turned, Turning::Upright, &caps(most));
    let taken = check(turned.len()).unwrap();
    assert_eq!(taken.bytes.len(), turned.len());
    assert_eq!((taken.width, taken.height), (300, 400));
    assert_eq!(seen(&taken.bytes).1, Orientation::Rotate90);
    let error = check(turned.len() - 1).unwrap_err();
    assert!(matches!(error, Refusal::TooLarge(_)), "{error}");
}

#[test]
fn what_is_decoded_at_once_fits_the_budget_however_large_it_is() {
    let room = |width, height| {
        let mut layout = Layout::new(ImageFormat::Jpeg);
        (layout.width, layout.height) = (width, height);
        room_for(&layout)
    };
    assert_eq!(room(1, 1), 1);
    assert_eq!(room(4000, 3000), 138);
    assert_eq!(room(10_000, 5000), 573, "the largest that is taken");
    assert_eq!(
        room(u32::MAX, u32::MAX),
        DECODING_BUDGET,
        "it could never be had"
    );
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
        (0..8).map(|_| take_in(bytes.clone(), Turning::Upright, Caps::default())),
    )
    .await;
    assert!(taken.into_iter().all(|taken| taken.is_ok()));
}
