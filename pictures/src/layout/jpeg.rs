//! The structure of a JPEG file (ITU T.81, annex B): segments, then scans of entropy-coded data.
//! What must stay true: kept are the tables, frames and scans, the JFIF and Adobe headers that tell colours apart, and
//! the ICC profile; thumbnails, everything else, and all that follows the end of the picture, go.

use std::ops::Range;

use image::ImageFormat;

use super::{Layout, Reader, unreadable};
use crate::refusal::Refusal;

const END: u8 = 0xd9;
const SCAN: u8 = 0xda;
/// Encoders write a dozen at most. A scan of no pixels has some dozen bytes and costs a walk over the whole picture, so that
/// without a bound a small file decodes for minutes.
const MOST_SCANS: usize = 100;
/// "JFIF", version, unit and density: what follows is a thumbnail.
const JFIF_WITHOUT_THUMBNAIL: usize = 12;
/// "Adobe", version, two flags, and how colours are coded.
const ADOBE: usize = 12;

/// What a file says of its colours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// The numbers of its components.
    pub(crate) components: Vec<u8>,
    pub(crate) is_jfif: bool,
    /// How Adobe's header says that colours are coded.
    pub(crate) adobe: Option<u8>,
}

pub(super) fn layout(bytes: &[u8]) -> Result<Layout, Refusal> {
    let mut layout = Layout::new(ImageFormat::Jpeg);
    let mut reader = Reader::new(bytes, 2);
    let mut scans = 0;
    layout.keep(0..2);
    loop {
        let start = reader.at;
        // whether all pixels are there is seen when they are decoded; the mark after them says nothing more
        if scans > 0 && bytes[start..].iter().all(|&byte| byte == 0xff) {
            layout.write(&[0xff, END]);
            return Ok(layout);
        }
        let marker = marker(&mut reader)?;
        if marker == END {
            if scans == 0 {
                return Err(unreadable("it has no pixels"));
            }
            layout.write(&[0xff, END]);
            return Ok(layout);
        }
        if is_alone(marker) {
            continue;
        }
        let length = usize::from(u16::from_be_bytes(reader.array()?));
        let body = reader.take(length.checked_sub(2).ok_or_else(broken)?)?;
        if is_frame(marker) && layout.width == 0 {
            frame(&mut layout, marker, body)?;
        }
        if marker == 0xe1 && body.starts_with(b"Exif\0\0") && layout.exif.is_none() {
            layout.exif = Some(reader.at - body.len() + 6..reader.at);
        }
        if marker == SCAN {
            skip_scan(&mut reader);
            scans += 1;
            if scans > MOST_SCANS {
                return Err(unreadable(&format!(
                    "it is drawn in more than {MOST_SCANS} scans: save it anew"
                )));
            }
        }
        let segment = Segment {
            marker,
            body,
            place: start..reader.at,
        };
        segment.keep_in(&mut layout);
    }
}

/// A segment as it is read.
struct Segment<'a> {
    marker: u8,
    body: &'a [u8],
    /// All of it in the file, marker and pixels included.
    place: Range<usize>,
}

impl Segment<'_> {
    /// Keeps it, or what of it belongs to the picture.
    fn keep_in(self, layout: &mut Layout) {
        let Self { marker, body, .. } = self;
        match marker {
            0xe0 if body.starts_with(b"JFIF\0") && body.len() >= JFIF_WITHOUT_THUMBNAIL => {
                let bare = [&body[..JFIF_WITHOUT_THUMBNAIL], &[0, 0]].concat();
                layout.write(&segment(marker, &bare));
                layout.jpeg.is_jfif = true;
            }
            0xee if body.starts_with(b"Adobe") && body.len() >= ADOBE => {
                layout.write(&segment(marker, &body[..ADOBE]));
                layout.jpeg.adobe = Some(body[ADOBE - 1]);
            }
            0xe2 if body.starts_with(b"ICC_PROFILE\0") => layout.keep(self.place),
            0xe0..=0xef | 0xfe => {}
            SCAN => {
                layout.keep(self.place);
                layout.end_scan();
            }
            _ => layout.keep(self.place),
        }
    }
}

/// A segment of a few bytes.
pub(crate) fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], body].concat()
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

/// Moves to the marker that ends the scan, or to the end of the file: 0xff 0x00 is data, restart markers belong to it.
fn skip_scan(reader: &mut Reader<'_>) {
    let bytes = reader.bytes;
    while let Some(&byte) = bytes.get(reader.at) {
        if byte != 0xff {
            reader.at += 1;
            continue;
        }
        // any number of 0xff may stand before a marker, and belongs to it
        let fill = bytes[reader.at..].iter().take_while(|&&b| b == 0xff);
        let after = reader.at + fill.count();
        match bytes.get(after) {
            Some(0 | 0xd0..=0xd7) => reader.at = after + 1,
            _ => return,
        }
    }
}

/// Precision, height, width, and three bytes for each component.
fn frame(layout: &mut Layout, marker: u8, body: &[u8]) -> Result<(), Refusal> {
    let kind = match marker {
        0xc9..=0xcf => "arithmetic coding",
        0xc5..=0xc7 => "hierarchical coding",
        _ => "",
    };
    if !kind.is_empty() {
        return Err(unreadable(&format!(
            "it is a JPEG with {kind}, which is not supported: save it as a plain (baseline or progressive) JPEG"
        )));
    }
    let &[_, h1, h0, w1, w0, _, ref components @ ..] = body else {
        return Err(broken());
    };
    layout.width = u16::from_be_bytes([w1, w0]).into();
    layout.height = u16::from_be_bytes([h1, h0]).into();
    layout.jpeg.components = components.chunks_exact(3).map(|part| part[0]).collect();
    Ok(())
}

/// Markers without a body: restarts, a second start, and one for private use.
fn is_alone(marker: u8) -> bool {
    matches!(marker, 0xd0..=0xd8 | 0x01)
}

fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

fn broken() -> Refusal {
    unreadable("its JPEG structure is broken")
}
