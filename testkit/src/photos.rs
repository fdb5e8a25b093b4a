//! Pictures made on the spot: good ones, and each kind of bad one that people and attackers send.
//! What must stay true: each bad picture is bad in exactly the way its name says.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifEncoder;
use image::{Delay, Frame, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

/// 32×24 and colourful.
pub fn still() -> RgbImage {
    RgbImage::from_fn(32, 24, |x, y| Rgb([(x * 8) as u8, (y * 10) as u8, 120]))
}

/// A good JPEG.
pub fn jpeg() -> Vec<u8> {
    encoded(ImageFormat::Jpeg)
}

/// The same picture in another format.
pub fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    still().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG of its own for each number.
pub fn numbered(number: usize) -> Vec<u8> {
    let [low, high, ..] = number.to_le_bytes();
    let pixels = RgbImage::from_fn(64, 48, |x, y| Rgb([low, high, (4 * x) as u8 ^ y as u8]));
    let mut bytes = Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A JPEG of about so many bytes, as a telephone's photo has: a picture of noise, as many lines of it as that takes.
pub fn of_bytes(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    // a pixel of noise takes about 2.2 bytes at the encoder's usual quality
    let lines = (bytes as f64 / 2.2 / 320.0).ceil() as u32;
    let picture = RgbImage::from_fn(320, lines, |_, _| Rgb([noise(), noise(), noise()]));
    let mut encoded = Cursor::new(Vec::new());
    picture.write_to(&mut encoded, ImageFormat::Jpeg).unwrap();
    encoded.into_inner()
}

/// A JPEG that says: turn me by 90° to see me upright.
pub fn turned_jpeg() -> Vec<u8> {
    let plain = jpeg();
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, exif, &plain[2..]].concat()
}

/// A JPEG that ends in the middle of its pixels.
pub fn truncated_jpeg() -> Vec<u8> {
    let whole = jpeg();
    whole[..whole.len() * 2 / 3].to_vec()
}

/// A GIF with two frames.
pub fn moving_gif() -> Vec<u8> {
    let mut bytes = Vec::new();
    {
        let mut encoder = GifEncoder::new(&mut bytes);
        for shade in [20, 200] {
            let picture = RgbaImage::from_pixel(16, 16, Rgba([shade, 90, 90, 255]));
            encoder
                .encode_frame(Frame::from_parts(
                    picture,
                    0,
                    0,
                    Delay::from_numer_denom_ms(100, 1),
                ))
                .unwrap();
        }
    }
    bytes
}

/// A PNG whose header claims this size; there is next to nothing behind it.
pub fn boastful_png(width: u32, height: u32) -> Vec<u8> {
    let mut whole = encoded(ImageFormat::Png);
    whole[16..20].copy_from_slice(&width.to_be_bytes());
    whole[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&whole[12..29]);
    whole[29..33].copy_from_slice(&checksum.to_be_bytes());
    whole
}

/// The checksum of a PNG chunk: without the right one the claim would not even be read.
fn crc32(bytes: &[u8]) -> u32 {
    let byte = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (0u32.wrapping_sub(crc & 1)))
        })
    };
    !bytes.iter().fold(!0, byte)
}

/// A photo of the fixtures, as its file is.
pub fn photo(name: &str) -> Vec<u8> {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/photos");
    fs::read(photos.join(name)).unwrap()
}
