//! The file as it is kept: proven by one full decode, without metadata, turned as people see it.
//! What must stay true: a picture that stands upright already keeps its pixels bit for bit, and the orientation is
//! applied exactly once, because what is kept no longer mentions one.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{
    DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits,
};

use super::layout::{Layout, truncated, unreadable};
use super::{too_large, webp};
use crate::error::Refusal;

/// A turned JPEG is compressed a second time: at this quality the difference cannot be seen.
const JPEG_QUALITY: u8 = 95;

/// A file that is ready to be kept.
pub(super) struct Upright {
    pub(super) bytes: Vec<u8>,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Decodes the picture within `most_memory`, takes away what is not picture and turns it.
pub(super) fn turned(
    bytes: &[u8],
    layout: &Layout,
    orientation: Orientation,
    most_memory: u64,
) -> Result<Upright, Refusal> {
    let clean = clean(bytes, layout);
    let mut reader = ImageReader::with_format(Cursor::new(clean.as_slice()), layout.format);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(layout.width);
    limits.max_image_height = Some(layout.height);
    limits.max_alloc = Some(most_memory);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    if decoder.total_bytes() > most_memory {
        return Err(too_large(format!(
            "it takes {} bytes to decode",
            decoder.total_bytes()
        )));
    }
    let profile = decoder.icc_profile().ok().flatten();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    if orientation == Orientation::NoTransforms {
        return Ok(Upright {
            width: picture.width(),
            height: picture.height(),
            bytes: clean,
        });
    }
    picture.apply_orientation(orientation);
    Ok(Upright {
        bytes: encoded(&picture, layout.format, profile)?,
        width: picture.width(),
        height: picture.height(),
    })
}

fn clean(bytes: &[u8], layout: &Layout) -> Vec<u8> {
    let mut clean: Vec<u8> = layout
        .kept
        .iter()
        .flat_map(|stretch| &bytes[stretch.clone()])
        .copied()
        .collect();
    if layout.format == ImageFormat::WebP {
        webp::without_metadata(&mut clean);
    }
    clean
}

/// How the EXIF entry says that the picture is to be turned.
pub(super) fn orientation(bytes: &[u8], layout: &Layout) -> Orientation {
    let exif = layout.exif.clone().and_then(|stretch| bytes.get(stretch));
    exif.and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms)
}

fn encoded(
    picture: &DynamicImage,
    format: ImageFormat,
    profile: Option<Vec<u8>>,
) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let written = match format {
        ImageFormat::Jpeg => write(
            picture,
            JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY),
            profile,
        ),
        ImageFormat::WebP => write(picture, WebPEncoder::new_lossless(&mut bytes), profile),
        _ => write(picture, PngEncoder::new(&mut bytes), profile),
    };
    written.map_err(refusal)?;
    Ok(bytes)
}

fn write(
    picture: &DynamicImage,
    mut encoder: impl ImageEncoder,
    profile: Option<Vec<u8>>,
) -> Result<(), ImageError> {
    if let Some(profile) = profile {
        // without its profile the picture is merely seen in the usual colours
        let _ = encoder.set_icc_profile(profile);
    }
    picture.write_with_encoder(encoder)
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
