//! Text files as people have them: bytes become characters, whatever program wrote them.
//!
//! Whoever reads somebody's text or word list comes through here. A byte order mark says the encoding and is left out;
//! what is no UTF-8 otherwise is taken as Windows-1252, which is Latin-1 with curly quotes and dashes where Latin-1 has
//! control characters (WHATWG Encoding Standard §4.2 treats both names alike, for the same reason).

use crate::error::{Error, Result};
use std::path::Path;

/// A text file of any of these encodings; a pipe is read like a file.
///
/// # Errors
/// When it cannot be read.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| Error::file("read", path, error))?;
    Ok(decode(&bytes))
}

/// The characters of a text's bytes.
pub fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        let (text, _) = encoding.decode_without_bom_handling(&bytes[mark..]);
        return text.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes);
            text.into_owned()
        }
    }
}

/// The text without the mark that some editors put before it: to a reader of lines it is part of the first word.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encodings_of_windows_and_the_web_are_told_apart() {
        assert_eq!(decode(b"caf\xc3\xa9"), "café");
        assert_eq!(decode(b"\xef\xbb\xbfcaf\xc3\xa9"), "café", "with a mark");
        assert_eq!(decode(b"caf\xe9"), "café", "Latin-1");
        let quoted = decode(b"\x93It\x92s late\x94 \x96 he said\x85");
        assert_eq!(quoted, "“It’s late” – he said…");
        assert_eq!(decode(b"\xff\xfea\0\xe9\0"), "aé", "UTF-16, low byte first");
        assert_eq!(
            decode(b"\xfe\xff\0a\0\xe9"),
            "aé",
            "UTF-16, high byte first"
        );
        assert_eq!(decode(b""), "");
    }

    #[test]
    fn only_a_mark_at_the_very_front_is_one() {
        assert_eq!(without_mark("\u{feff}the\ndog"), "the\ndog");
        assert_eq!(without_mark("the\u{feff}"), "the\u{feff}");
    }
}
