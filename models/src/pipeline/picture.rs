//! Pictures: decoded within limits, upright, on white, and prepared for an image encoder.
//!
//! Whoever tells stories decodes first. Bytes may come from anybody, so size, pixels and proportions
//! are checked from the header before anything is allocated for them. Of an animation the first
//! frame counts.

mod resample;

use crate::{Error, Result};
use image::{DynamicImage, ImageDecoder, ImageReader, metadata::Orientation};
use std::io::Cursor;
use tch::{Device, Kind, Tensor};

pub use resample::{efficientnet_input, original_input};

/// What is decoded at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Width times height.
    pub pixels: u64,
    /// The longer side over the shorter one.
    pub aspect: u32,
}

impl Default for Limits {
    /// What cameras and phones make: 20 MiB, 50 megapixels, panoramas up to 1:20.
    fn default() -> Self {
        Self {
            bytes: 20 << 20,
            pixels: 50_000_000,
            aspect: 20,
        }
    }
}

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
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let (mut image, orientation) = read(bytes, limits)?;
        image.apply_orientation(orientation);
        Ok(Self::on_white(image))
    }

    /// As [`Picture::decode`], but with the pixels as they are stored: the original knew no EXIF (algorithm.md §2).
    ///
    /// # Errors
    /// As [`Picture::decode`].
    pub fn decode_as_stored(bytes: &[u8], limits: &Limits) -> Result<Self> {
        Ok(Self::on_white(read(bytes, limits)?.0))
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

/// Decodes a file within limits; says how it is to be turned.
fn read(bytes: &[u8], limits: &Limits) -> Result<(DynamicImage, Orientation)> {
    if bytes.len() > limits.bytes {
        let (found, most) = (bytes.len(), limits.bytes);
        return Err(Error::Picture(format!(
            "it has {found} bytes, {most} are allowed"
        )));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| Error::Picture(error.to_string()))?;
    if reader.format().is_none() {
        let kinds = "it is no JPEG, PNG, WebP or GIF file";
        return Err(Error::Picture(kinds.to_owned()));
    }
    let mut room = image::Limits::default();
    // 16-bit RGBA has 8 bytes a pixel; decoders may need a second buffer
    room.max_alloc = Some(limits.pixels.saturating_mul(20));
    reader.limits(room);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check(width, height, limits)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    Ok((image, orientation))
}

fn check(width: u32, height: u32, limits: &Limits) -> Result<()> {
    let (long, short) = (width.max(height), width.min(height));
    if short == 0 {
        return Err(Error::Picture("it has no pixels".to_owned()));
    }
    if u64::from(width) * u64::from(height) > limits.pixels {
        let most = limits.pixels;
        return Err(Error::Picture(format!(
            "it has {width}×{height} pixels, {most} are allowed"
        )));
    }
    if u64::from(long) > u64::from(short) * u64::from(limits.aspect) {
        let most = limits.aspect;
        let reason =
            format!("it has {width}×{height} pixels, one side may be {most} times the other");
        return Err(Error::Picture(reason));
    }
    Ok(())
}

fn damaged(error: image::ImageError) -> Error {
    Error::Picture(format!("it cannot be decoded: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgba, RgbaImage};

    fn png(width: u32, height: u32, pixel: [u8; 4]) -> Vec<u8> {
        let image = RgbaImage::from_pixel(width, height, Rgba(pixel));
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn transparency_is_laid_on_white() {
        let decode = |pixel| {
            Picture::decode(&png(2, 1, pixel), &Limits::default())
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
        let limits = Limits::default();
        let upright = Picture::decode(&turned, &limits).unwrap();
        assert_eq!((upright.width, upright.height), (20, 40));
        let stored = Picture::decode_as_stored(&turned, &limits).unwrap();
        assert_eq!(stored, Picture::decode(&plain, &limits).unwrap());
    }

    #[test]
    fn what_exceeds_a_limit_is_refused_with_both_numbers() {
        let bytes = png(30, 2, [0; 4]);
        let refuse = |limits: Limits| Picture::decode(&bytes, &limits).unwrap_err().to_string();
        let all = Limits::default();
        let text = refuse(Limits { pixels: 59, ..all });
        assert!(text.contains("30×2") && text.contains("59"), "{text}");
        assert!(refuse(Limits { aspect: 14, ..all }).contains("14 times"));
        assert!(refuse(Limits { bytes: 5, ..all }).contains("5 are allowed"));
    }

    #[test]
    fn what_is_no_picture_or_a_cut_off_one_is_refused() {
        let bytes = png(30, 20, [0; 4]);
        for bytes in [&b"hello"[..], b"", &bytes[..bytes.len() / 2]] {
            assert!(matches!(
                Picture::decode(bytes, &Limits::default()),
                Err(Error::Picture(_))
            ));
        }
    }
}
