//! What is taken at most: the one set of limits, of the API that takes pictures in, of the worker that decodes them, and of
//! the command line.

use crate::refusal::Refusal;

/// Limits of a picture.
#[derive(Clone, Debug)]
pub struct Caps {
    /// Bytes of the file.
    pub bytes: u64,
    /// Width times height.
    pub pixels: u64,
    /// The longer side over the shorter one: the networks look at a square.
    pub aspect: u32,
}

impl Default for Caps {
    /// What cameras and phones make: 20 MiB, 50 megapixels, panoramas up to 1:20.
    fn default() -> Self {
        Caps {
            bytes: 20 * 1024 * 1024,
            pixels: 50_000_000,
            aspect: 20,
        }
    }
}

impl Caps {
    /// # Errors
    /// `TooLarge`, with both numbers.
    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), Refusal> {
        let most = self.bytes;
        if bytes as u64 > most {
            return Err(Refusal::TooLarge(format!(
                "it has {bytes} bytes, and at most {most} are allowed"
            )));
        }
        Ok(())
    }

    /// # Errors
    /// `TooLarge`, or `Unreadable` for a picture without pixels.
    pub(crate) fn check_size(&self, (width, height): (u32, u32)) -> Result<(), Refusal> {
        if width == 0 || height == 0 {
            let reason = "it says that it has no pixels";
            return Err(Refusal::Unreadable(reason.to_owned()));
        }
        if u64::from(width) * u64::from(height) > self.pixels {
            let most = self.pixels / 1_000_000;
            return Err(Refusal::TooLarge(format!(
                "it has {width}×{height} pixels, and at most {most} megapixels are allowed"
            )));
        }
        let (long, short) = (width.max(height), width.min(height));
        if u64::from(long) > u64::from(short) * u64::from(self.aspect) {
            let most = self.aspect;
            return Err(Refusal::TooLarge(format!(
                "it has {width}×{height} pixels, and one side may be at most {most} times the other"
            )));
        }
        Ok(())
    }
}
