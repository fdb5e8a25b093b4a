//! The file as it is kept: proven by one decode, upright, without metadata.
//! What must stay true: a picture that stands upright keeps its bytes; one that is turned and would then be larger than is
//! taken keeps its pixels, and an entry that is written here says which way up it is, for whoever decodes or shows it.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder, ImageFormat};

use super::Turning;
use crate::caps::Caps;
use crate::decode::{Decoded, orientation, pixels, prove};
use crate::layout::{Layout, jpeg, png, webp};
use crate::refusal::Refusal;

/// Where a PNG's header ends: a signature and one chunk.
const PNG_HEADER: usize = 33;
/// No loss that people see.
const JPEG_QUALITY: u8 = 92;

/// A file that is ready to be kept.
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) format: ImageFormat,
    /// As people see it.
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Decodes the picture and takes away what is not picture.
pub(super) fn kept(
    bytes: &[u8],
    layout: &Layout,
    turning: Turning,
    caps: &Caps,
) -> Result<Kept, Refusal> {
    let orientation = orientation(bytes, layout);
    let is_turned = orientation != Orientation::NoTransforms && turning == Turning::Upright;
    let ((mut width, mut height), turned) = if is_turned {
        let decoded = pixels(bytes, layout)?;
        let size = (decoded.image.width(), decoded.image.height());
        (size, upright(decoded, layout))
    } else {
        (prove(bytes, layout)?, None)
    };
    if lies_on_its_side(orientation) {
        (width, height) = (height, width);
    }
    let turned = turned.filter(|(bytes, _)| bytes.len() as u64 <= caps.bytes);
    let (bytes, format) =
        turned.unwrap_or_else(|| (with_entry(bytes, layout, orientation), layout.format));
    caps.check_bytes(bytes.len())?;
    Ok(Kept {
        bytes,
        format,
        width,
        height,
    })
}

/// The picture turned and encoded anew, with the profile of its colours: as JPEG what was lossy and has no transparency.
fn upright(decoded: Decoded, layout: &Layout) -> Option<(Vec<u8>, ImageFormat)> {
    let Decoded {
        mut image,
        orientation,
        profile,
    } = decoded;
    image.apply_orientation(orientation);
    let is_photo = matches!(layout.format, ImageFormat::Jpeg | ImageFormat::WebP);
    let mut bytes = Cursor::new(Vec::new());
    if is_photo && !image.color().has_alpha() {
        let image = match image {
            DynamicImage::ImageLuma8(_) => image,
            other => other.into_rgb8().into(),
        };
        let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        encode(&image, encoder, profile)?;
        return Some((bytes.into_inner(), ImageFormat::Jpeg));
    }
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    encode(&image, encoder, profile)?;
    Some((bytes.into_inner(), ImageFormat::Png))
}

fn encode(
    image: &DynamicImage,
    mut encoder: impl ImageEncoder,
    profile: Option<Vec<u8>>,
) -> Option<()> {
    if let Some(profile) = profile {
        // an encoder that cannot take one writes none
        let _ = encoder.set_icc_profile(profile);
    }
    image.write_with_encoder(encoder).ok()
}

/// The file as it came, without metadata but for which way up it is.
fn with_entry(bytes: &[u8], layout: &Layout, orientation: Orientation) -> Vec<u8> {
    let mut clean = layout.clean(bytes);
    let entry = (orientation != Orientation::NoTransforms).then(|| entry(orientation));
    match (layout.format, entry) {
        (ImageFormat::WebP, Some(entry)) => webp::with_metadata(&mut clean, Some(&entry)),
        (ImageFormat::Jpeg, Some(entry)) => {
            let body = [&b"Exif\0\0"[..], &entry].concat();
            clean.splice(2..2, jpeg::segment(0xe1, &body));
        }
        (ImageFormat::Png, Some(entry)) => {
            clean.splice(PNG_HEADER..PNG_HEADER, png::chunk(b"eXIf", &entry));
        }
        _ => {}
    }
    clean
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
