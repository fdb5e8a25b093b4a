//! A picture on the terminal, where the terminal can show pictures; `demo` asks.
//! Two protocols are spoken: kitty's (kitty, Ghostty) and iTerm2's (iTerm2, WezTerm, mintty). What must stay true: a terminal
//! that cannot show pictures gets not one byte of them.

use std::io::{Cursor, IsTerminal as _, Write};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Wide enough to know what it is, and the story still fits under it.
const COLUMNS: u32 = 40;
/// Kitty takes no longer piece at once.
const PIECE: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Kitty,
    Iterm,
}

/// Shows the picture; whether it could.
///
/// # Errors
/// When the picture cannot be read or the terminal is gone.
pub(crate) fn show(out: &mut impl Write, picture: &Path) -> anyhow::Result<bool> {
    let spoken = std::io::stdout()
        .is_terminal()
        .then(|| protocol(|name| std::env::var(name).ok()));
    let Some(protocol) = spoken.flatten() else {
        return Ok(false);
    };
    let bytes =
        std::fs::read(picture).with_context(|| format!("cannot read {}", picture.display()))?;
    match protocol {
        Protocol::Iterm => {
            let text = STANDARD.encode(&bytes);
            writeln!(
                out,
                "\x1b]1337;File=inline=1;width={COLUMNS};size={}:{text}\x07",
                bytes.len()
            )?;
        }
        Protocol::Kitty => kitty(out, &bytes)?,
    }
    Ok(true)
}

/// What the terminal says of itself.
fn protocol(variable: impl Fn(&str) -> Option<String>) -> Option<Protocol> {
    let terminal = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    // inside tmux and screen the sequences would need another wrapping, and not every one is passed on
    if terminal.starts_with("screen") || terminal.starts_with("tmux") {
        return None;
    }
    if terminal == "xterm-kitty" || terminal == "xterm-ghostty" {
        return Some(Protocol::Kitty);
    }
    let iterm = ["iTerm.app", "WezTerm", "mintty"].contains(&program.as_str());
    iterm.then_some(Protocol::Iterm)
}

/// Kitty takes PNG only, in pieces.
fn kitty(out: &mut impl Write, bytes: &[u8]) -> anyhow::Result<()> {
    let picture = image::load_from_memory(bytes).context("the picture cannot be read")?;
    let mut png = Cursor::new(Vec::new());
    picture
        .thumbnail(640, 480)
        .write_to(&mut png, image::ImageFormat::Png)?;
    let text = STANDARD.encode(png.into_inner());
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(PIECE).collect();
    for (place, piece) in pieces.iter().enumerate() {
        let more = u8::from(place + 1 < pieces.len());
        let head = if place == 0 {
            format!("a=T,f=100,c={COLUMNS},")
        } else {
            String::new()
        };
        write!(out, "\x1b_G{head}m={more};")?;
        out.write_all(piece)?;
        write!(out, "\x1b\\")?;
    }
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn in_terminal(terminal: &str, program: &str) -> Option<Protocol> {
        protocol(|name| match name {
            "TERM" => Some(terminal.to_owned()),
            "TERM_PROGRAM" => Some(program.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn only_terminals_that_show_pictures_get_one() {
        assert_eq!(in_terminal("xterm-kitty", ""), Some(Protocol::Kitty));
        assert_eq!(
            in_terminal("xterm-256color", "WezTerm"),
            Some(Protocol::Iterm)
        );
        assert_eq!(in_terminal("xterm-256color", ""), None);
        assert_eq!(in_terminal("tmux-256color", "iTerm.app"), None);
    }

    #[test]
    fn a_large_picture_goes_to_kitty_in_pieces() {
        let noise = image::RgbImage::from_fn(200, 200, |x, y| {
            image::Rgb([(x * y) as u8, (x ^ y) as u8, (x * 7 + y * y) as u8])
        });
        let mut png = Cursor::new(Vec::new());
        noise.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let mut out = Vec::new();
        kitty(&mut out, &png.into_inner()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("\x1b_Ga=T,f=100,c=40,m=1;"));
        assert_eq!(
            text.matches(",m=1;").count() + text.matches("_Gm=1;").count() + 1,
            text.matches("\x1b\\").count()
        );
        assert!(text.trim_end().ends_with("\x1b\\"));
    }
}
