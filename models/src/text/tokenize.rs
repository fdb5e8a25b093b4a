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

/// As [`preprocess`] for a text that Python 2 had as bytes: only ASCII white space separates words.
pub fn preprocess_bytes(text: &str) -> Vec<String> {
    // signs of a private area stand in for the other kinds, which are fewer than a hundred
    let spaces: Vec<char> = {
        let mut found: Vec<char> = text
            .chars()
            .filter(|c| !c.is_ascii() && is_space(*c))
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let stand_in = |place: usize| char::from_u32(0xE000 + place as u32).unwrap_or(' ');
    let swap = |text: &str, back: bool| -> String {
        let one = |c: char| {
            let places = spaces.iter().enumerate();
            let pair = places.map(|(place, &space)| (space, stand_in(place)));
            let mut pair = pair.map(|(a, b)| if back { (b, a) } else { (a, b) });
            pair.find(|(from, _)| *from == c).map_or(c, |(_, to)| to)
        };
        text.chars().map(one).collect()
    };
    let tokens = preprocess(&swap(text, false)).into_iter();
    tokens.map(|token| swap(&token, true)).collect()
}

/// White space as Python's Unicode strings see it: Unicode's, and the four ASCII separators.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}
