//! The structure of a JPEG file (ITU T.81, annex B): segments, then scans of entropy-coded data.
//! What must stay true: kept are the tables, frames and scans, the JFIF and Adobe headers that tell colours apart, and
//! the ICC profile; everything else, and all that follows the end of the picture, goes.

use image::ImageFormat;

use super::layout::{Layout, Reader, unreadable};
use crate::error::Refusal;

const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

pub(super) fn layout(bytes: &[u8]) -> Result<Layout, Refusal> {
    let mut layout = Layout::new(ImageFormat::Jpeg);
    let mut reader = Reader::new(bytes, 2);
    let mut scanned = false;
    layout.keep(0..2);
    loop {
        let start = reader.at;
        let marker = marker(&mut reader)?;
        if marker == END {
            if !scanned {
                return Err(unreadable("it has no pixels"));
            }
            layout.keep(start..reader.at);
            return Ok(layout);
        }
        if is_alone(marker) {
            continue;
        }
        let length = usize::from(u16::from_be_bytes(reader.array()?));
        let body = reader.take(length.checked_sub(2).ok_or_else(broken)?)?;
        if is_frame(marker) && layout.width == 0 {
            (layout.width, layout.height) = size(body)?;
        }
        if marker == 0xe1 && body.starts_with(b"Exif\0\0") && layout.exif.is_none() {
            layout.exif = Some(reader.at - body.len() + 6..reader.at);
        }
        if marker == SCAN {
            skip_scan(&mut reader)?;
            scanned = true;
        }
        if is_kept(marker, body) {
            layout.keep(start..reader.at);
        }
    }
}

/// Any number of 0xff, then the marker.
fn marker(reader: &mut Reader<'_>) -> Result<u8, Refusal> {
    if reader.byte()? != 0xff {
        return Err(broken());
    }
    loop {
        match reader.byte()? {
            0xff => {}
            0 => return Err(broken()),
            marker => return Ok(marker),
        }
    }
}

/// Moves to the marker that ends the scan: 0xff 0x00 is data, restart markers belong to it.
fn skip_scan(reader: &mut Reader<'_>) -> Result<(), Refusal> {
    loop {
        if reader.byte()? != 0xff {
            continue;
        }
        let mut ahead = reader.clone();
        match ahead.byte()? {
            0 | 0xd0..=0xd7 => reader.at = ahead.at,
            0xff => {}
            _ => {
                reader.at -= 1;
                return Ok(());
            }
        }
    }
}

/// Precision, height, width.
fn size(body: &[u8]) -> Result<(u32, u32), Refusal> {
    let &[_, h1, h0, w1, w0, ..] = body else {
        return Err(broken());
    };
    Ok((
        u16::from_be_bytes([w1, w0]).into(),
        u16::from_be_bytes([h1, h0]).into(),
    ))
}

/// Markers without a body: restarts, a second start, and one for private use.
fn is_alone(marker: u8) -> bool {
    matches!(marker, 0xd0..=0xd8 | 0x01)
}

fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

fn is_kept(marker: u8, body: &[u8]) -> bool {
    match marker {
        0xe0 => body.starts_with(b"JFIF\0"),
        0xe2 => body.starts_with(b"ICC_PROFILE\0"),
        0xee => body.starts_with(b"Adobe"),
        0xe1..=0xef | 0xfe => false,
        _ => true,
    }
}

fn broken() -> Refusal {
    unreadable("its JPEG structure is broken")
}
