//! How pickles spell numbers and strings.
//!
//! Protocol 0 writes Python source: quoted strings with escapes, numbers as decimal text. Whatever
//! does not parse is refused with the text that was found.

use std::str::FromStr;

/// A number in decimal text.
pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is not a number"))
}

/// A little-endian two's complement number of any length; beyond 64 bits the upper ones are lost.
pub(super) fn long(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let mut whole = [if negative { 0xff } else { 0 }; 8];
    let count = bytes.len().min(8);
    whole[..count].copy_from_slice(&bytes[..count]);
    i64::from_le_bytes(whole)
}

/// The bytes of a string in Python 2 notation, `'it\'s'` or `"it's"`.
pub(super) fn unquote(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{text:?} is not a quoted string");
    let quote = text
        .chars()
        .next()
        .filter(|c| ['\'', '"'].contains(c))
        .ok_or_else(wrong)?;
    let inner = text[1..].strip_suffix(quote).ok_or_else(wrong)?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next().ok_or_else(wrong)? {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'x' => {
                let digits = [
                    rest.next().ok_or_else(wrong)?,
                    rest.next().ok_or_else(wrong)?,
                ];
                let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
            }
            other => bytes.push(other),
        }
    }
    Ok(bytes)
}

/// A Unicode string in protocol 0: only `\uXXXX` and `\UXXXXXXXX` are escapes.
pub(super) fn unescape_unicode(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        let length = match rest.as_bytes().get(place + 1) {
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => {
                out.push_str(&rest[..=place]);
                rest = &rest[place + 1..];
                continue;
            }
        };
        let digits = rest.get(place + 2..place + 2 + length);
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let letter = code.and_then(char::from_u32);
        out.push_str(&rest[..place]);
        out.push(letter.ok_or_else(|| format!("{text:?} holds a broken escape"))?);
        rest = &rest[place + 2 + length..];
    }
    Ok(out + rest)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_keep_their_sign() {
        assert_eq!(long(&[]), 0);
        assert_eq!(long(&[0xff]), -1);
        assert_eq!(long(&[0x00, 0x01]), 256);
        assert_eq!(long(&[0xff, 0x00]), 255);
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unquote(r"'a\'b\\\x41\n'").unwrap(), b"a'b\\A\n");
        assert_eq!(unquote("\"it's\"").unwrap(), b"it's");
        assert!(unquote("'open").is_err() && unquote("é").is_err() && unquote("").is_err());
        assert_eq!(unescape_unicode(r"a\u00e9\n").unwrap(), "aé\\n");
        assert!(unescape_unicode(r"\u00").is_err());
    }
}
