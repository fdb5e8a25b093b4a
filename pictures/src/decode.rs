//! From a file to pixels, the one way for all: who takes pictures in, who tells stories of them, and the command line.
//! What must stay true: the caps are checked on the structure before anything is allocated for pixels, and half a picture
//! is no picture. Decoders may panic on hostile bytes; callers run them where only one picture is lost by it.

mod jpeg;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::caps::Caps;
use crate::layout::{Layout, look, truncated, unreadable};
use crate::refusal::Refusal;

/// What a decoder may allocate: 50 megapixels of four bytes, and as much again to work with.
const MOST_MEMORY: u64 = 512 * 1024 * 1024;

/// A picture as its file has it; of an animation the first frame.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The pixels, not turned.
    pub image: DynamicImage,
    /// How they are to be turned for people.
    pub orientation: Orientation,
    /// The ICC profile of exactly these pixels, if the file has one.
    pub profile: Option<Vec<u8>>,
}

/// Decodes a JPEG, PNG, WebP or GIF file within `caps`.
///
/// # Errors
/// `Unreadable` or `TooLarge`, with a message for the person who sent it.
pub fn decode(bytes: &[u8], caps: &Caps) -> Result<Decoded, Refusal> {
    pixels(bytes, &look(bytes, caps)?)
}

/// Decodes a file whose layout is known.
pub(crate) fn pixels(bytes: &[u8], layout: &Layout) -> Result<Decoded, Refusal> {
    let (image, profile) = match layout.format {
        ImageFormat::Jpeg => jpeg::pixels(bytes, layout)?,
        // frames are no part of what is kept
        _ if layout.animated => others(bytes, layout)?,
        _ => others(&layout.clean(bytes), layout)?,
    };
    let profile = profile.filter(|profile| is_for(profile, &image));
    Ok(Decoded {
        image,
        orientation: orientation(bytes, layout),
        profile,
    })
}

/// Whether the file can be decoded in full, and the width and height that it has then, not turned.
///
/// # Errors
/// As [`decode`].
pub(crate) fn prove(bytes: &[u8], layout: &Layout) -> Result<(u32, u32), Refusal> {
    match layout.format {
        ImageFormat::Jpeg => jpeg::prove(bytes, layout),
        _ => pixels(bytes, layout).map(|decoded| (decoded.image.width(), decoded.image.height())),
    }
}

fn others(file: &[u8], layout: &Layout) -> Result<(DynamicImage, Option<Vec<u8>>), Refusal> {
    let mut reader = ImageReader::with_format(Cursor::new(file), layout.format);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(layout.width);
    limits.max_image_height = Some(layout.height);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    check_memory(decoder.total_bytes())?;
    // a broken profile must not cost the picture
    let profile = decoder.icc_profile().ok().flatten();
    let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    Ok((image, profile))
}

fn check_memory(bytes: u64) -> Result<(), Refusal> {
    if bytes > MOST_MEMORY {
        return Err(Refusal::TooLarge(format!(
            "it takes {bytes} bytes to decode"
        )));
    }
    Ok(())
}

/// Whether a profile is of the colour space that the pixels have now (ICC.1, 7.2.6): a wrong one distorts every colour.
fn is_for(profile: &[u8], image: &DynamicImage) -> bool {
    let space: &[u8] = if image.color().has_color() {
        b"RGB "
    } else {
        b"GRAY"
    };
    profile.get(16..20) == Some(space)
}

/// Which way up the EXIF entry says that the picture is.
pub(crate) fn orientation(bytes: &[u8], layout: &Layout) -> Orientation {
    let block = layout.exif.clone().and_then(|stretch| bytes.get(stretch));
    let entry = block.and_then(|block| {
        // what else is broken in it is none of our business
        let read = exif::Reader::new()
            .continue_on_error(true)
            .read_raw(block.to_vec())
            .or_else(|error| error.distill_partial_result(|_| {}))
            .ok()?;
        // written as a short number, or by some cameras as a long one
        let field = read.get_field(exif::Tag::Orientation, exif::In::PRIMARY)?;
        u8::try_from(field.value.get_uint(0)?).ok()
    });
    entry
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => Refusal::TooLarge("it takes too much memory to decode".to_owned()),
        ImageError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated()
        }
        other => unreadable(&other.to_string()),
    }
}
