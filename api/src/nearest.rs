//! Finds the name somebody probably meant. Used for unknown styles and unknown fields.
//! What must stay true: no suggestion is better than a wild one.

use strsim::levenshtein;

/// The name in `known` that is a slip of the keyboard away from `typed`.
pub(crate) fn nearest<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    // a third of the letters may be wrong: `romanse` is romance, `gothic` is nothing we have
    let most = (typed.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (levenshtein(&typed, &name.to_lowercase()), name))
        .filter(|(slips, _)| *slips <= most)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_the_name_that_was_meant_and_a_stranger_finds_none() {
        let styles = ["romance", "adventure", "lyrics"];
        assert_eq!(nearest("Romanse", styles), Some("romance"));
        assert_eq!(nearest("advnture", styles), Some("adventure"));
        assert_eq!(nearest("gothic", styles), None);
        assert_eq!(nearest("", styles), None);
    }
}
