//! The structure of a PNG file: a signature and chunks.
//! What must stay true: kept are the chunks that make pixels and colours; text, times, EXIF and unknown chunks go.
//! A chunk `acTL` makes it an animation, however many frames it counts.

use image::ImageFormat;

use super::layout::{Layout, Reader, unreadable};
use crate::error::Refusal;

/// Pixels and how their numbers are to be seen. Everything else is dropped.
const KEPT: [&[u8; 4]; 12] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
    b"cICP", b"bKGD",
];

pub(super) fn layout(bytes: &[u8]) -> Result<Layout, Refusal> {
    let mut layout = Layout::new(ImageFormat::Png);
    let mut reader = Reader::new(bytes, 8);
    layout.keep(0..8);
    loop {
        let start = reader.at;
        let length = u32::from_be_bytes(reader.array()?);
        let kind: [u8; 4] = reader.array()?;
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
            b"acTL" => layout.animated = true,
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
