//! Entity tags: how a caller says which version of an answer it already has.
//! Used by the job and the page's files. What must stay true: equal bytes have equal tags, in every process.

use actix_web::http::header::HeaderValue;

/// A weak tag of these bytes (FNV-1a, 64 bits: a tag tells versions of one thing apart, it guards nothing).
pub(crate) fn of(bytes: &[u8]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("W/\"{hash:016x}\"")
}

/// Whether an `If-None-Match` header names this tag (weak comparison, RFC 9110 §13.1.2).
pub(crate) fn matches(header: Option<&HeaderValue>, tag: &str) -> bool {
    let Some(header) = header.and_then(|header| header.to_str().ok()) else {
        return false;
    };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    header
        .split(',')
        .any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_matches_itself_in_a_list_weak_or_strong_and_nothing_else() {
        let tag = of(b"one");
        let header =
            |text: &str| HeaderValue::from_str(text).expect("plain text is a header value");
        assert!(matches(Some(&header(&format!("\"x\", {tag}"))), &tag));
        assert!(matches(Some(&header(tag.trim_start_matches("W/"))), &tag));
        assert!(matches(Some(&header("*")), &tag));
        assert!(!matches(Some(&header(&of(b"two"))), &tag));
        assert!(!matches(None, &tag));
    }
}
