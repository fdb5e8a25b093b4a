//! What the structure of a file says before anything is decoded: size, frames, and which stretches of it are kept.
//! One reader for each format fills it in. What must stay true: readers look at bytes, allocate nothing for pixels,
//! and refuse a file that ends before its structure does.

use std::ops::Range;

use image::ImageFormat;

use crate::error::Refusal;

/// The structure of one file.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) format: ImageFormat,
    pub(super) media_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) animated: bool,
    /// Where the EXIF block is, from its TIFF header on.
    pub(super) exif: Option<Range<usize>>,
    /// The stretches that make the picture, without metadata and what follows its end.
    pub(super) kept: Vec<Range<usize>>,
}

impl Layout {
    pub(super) fn new(format: ImageFormat) -> Self {
        Layout {
            format,
            media_type: format.to_mime_type(),
            width: 0,
            height: 0,
            animated: false,
            exif: None,
            kept: Vec::new(),
        }
    }

    /// Keeps a stretch, joined to the last one if it follows it.
    pub(super) fn keep(&mut self, stretch: Range<usize>) {
        match self.kept.last_mut() {
            Some(last) if last.end == stretch.start => last.end = stretch.end,
            _ => self.kept.push(stretch),
        }
    }
}

/// Reads on from one place in a file and refuses to read past its end.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let end = self.at.checked_add(count).ok_or_else(truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or_else(truncated)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Refusal> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }
}

pub(super) fn unreadable(reason: &str) -> Refusal {
    Refusal::Unreadable(reason.to_owned())
}

pub(super) fn truncated() -> Refusal {
    unreadable("the file ends in the middle; send it again in full")
}
