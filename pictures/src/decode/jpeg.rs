//! JPEG pixels, by `jpeg-decoder`: the one of the pure decoders that follows every order of scans and every sampling that
//! libjpeg does. Colours are told apart by libjpeg's own rules (`jdapimin.c`), inks as Adobe's programs write them.

use image::{DynamicImage, ImageBuffer, Luma};
use jpeg_decoder::{ColorTransform, Decoder, Error, PixelFormat, UnsupportedFeature};

use super::check_memory;
use crate::layout::{Layout, jpeg::Frame, unreadable};
use crate::refusal::Refusal;

/// Nothing but ones, which is no code in any table (T.81, C.2): a decoder that needs more data than a scan has meets an
/// error here, where it would make gray of the zeros that it would otherwise read. One that has all reads past it.
const NO_CODE: [u8; 64] = {
    let mut filler = [0; 64];
    let mut at = 0;
    while at < filler.len() {
        filler[at] = 0xff;
        at += 2;
    }
    filler
};

/// The pixels, and the profile of the colours that the file has.
pub(super) fn pixels(
    bytes: &[u8],
    layout: &Layout,
) -> Result<(DynamicImage, Option<Vec<u8>>), Refusal> {
    let file = ended(bytes, layout)?;
    let mut decoder = decoder(&file, layout)?;
    let pixels = decoder.decode().map_err(refusal)?;
    let Some(info) = decoder.info() else {
        return Err(unreadable("it has no pixels"));
    };
    let (width, height) = (info.width.into(), info.height.into());
    let image = match info.pixel_format {
        PixelFormat::L8 => {
            ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
        }
        PixelFormat::L16 => {
            let wide = pixels.chunks_exact(2);
            let wide = wide
                .map(|two| u16::from_ne_bytes([two[0], two[1]]))
                .collect();
            ImageBuffer::<Luma<u16>, _>::from_raw(width, height, wide)
                .map(DynamicImage::ImageLuma16)
        }
        PixelFormat::RGB24 => {
            ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
        }
        PixelFormat::CMYK32 => {
            let light = of_inks(&pixels);
            ImageBuffer::from_raw(width, height, light).map(DynamicImage::ImageRgb8)
        }
    };
    let image = image.ok_or_else(|| unreadable("it has fewer pixels than it says"))?;
    Ok((image, decoder.icc_profile()))
}

/// Refuses what [`pixels`] refuses, for half of the work: every code of every scan is read, and of each block of 64 pixels
/// only their mean is computed. Width and height as it would decode them.
pub(super) fn prove(bytes: &[u8], layout: &Layout) -> Result<(u32, u32), Refusal> {
    let file = ended(bytes, layout)?;
    let mut decoder = decoder(&file, layout)?;
    decoder.read_info().map_err(refusal)?;
    let Some(info) = decoder.info() else {
        return Err(unreadable("it has no pixels"));
    };
    decoder.scale(1, 1).map_err(refusal)?;
    decoder.decode().map_err(refusal)?;
    Ok((info.width.into(), info.height.into()))
}

/// The file with an end to each of its scans, if there is memory for its pixels.
fn ended(bytes: &[u8], layout: &Layout) -> Result<Vec<u8>, Refusal> {
    check_memory(u64::from(layout.width) * u64::from(layout.height) * 4)?;
    Ok(layout.with_scans_ended(bytes, &NO_CODE))
}

fn decoder<'a>(file: &'a [u8], layout: &Layout) -> Result<Decoder<&'a [u8]>, Refusal> {
    let mut decoder = Decoder::new(file);
    decoder.set_color_transform(colours(&layout.jpeg)?);
    Ok(decoder)
}

/// What the numbers of its components mean.
fn colours(frame: &Frame) -> Result<ColorTransform, Refusal> {
    Ok(match (&*frame.components, frame.adobe) {
        ([_], _) => ColorTransform::Grayscale,
        ([_, _, _], _) if frame.is_jfif => ColorTransform::YCbCr,
        ([_, _, _], Some(0)) | ([b'R', b'G', b'B'], None) => ColorTransform::RGB,
        ([_, _, _], _) => ColorTransform::YCbCr,
        ([_, _, _, _], None | Some(0)) => ColorTransform::CMYK,
        ([_, _, _, _], _) => ColorTransform::YCCK,
        (others, _) => {
            return Err(unreadable(&format!(
                "it has {} components of colour, and 1, 3 or 4 are read",
                others.len()
            )));
        }
    })
}

/// Red, green and blue of four inks. All programs store them the other way round than one would think, as Adobe's do, with
/// its header or without; the decoder turns them back, so that more is more ink.
fn of_inks(inks: &[u8]) -> Vec<u8> {
    let light = |ink: u8, black: u8| {
        let (left, bright) = (u32::from(255 - ink), u32::from(255 - black));
        ((left * bright + 127) / 255) as u8
    };
    inks.chunks_exact(4)
        .flat_map(|p| [light(p[0], p[3]), light(p[1], p[3]), light(p[2], p[3])])
        .collect()
}

fn refusal(error: Error) -> Refusal {
    let reason = match error {
        Error::Unsupported(UnsupportedFeature::SamplePrecision(bits)) => {
            format!("it is a JPEG of {bits} bits a sample, and 8 are read: save it as a plain JPEG")
        }
        Error::Unsupported(feature) => {
            format!(
                "it is a JPEG with {feature:?}, which is not supported: save it as a plain JPEG"
            )
        }
        Error::Format(text) if text.contains("huffman") => {
            "its pixels are damaged or the file ends in the middle; send it again in full"
                .to_owned()
        }
        Error::Io(_) => "the file ends in the middle; send it again in full".to_owned(),
        other => other.to_string(),
    };
    unreadable(&reason)
}
