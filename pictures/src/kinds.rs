//! A guess at what somebody has sent instead of a picture that we take, so that they know what to convert.
//! Signatures are those of the formats' standards; boxes of ISO 14496-12 are told apart by their brands.

/// Brands of HEIF pictures that HEVC encodes (ISO 23008-12, annex B), and of HEIF in general.
const HEIC: [&[u8; 4]; 9] = [
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"mif1", b"msf1",
];
/// How far into a text its kind is looked for.
const LOOKED_AT: usize = 1024;

/// What the bytes seem to be, with its article.
pub(crate) fn kind_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => boxed(bytes),
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => {
            "a JPEG 2000 picture"
        }
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => "a JPEG XL picture",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "a TIFF or raw picture",
        [b'B', b'M', ..] => "a BMP picture",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop document (PSD)",
        [0, 0, 1 | 2, 0, ..] => "an icon or cursor of Windows (ICO)",
        [b'q', b'o', b'i', b'f', ..] => "a QOI picture",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [b'P', b'K', 3 | 5, ..]
        | [0x1f, 0x8b, ..]
        | [b'7', b'z', 0xbc, 0xaf, ..]
        | [b'R', b'a', b'r', b'!', ..]
        | [0x28, 0xb5, 0x2f, 0xfd, ..]
        | [b'B', b'Z', b'h', ..]
        | [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            "a compressed file or archive (such as zip or gzip)"
        }
        [0x1a, 0x45, 0xdf, 0xa3, ..] | [0, 0, 1, 0xba | 0xb3, ..] => "a film",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', ..] => "a film",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', ..]
        | [b'I', b'D', b'3', ..]
        | [b'O', b'g', b'g', b'S', ..] => "a sound",
        _ => text_of(bytes),
    }
}

/// Files made of boxes: the main brand, then those that it is compatible with.
fn boxed(bytes: &[u8]) -> &'static str {
    let length = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let whole = &bytes[..length.clamp(8, bytes.len().max(8)).min(bytes.len())];
    let brands = || (8..).step_by(4).map_while(|at| whole.get(at..at + 4));
    let has = |wanted: &[&[u8; 4]]| brands().any(|brand| wanted.iter().any(|w| *w == brand));
    if has(&[b"avif", b"avis"]) {
        "an AVIF picture"
    } else if has(&HEIC) {
        "a HEIC picture"
    } else {
        "a film (video)"
    }
}

fn text_of(bytes: &[u8]) -> &'static str {
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    // a character that the cut goes through is no error of the text
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return "something else",
    };
    if text.contains('\0') {
        return "something else";
    }
    let text = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_lowercase();
    let begins = |with: &[&str]| with.iter().any(|with| text.starts_with(with));
    if text.contains("<svg") {
        "an SVG drawing"
    } else if begins(&["<!doctype html", "<html", "<head", "<body"]) || text.contains("<html") {
        "an HTML page"
    } else if begins(&["data:"]) || is_base64(&text) {
        "text in base64 (such as a data: address), not the bytes themselves"
    } else if begins(&["{", "["]) {
        "JSON"
    } else if begins(&["http://", "https://"]) {
        "an address; give it as `image_url`"
    } else {
        "text"
    }
}

/// One long run of base64 and nothing else: a shorter one may be a word.
fn is_base64(text: &str) -> bool {
    let mut letters = text.chars().filter(|letter| !letter.is_whitespace());
    text.len() >= 64
        && !text.trim_end().contains(' ')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || "+/=-_".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn people_learn_what_they_sent_instead() {
        for (bytes, expected) in [
            (&b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"[..], "film"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
            (b"\0\0\0\x18ftypisom\0\0\0\0isomheic\xff", "HEIC"),
            (b"<?xml version='1.0'?>\n<svg width='9'/>", "SVG"),
            (b"<!DOCTYPE html><title>Sign in</title>", "HTML"),
            (b"data:image/jpeg;base64,/9j/4AAQ", "base64"),
            (b"\x1f\x8b\x08\0\xff\xfe", "compressed"),
            (b"PK\x03\x04\xff", "zip"),
            (b"\xff\x0a\x7f\0\xff", "JPEG XL"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
            (b"8BPS\0\x01\xff", "Photoshop"),
        ] {
            let kind = kind_of(bytes);
            assert!(kind.contains(expected), "{expected}: {kind}");
        }
    }
}
