//! What the structure of a file says before anything is decoded: size, frames, and which stretches of it are kept.
//! One reader for each format fills it in. What must stay true: readers look at bytes, allocate nothing for pixels,
//! and refuse a file that ends before its structure does; of a picture that only lacks its end mark, the mark is written.

pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod png;
pub(crate) mod webp;

use std::ops::Range;

use image::ImageFormat;

use crate::caps::Caps;
use crate::kinds::kind_of;
use crate::refusal::Refusal;

/// The structure of one file.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) format: ImageFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) animated: bool,
    /// Where the EXIF block is, from its TIFF header on.
    pub(crate) exif: Option<Range<usize>>,
    /// What only JPEG files say.
    pub(crate) jpeg: jpeg::Frame,
    /// What makes the picture, without metadata and what follows its end.
    kept: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    /// As it is in the file.
    Stretch(Range<usize>),
    /// Written anew.
    Written(Vec<u8>),
    /// Here the data of a scan ends.
    ScanEnd,
}

/// Reads the structure only, and checks it against the caps. Decodes nothing.
///
/// # Errors
/// `Unreadable` or `TooLarge`.
pub(crate) fn look(bytes: &[u8], caps: &Caps) -> Result<Layout, Refusal> {
    if bytes.is_empty() {
        return Err(unreadable("the file is empty"));
    }
    caps.check_bytes(bytes.len())?;
    let layout = match bytes {
        [0xff, 0xd8, 0xff, ..] => jpeg::layout(bytes),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png::layout(bytes),
        _ if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => webp::layout(bytes),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif::layout(bytes),
        _ => Err(unreadable(&format!(
            "it is {}, not a JPEG, PNG, WebP or GIF picture",
            kind_of(bytes)
        ))),
    }?;
    caps.check_size((layout.width, layout.height))?;
    Ok(layout)
}

impl Layout {
    pub(crate) fn new(format: ImageFormat) -> Self {
        Layout {
            format,
            width: 0,
            height: 0,
            animated: false,
            exif: None,
            jpeg: jpeg::Frame::default(),
            kept: Vec::new(),
        }
    }

    fn keep(&mut self, stretch: Range<usize>) {
        self.kept.push(Piece::Stretch(stretch));
    }

    fn write(&mut self, bytes: &[u8]) {
        self.kept.push(Piece::Written(bytes.to_owned()));
    }

    fn end_scan(&mut self) {
        self.kept.push(Piece::ScanEnd);
    }

    /// The file without metadata and what follows its end.
    pub(crate) fn clean(&self, bytes: &[u8]) -> Vec<u8> {
        let mut clean = self.with_scans_ended(bytes, &[]);
        if self.format == ImageFormat::WebP {
            webp::with_metadata(&mut clean, None);
        }
        clean
    }

    /// As [`Layout::clean`], with `filler` after the data of each scan.
    pub(crate) fn with_scans_ended(&self, bytes: &[u8], filler: &[u8]) -> Vec<u8> {
        let parts = self.kept.iter().map(|piece| match piece {
            Piece::Stretch(stretch) => &bytes[stretch.clone()],
            Piece::Written(written) => written,
            Piece::ScanEnd => filler,
        });
        parts.collect::<Vec<_>>().concat()
    }
}

/// Reads on from one place in a file and refuses to read past its end.
#[derive(Clone, Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at }
    }

    fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let end = self.at.checked_add(count).ok_or_else(truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or_else(truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Refusal> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }
}

pub(crate) fn unreadable(reason: &str) -> Refusal {
    Refusal::Unreadable(reason.to_owned())
}

pub(crate) fn truncated() -> Refusal {
    unreadable("the file ends in the middle; send it again in full")
}
