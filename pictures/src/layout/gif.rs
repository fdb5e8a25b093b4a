//! The structure of a GIF file: a screen, then blocks up to a trailer.
//! What must stay true: a second picture makes it an animation; comments and application data go.

use image::ImageFormat;

use super::{Layout, Reader, unreadable};
use crate::refusal::Refusal;

const PICTURE: u8 = 0x2c;
const EXTENSION: u8 = 0x21;
const TRAILER: u8 = 0x3b;
/// Transparency of the picture that follows.
const GRAPHIC_CONTROL: u8 = 0xf9;

pub(super) fn layout(bytes: &[u8]) -> Result<Layout, Refusal> {
    let mut layout = Layout::new(ImageFormat::Gif);
    let mut reader = Reader::new(bytes, 6);
    layout.width = u16::from_le_bytes(reader.array()?).into();
    layout.height = u16::from_le_bytes(reader.array()?).into();
    let [flags, _, _] = reader.array()?;
    skip_colours(&mut reader, flags)?;
    layout.keep(0..reader.at);
    let mut pictures = 0;
    loop {
        let start = reader.at;
        let next = if reader.is_done() && pictures > 0 {
            TRAILER
        } else {
            reader.byte()?
        };
        match next {
            PICTURE => {
                let flags = reader.take(9)?[8];
                skip_colours(&mut reader, flags)?;
                reader.byte()?;
                skip_blocks(&mut reader)?;
                pictures += 1;
                layout.animated = pictures > 1;
                layout.keep(start..reader.at);
            }
            EXTENSION => {
                let kind = reader.byte()?;
                skip_blocks(&mut reader)?;
                if kind == GRAPHIC_CONTROL {
                    layout.keep(start..reader.at);
                }
            }
            TRAILER if pictures == 0 => return Err(unreadable("it has no pixels")),
            // other bytes after a whole picture end it as well, as in every browser
            _ if pictures > 0 => {
                layout.write(&[TRAILER]);
                return Ok(layout);
            }
            _ => return Err(unreadable("its GIF structure is broken")),
        }
    }
}

/// A table of colours, if the flags say that there is one.
fn skip_colours(reader: &mut Reader<'_>, flags: u8) -> Result<(), Refusal> {
    if flags & 0x80 != 0 {
        reader.take(3 << ((flags & 7) + 1))?;
    }
    Ok(())
}

/// Blocks of up to 255 bytes, ended by an empty one.
fn skip_blocks(reader: &mut Reader<'_>) -> Result<(), Refusal> {
    loop {
        let length = reader.byte()?;
        if length == 0 {
            return Ok(());
        }
        reader.take(length.into())?;
    }
}
