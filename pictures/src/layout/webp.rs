//! The structure of a WebP file: a RIFF container of chunks, simple (one bitstream) or extended (`VP8X`).
//! What must stay true: EXIF, XMP and unknown chunks go, and [`with_metadata`] makes the header tell what is left.

use image::ImageFormat;

use super::{Layout, Reader, truncated, unreadable};
use crate::refusal::Refusal;

/// The bits of the `VP8X` header that promise EXIF and XMP.
const PROMISES_METADATA: u8 = 0b0000_1100;
const PROMISES_EXIF: u8 = 0b0000_1000;
const PROMISES_ANIMATION: u8 = 0b0000_0010;

pub(super) fn layout(bytes: &[u8]) -> Result<Layout, Refusal> {
    let mut layout = Layout::new(ImageFormat::WebP);
    let mut reader = Reader::new(bytes, 4);
    let end = 8 + usize::try_from(u32::from_le_bytes(reader.array()?)).unwrap_or(usize::MAX - 8);
    // some writers count the last filler and leave it out
    if end > bytes.len() + 1 {
        return Err(truncated());
    }
    let end = end.min(bytes.len());
    let mut reader = Reader::new(&bytes[..end], 12);
    layout.keep(0..12);
    while reader.at < end {
        let start = reader.at;
        let kind: [u8; 4] = reader.array()?;
        let length = usize::try_from(u32::from_le_bytes(reader.array()?)).unwrap_or(usize::MAX);
        let body = reader.take(length)?;
        let content = start + 8..reader.at;
        // chunks start at even places; some writers leave out the last filler
        reader.at = (reader.at + length % 2).min(end);
        match &kind {
            b"VP8X" => extended_header(&mut layout, body)?,
            b"VP8 " if layout.width == 0 => (layout.width, layout.height) = lossy_size(body)?,
            b"VP8L" if layout.width == 0 => (layout.width, layout.height) = lossless_size(body)?,
            b"ANIM" | b"ANMF" => layout.animated = true,
            // only an extended file has any
            b"EXIF" if bytes.get(12..16) == Some(b"VP8X") => {
                let skip = if body.starts_with(b"Exif\0\0") { 6 } else { 0 };
                layout.exif = Some(content.start + skip..content.end);
            }
            _ => {}
        }
        if matches!(&kind, b"VP8X" | b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP") {
            layout.keep(start..reader.at);
        }
    }
    Ok(layout)
}

/// Adds an EXIF block, if there is one and the file can have one, to a file whose metadata has been left out, and corrects
/// its header.
pub(crate) fn with_metadata(bytes: &mut Vec<u8>, exif: Option<&[u8; 26]>) {
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    if bytes.get(12..16) == Some(b"VP8X") {
        bytes[20] &= !PROMISES_METADATA;
        if let Some(exif) = exif {
            bytes[20] |= PROMISES_EXIF;
            bytes.extend(b"EXIF");
            bytes.extend((exif.len() as u32).to_le_bytes());
            bytes.extend(exif);
        }
    }
    // hardly larger than the file it was made from, which is far from the end of these numbers
    let size = u32::try_from(bytes.len() - 8).unwrap_or(u32::MAX);
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
}

/// Flags, three reserved bytes, then width and height less one in three bytes each.
fn extended_header(layout: &mut Layout, body: &[u8]) -> Result<(), Refusal> {
    let &[flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = body else {
        return Err(broken());
    };
    layout.animated |= flags & PROMISES_ANIMATION != 0;
    layout.width = u32::from_le_bytes([w0, w1, w2, 0]) + 1;
    layout.height = u32::from_le_bytes([h0, h1, h2, 0]) + 1;
    Ok(())
}

/// A key frame: three bytes, the start code, then 14 bits each (RFC 6386, 9.1).
fn lossy_size(body: &[u8]) -> Result<(u32, u32), Refusal> {
    let &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] = body else {
        return Err(broken());
    };
    let size = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Ok((size(w0, w1), size(h0, h1)))
}

/// A signature byte, then width and height less one in 14 bits each.
fn lossless_size(body: &[u8]) -> Result<(u32, u32), Refusal> {
    let &[0x2f, b0, b1, b2, b3, ..] = body else {
        return Err(broken());
    };
    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
    Ok(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

fn broken() -> Refusal {
    unreadable("its WebP structure is broken")
}
