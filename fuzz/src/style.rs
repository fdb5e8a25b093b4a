//! Any text as a style or a mix of styles.
//! What must stay true: names are those that files and addresses can have, each once, and shares are numbers above 0 that add up to 1.

use std::collections::BTreeSet;

use jobs::request::parse_style;

/// Shares are scaled, which may cost their last digits.
const NEARLY: f64 = 1e-9;

/// Reads `text` as a mix.
///
/// # Panics
/// When the promise does not hold.
pub fn holds(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let mix = match parse_style(&text) {
        Ok(mix) => mix,
        Err(problem) => {
            assert_eq!(problem.field, "style");
            assert!(problem.message.len() < 2 * text.len() + 500);
            return;
        }
    };
    assert!((1..=8).contains(&mix.len()), "{} styles", mix.len());
    let names: BTreeSet<&str> = mix.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), mix.len(), "a name comes twice");
    for name in names {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        assert!(
            (1..=64).contains(&name.len()) && name.bytes().all(plain),
            "{name}"
        );
    }
    let total: f64 = mix.iter().map(|(_, share)| share).sum();
    assert!((total - 1.0).abs() < NEARLY, "the shares add up to {total}");
    assert!(mix.iter().all(|(_, share)| *share > 0.0 && *share <= 1.0));
    reads_back(&mix);
}

fn reads_back(mix: &[(String, f64)]) {
    // a share may be smaller once it is scaled than a caller may write
    let parts: Vec<String> = mix
        .iter()
        .map(|(name, share)| format!(" {name} : {} ", share * 1e6))
        .collect();
    let Ok(again) = parse_style(&parts.join(",")) else {
        assert!(mix.iter().any(|(_, share)| share * 1e6 < 2e-6), "{mix:?}");
        return;
    };
    for ((name, share), (known, before)) in again.iter().zip(mix) {
        assert_eq!(name, known);
        assert!((share - before).abs() < NEARLY, "{share} was {before}");
    }
}
