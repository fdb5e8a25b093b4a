//! Pictures as the networks see them: upright, on white, and prepared for an image encoder.
//!
//! Whoever tells stories decodes first, by the one decoder of `pictures`; of an animation the first frame counts.

mod resample;

use crate::error::{Error, Result};
use image::DynamicImage;
use pictures::Decoded;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use tch::{Device, Kind, Tensor};

pub use pictures::Caps;
pub use resample::{EFFICIENTNET_SIDE, efficientnet_input, original_input};

/// A picture as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Red, green, blue of each pixel, row after row.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Decodes a JPEG, PNG, WebP or GIF file: turned upright as its EXIF entry says, transparency
    /// laid on white, any kind of pixel as 8-bit RGB.
    ///
    /// # Errors
    /// When the file is none of these, is damaged, or exceeds a limit; the message says which.
    pub fn decode(bytes: &[u8], caps: &Caps) -> Result<Self> {
        let mut decoded = read(bytes, caps)?;
        decoded.image.apply_orientation(decoded.orientation);
        Ok(Self::on_white(decoded.image))
    }

    /// As [`Picture::decode`], but with the pixels as they are stored: the original knew no EXIF (algorithm.md §2).
    ///
    /// # Errors
    /// As [`Picture::decode`].
    pub fn decode_as_stored(bytes: &[u8], caps: &Caps) -> Result<Self> {
        Ok(Self::on_white(read(bytes, caps)?.image))
    }

    /// The bytes of a picture's file, but never more than one too many for `caps`: a device may go on for ever.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file(path: &Path, caps: &Caps) -> Result<Vec<u8>> {
        let failed = |error| Error::file("read", path, error);
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(caps.bytes + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Ok(bytes)
    }

    fn on_white(image: DynamicImage) -> Self {
        let (width, height) = (image.width(), image.height());
        if !image.color().has_alpha() {
            return Self {
                width,
                height,
                rgb: image.into_rgb8().into_raw(),
            };
        }
        let rgba = image.into_rgba8().into_raw();
        let over = |value: u8, alpha: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        let rgb = rgba
            .chunks_exact(4)
            .flat_map(|p| [over(p[0], p[3]), over(p[1], p[3]), over(p[2], p[3])]);
        Self {
            width,
            height,
            rgb: rgb.collect(),
        }
    }

    /// The pixels (H, W, 3) as bytes.
    fn pixels(&self) -> Tensor {
        let shape = [i64::from(self.height), i64::from(self.width), 3];
        Tensor::from_data_size(&self.rgb, &shape, Kind::Uint8).to_device(Device::Cpu)
    }
}

fn read(bytes: &[u8], caps: &Caps) -> Result<Decoded> {
    pictures::decode(bytes, caps).map_err(|refusal| Error::Picture(refusal.reason().to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgba, RgbaImage};
    use std::io::Cursor;

    fn png(width: u32, height: u32, pixel: [u8; 4]) -> Vec<u8> {
        let image = RgbaImage::from_pixel(width, height, Rgba(pixel));
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn transparency_is_laid_on_white() {
        let decode = |pixel| {
            Picture::decode(&png(2, 1, pixel), &Caps::default())
                .unwrap()
                .rgb
        };
        assert_eq!(decode([10, 20, 30, 0]), [255; 6]);
        assert_eq!(decode([10, 20, 30, 255]), [10, 20, 30, 10, 20, 30]);
        assert_eq!(decode([0, 0, 0, 51])[0], 204);
    }

    #[test]
    fn a_turned_picture_is_upright_for_people_and_as_stored_for_the_original() {
        let mut plain = Cursor::new(Vec::new());
        let image = image::RgbImage::from_pixel(40, 20, image::Rgb([9, 99, 199]));
        image.write_to(&mut plain, ImageFormat::Jpeg).unwrap();
        let plain = plain.into_inner();
        // an EXIF block that says only: turn 90° clockwise to see it upright
        let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let length = (exif.len() as u16 + 2).to_be_bytes();
        let turned = [&plain[..2], &[0xff, 0xe1], &length, exif, &plain[2..]].concat();
        let caps = Caps::default();
        let upright = Picture::decode(&turned, &caps).unwrap();
        assert_eq!((upright.width, upright.height), (20, 40));
        let stored = Picture::decode_as_stored(&turned, &caps).unwrap();
        assert_eq!(stored, Picture::decode(&plain, &caps).unwrap());
    }

    #[test]
    fn what_exceeds_a_limit_is_refused_with_both_numbers() {
        let bytes = png(30, 2, [0; 4]);
        let refuse = |caps: Caps| Picture::decode(&bytes, &caps).unwrap_err().to_string();
        let all = Caps::default();
        let text = refuse(Caps { pixels: 59, ..all });
        assert!(
            text.contains("30×2") && text.contains("megapixels"),
            "{text}"
        );
        assert!(refuse(Caps { aspect: 14, ..all }).contains("14 times"));
        assert!(refuse(Caps { bytes: 5, ..all }).contains("5 are allowed"));
    }

    #[test]
    fn what_is_no_picture_or_a_cut_off_one_is_refused() {
        let bytes = png(30, 20, [0; 4]);
        for bytes in [&b"hello"[..], b"", &bytes[..bytes.len() / 2]] {
            assert!(matches!(
                Picture::decode(bytes, &Caps::default()),
                Err(Error::Picture(_))
            ));
        }
    }
}
