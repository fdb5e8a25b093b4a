//! What counts as a word where texts are measured.
//! Lower-case and stripped of marks, so that no number depends on how a text was set.

/// The words of a text: lower-case, without marks.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase()
        })
        .filter(|word| !word.is_empty())
        .collect()
}
