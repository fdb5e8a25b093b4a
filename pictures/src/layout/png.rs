//! The structure of a PNG file: a signature and chunks.
//! What must stay true: kept are the chunks that make pixels and colours; text, times, EXIF and unknown chunks go.
//! A chunk `acTL` that counts more than one frame makes it an animation.

use image::ImageFormat;

use super::{Layout, Reader, unreadable};
use crate::refusal::Refusal;

/// Pixels and how their numbers are to be seen. Everything else is dropped.
const KEPT: [&[u8; 4]; 12] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
    b"cICP", b"bKGD",
];

pub(super) fn layout(bytes: &[u8]) -> Result<Layout, Refusal> {
    let mut layout = Layout::new(ImageFormat::Png);
    let mut reader = Reader::new(bytes, 8);
    layout.keep(0..8);
    let mut has_pixels = false;
    loop {
        let start = reader.at;
        if reader.is_done() && has_pixels {
            // whether all of them are there is seen when they are decoded
            layout.write(&chunk(b"IEND", &[]));
            return Ok(layout);
        }
        let length = u32::from_be_bytes(reader.array()?);
        let kind: [u8; 4] = reader.array()?;
        if &kind == b"CgBI" {
            return Err(unreadable(
                "it is Apple's own kind of PNG (CgBI, made for iOS apps), which is no standard PNG: export it anew",
            ));
        }
        if layout.width == 0 && &kind != b"IHDR" {
            return Err(unreadable("its PNG header is missing"));
        }
        if &kind == b"IHDR" {
            // seen before the rest of the file is known to be there: a size that is a lie is told first
            let mut header = reader.clone();
            layout.width = u32::from_be_bytes(header.array()?);
            layout.height = u32::from_be_bytes(header.array()?);
            if layout.width == 0 {
                return Ok(layout);
            }
        }
        let body = reader.at;
        reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        match &kind {
            b"acTL" => layout.animated = bytes.get(body..body + 4) != Some(&[0, 0, 0, 1]),
            b"IDAT" => has_pixels = true,
            b"eXIf" => layout.exif = Some(body..reader.at),
            _ => {}
        }
        reader.take(4)?;
        if KEPT.contains(&&kind) {
            layout.keep(start..reader.at);
        }
        if &kind == b"IEND" {
            return Ok(layout);
        }
    }
}

/// A chunk with its check (annex D), for few bytes: bit by bit.
pub(crate) fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut check = !0u32;
    for byte in kind.iter().chain(body) {
        check ^= u32::from(*byte);
        for _ in 0..8 {
            let odd = check & 1 == 1;
            check = if odd {
                check >> 1 ^ 0xedb8_8320
            } else {
                check >> 1
            };
        }
    }
    let length = (body.len() as u32).to_be_bytes();
    [&length[..], kind, body, &(!check).to_be_bytes()].concat()
}
