//! Any file taken in as a picture.
//! What must stay true: what is kept keeps to the caps, decodes to the size that was said, carries no metadata but which way up it
//! is, and is kept unchanged when it is taken in again.

use std::io::Cursor;

use bytes::Bytes;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use pictures::intake::check;
use pictures::{Caps, Decoded, TakenIn, Turning, decode};
use sha2::{Digest as _, Sha256};

/// Small, so that a fuzzer tries many: the checks are the same at any size.
fn caps() -> Caps {
    Caps {
        bytes: 64 * 1024,
        pixels: 4_000,
        ..Caps::default()
    }
}

/// Takes `file` in both ways.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(file: &[u8]) {
    let bytes = Bytes::copy_from_slice(file);
    let decoded = decode(file, &caps());
    for turning in [Turning::Upright, Turning::AsSent] {
        let Ok(taken) = check(&bytes, turning, &caps()) else {
            continue;
        };
        let sent = decoded.as_ref().expect("what is taken in decodes");
        keeps_to_the_caps(&taken);
        let kept = decode(&taken.bytes, &caps()).expect("what is kept decodes");
        shows_what_was_sent(sent, &kept, (&taken, turning));
        has_no_metadata(&taken);
        let again = check(&taken.bytes, turning, &caps()).expect("what is kept is taken in");
        assert_eq!(again.bytes, taken.bytes, "taken in again, it changes");
    }
}

fn keeps_to_the_caps(taken: &TakenIn) {
    let caps = caps();
    assert!(taken.bytes.len() as u64 <= caps.bytes);
    assert!(u64::from(taken.width) * u64::from(taken.height) <= caps.pixels);
    assert_eq!(taken.sha256, hex::encode(Sha256::digest(&taken.bytes)));
}

fn shows_what_was_sent(sent: &Decoded, kept: &Decoded, (taken, turning): (&TakenIn, Turning)) {
    assert_eq!(size_upright(kept), (taken.width, taken.height));
    assert_eq!(size_upright(sent), (taken.width, taken.height));
    if turning == Turning::AsSent {
        assert_eq!(kept.orientation, sent.orientation);
    }
    if kept.orientation == sent.orientation {
        assert_eq!(kept.image, sent.image, "other pixels are kept");
    } else {
        assert_eq!(kept.orientation, Orientation::NoTransforms);
    }
}

fn size_upright(decoded: &Decoded) -> (u32, u32) {
    let mut small = DynamicImage::new_luma8(2, 1);
    small.apply_orientation(decoded.orientation);
    let (width, height) = (decoded.image.width(), decoded.image.height());
    if small.width() == 1 {
        (height, width)
    } else {
        (width, height)
    }
}

/// Asks two readers that are not ours.
fn has_no_metadata(taken: &TakenIn) {
    let mut file = Cursor::new(&taken.bytes);
    if let Ok(found) = exif::Reader::new().read_from_container(&mut file) {
        for field in found.fields() {
            assert_eq!(field.tag, exif::Tag::Orientation, "{field:?} is kept");
        }
    }
    let format = ImageFormat::from_mime_type(taken.media_type).unwrap();
    let file = ImageReader::with_format(Cursor::new(&taken.bytes), format);
    // it takes fewer files than ours
    let Ok(mut decoder) = file.into_decoder() else {
        return;
    };
    for (kind, found) in [
        ("XMP", decoder.xmp_metadata()),
        ("IPTC", decoder.iptc_metadata()),
    ] {
        assert!(found.is_ok_and(|found| found.is_none()), "{kind} is kept");
    }
}
