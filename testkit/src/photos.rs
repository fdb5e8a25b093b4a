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

/// A GIF of so many frames, each the same few bytes.
pub fn gif_of_frames(count: usize) -> Vec<u8> {
    let whole = moving_gif();
    let end = whole.len() - 1;
    // the second frame begins with its control block, and the trailer ends the file
    let control = b"\x21\xf9\x04";
    let second = whole
        .windows(control.len())
        .rposition(|three| three == control)
        .unwrap();
    let frames = whole[second..end].repeat(count - 1);
    [&whole[..second], &frames, &whole[end..]].concat()
}

/// A JPEG whose last scan comes so many times.
pub fn jpeg_of_scans(count: usize) -> Vec<u8> {
    let whole = jpeg();
    let scan = whole
        .windows(2)
        .rposition(|two| two == [0xff, 0xda])
        .unwrap();
    let end = whole.len() - 2;
    let scans = whole[scan..end].repeat(count);
    [&whole[..scan], &scans, &whole[end..]].concat()
}

/// A JPEG whose header claims this size.
pub fn boastful_jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut whole = jpeg();
    let frame = whole
        .windows(2)
        .position(|two| two == [0xff, 0xc0])
        .unwrap();
    whole[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    whole[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    whole
}

/// A GIF whose screen and picture claim this size.
pub fn boastful_gif(width: u16, height: u16) -> Vec<u8> {
    let mut whole = encoded(ImageFormat::Gif);
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    // a block of four places and sizes after the mark of a picture
    let (wide, high) = (32_u16.to_le_bytes(), 24_u16.to_le_bytes());
    let of_picture = [&[0x2c, 0, 0, 0, 0], &wide[..], &high[..]].concat();
    let picture = whole
        .windows(of_picture.len())
        .position(|nine| nine == of_picture)
        .unwrap();
    whole[6..10].copy_from_slice(&size);
    whole[picture + 5..picture + 9].copy_from_slice(&size);
    whole
}

/// A lossless WebP whose header claims this size, at most 16384 a side.
pub fn boastful_webp(width: u32, height: u32) -> Vec<u8> {
    let size = (width - 1) | ((height - 1) << 14);
    let data = [&[0x2f][..], &size.to_le_bytes(), &[0; 9]].concat();
    let length = (data.len() as u32).to_le_bytes();
    let all = (data.len() as u32 + 12).to_le_bytes();
    [b"RIFF", &all[..], b"WEBPVP8L", &length, &data].concat()
}

/// A PNG of 8×8 pixels whose data inflate to those of a picture of so many pixels a side: some thousand times their size.
pub fn inflating_png(side: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::GrayImage::new(side, side)
        .write_to(&mut bytes, ImageFormat::Png)
        .unwrap();
    claiming(bytes.into_inner(), 8, 8)
}

/// A JPEG as a telephone writes it, with the place where it was taken in its EXIF block and once more in its XMP.
pub fn located_jpeg() -> Vec<u8> {
    let plain = jpeg();
    let number = |number: u32| [number.to_be_bytes(), 1_u32.to_be_bytes()].concat();
    let latitude = [number(52), number(31), number(12)].concat();
    let exif = [
        // one entry: where the entries of the place begin
        &b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\0\0\0\x1a\0\0\0\0"[..],
        // north, and three fractions that follow
        b"\0\x02\0\x01\0\x02\0\0\0\x02N\0\0\0\0\x02\0\x05\0\0\0\x03\0\0\0\x38\0\0\0\0",
        &latitude,
    ]
    .concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta exif:GPSLatitude=\"52,31.2N\"/>";
    let segment = |body: &[u8]| {
        let length = (body.len() as u16 + 2).to_be_bytes();
        [&[0xff, 0xe1], &length[..], body].concat()
    };
    [&plain[..2], &segment(&exif), &segment(xmp), &plain[2..]].concat()
}

/// A PNG whose header claims this size; there is next to nothing behind it.
pub fn boastful_png(width: u32, height: u32) -> Vec<u8> {
    claiming(encoded(ImageFormat::Png), width, height)
}

fn claiming(mut whole: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
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
