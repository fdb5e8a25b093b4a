//! The file as it is kept: proven by one full decode, without metadata but for which way up it is.
//! What must stay true: no pixel is touched, so what is kept is no larger than what was sent but for a few bytes; and
//! which way up it is, is said in one place only, the entry that is written here, for whoever decodes or shows it.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::layout::{Layout, truncated, unreadable};
use super::{too_large, webp};
use crate::error::Refusal;

/// Where a PNG's header ends: a signature and one chunk.
const PNG_HEADER: usize = 33;

/// A file that is ready to be kept.
pub(super) struct Proven {
    pub(super) bytes: Vec<u8>,
    /// As people see it.
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Decodes the picture within `most_memory` and takes away what is not picture.
pub(super) fn proven(bytes: &[u8], layout: &Layout, most_memory: u64) -> Result<Proven, Refusal> {
    let orientation = orientation(bytes, layout);
    let clean = clean(bytes, layout, orientation);
    let mut reader = ImageReader::with_format(Cursor::new(clean.as_slice()), layout.format);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(layout.width);
    limits.max_image_height = Some(layout.height);
    limits.max_alloc = Some(most_memory);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(refusal)?;
    if decoder.total_bytes() > most_memory {
        return Err(too_large(format!(
            "it takes {} bytes to decode",
            decoder.total_bytes()
        )));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    let (mut width, mut height) = (picture.width(), picture.height());
    if lies_on_its_side(orientation) {
        (width, height) = (height, width);
    }
    Ok(Proven {
        bytes: clean,
        width,
        height,
    })
}

fn clean(bytes: &[u8], layout: &Layout, orientation: Orientation) -> Vec<u8> {
    let mut clean: Vec<u8> = layout
        .kept
        .iter()
        .flat_map(|stretch| &bytes[stretch.clone()])
        .copied()
        .collect();
    let entry = (orientation != Orientation::NoTransforms).then(|| entry(orientation));
    match (layout.format, entry) {
        (ImageFormat::WebP, entry) => webp::with_metadata(&mut clean, entry.as_ref()),
        (ImageFormat::Jpeg, Some(entry)) => {
            let body = [&b"Exif\0\0"[..], &entry].concat();
            let length = (body.len() as u16 + 2).to_be_bytes();
            let segment = [&[0xff, 0xe1][..], &length, &body].concat();
            clean.splice(2..2, segment);
        }
        (ImageFormat::Png, Some(entry)) => {
            clean.splice(PNG_HEADER..PNG_HEADER, png_chunk(b"eXIf", &entry));
        }
        _ => {}
    }
    clean
}

/// Which way up the EXIF entry says that the picture is.
fn orientation(bytes: &[u8], layout: &Layout) -> Orientation {
    let exif = layout.exif.clone().and_then(|stretch| bytes.get(stretch));
    exif.and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms)
}

/// An EXIF block in big-endian order that says nothing else: one entry, number 0x0112, one short number.
fn entry(orientation: Orientation) -> [u8; 26] {
    let mut entry = *b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    entry[19] = orientation.to_exif();
    entry
}

fn lies_on_its_side(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// A chunk with its check (PNG, annex D): few bytes, so bit by bit.
fn png_chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
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

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => too_large("it takes too much memory to decode".to_owned()),
        ImageError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated()
        }
        other => unreadable(&other.to_string()),
    }
}
