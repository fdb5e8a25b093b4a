//! Text to tokens, exactly as the original's encoders saw it: Punkt sentences, then words by the
//! Treebank rules, after Punkt has been run on each sentence once more.
//!
//! Called wherever text meets a skip-thoughts encoder: captions, passages, styles, training. The
//! trained weights only fit this one way of cutting, so the rules are pinned to NLTK 3.1 and held
//! to its printed results by `tests/parity/tokens.rs`. Case is kept.

mod punkt;
mod treebank;

/// Cuts a text into sentences; white space between them is dropped, inside them it is kept.
pub fn sentences(text: &str) -> Vec<String> {
    punkt::sentences(text)
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// Cuts a text into the tokens that the skip-thoughts encoders read.
///
/// Text that is tokenised already comes through nearly unchanged. Text without any token gives
/// an empty list.
pub fn preprocess(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for sentence in punkt::sentences(text) {
        for part in punkt::sentences(sentence) {
            treebank::push_words(part, &mut tokens);
        }
    }
    tokens
}

/// White space as Python's Unicode strings see it: Unicode's, and the four ASCII separators.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}
