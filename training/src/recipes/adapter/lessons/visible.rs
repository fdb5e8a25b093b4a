//! What a passage says of visible things: its words that can be told, and the sentence that shows most.
//! `lessons` reads each passage with it once.

use std::collections::{HashMap, HashSet};

use models::text::words::{WordList, plain_words, stem};

/// The words of a text that can be told, with how much they matter: what can be seen counts three times.
pub(super) fn said(
    text: &str,
    words: &WordList,
    is_seen: &dyn Fn(&str) -> bool,
) -> Vec<(usize, f64)> {
    let mut weights: HashMap<usize, f64> = HashMap::new();
    let lower = text.to_lowercase();
    for word in plain_words(&lower) {
        if let Some(place) = words.find(word) {
            *weights.entry(place).or_default() += if is_seen(word) { 3.0 } else { 1.0 };
        }
    }
    let mut said: Vec<(usize, f64)> = weights.into_iter().collect();
    said.sort_by_key(|&(word, _)| word);
    said
}

/// The sentence with the largest share of words of visible things.
pub(super) fn most_visible(sentences: &[String], is_seen: &dyn Fn(&str) -> bool) -> usize {
    let share = |sentence: &String| {
        let lower = sentence.to_lowercase();
        let words: Vec<&str> = plain_words(&lower).collect();
        let seen = words.iter().filter(|word| is_seen(word)).count();
        seen as f64 / words.len().max(8) as f64
    };
    let shares: Vec<f64> = sentences.iter().map(share).collect();
    (0..shares.len())
        .max_by(|&a, &b| shares[a].total_cmp(&shares[b]).then(b.cmp(&a)))
        .unwrap_or(0)
}

/// Words that captions use: what can be seen.
pub fn visible_words(captions: &[String], words: &WordList) -> HashSet<String> {
    let mut stems: HashMap<String, usize> = HashMap::new();
    let mut forms: HashMap<String, usize> = HashMap::new();
    for caption in captions {
        let lower = caption.to_lowercase();
        for word in plain_words(&lower) {
            if words.find(word).is_some() {
                *forms.entry(word.to_owned()).or_default() += 1;
                *stems.entry(stem(word).to_owned()).or_default() += 1;
            }
        }
    }
    let often = captions.len() / 2000;
    let seen = forms.into_keys().filter(|word| stems[stem(word)] > often);
    seen.collect()
}
