//! How much better a sentence reads where it stands than it would at the beginning of any text.
//!
//! What is likely everywhere says nothing: "He did not know what to do". What is likely here alone belongs here: it goes on from
//! what was said, and speaks of what is seen (maximum mutual information, Li et al. 2016). `choosing` asks for the sentences that
//! are best otherwise, since reading them anew costs as much as drawing a few tokens.

use super::Language;
use crate::error::Result;

/// A nat of log probability that the mean token gains by what stands before it.
const BELONGING: f64 = 2.0;
/// A text begins with any of many words, a sentence within it with one of few: so many nats are gained by every sentence, and
/// would make short ones look better (fitted to 775 drafts).
const OF_ANY: f64 = 10.4;

/// What each of these sentences gains by how much it belongs here, given the mean log probability it was drawn with.
///
/// # Errors
/// When a text cannot be split into tokens.
pub(super) fn belonging(language: &Language, drawn: &[(&str, f64)]) -> Result<Vec<f64>> {
    let texts: Vec<&str> = drawn.iter().map(|(text, _)| *text).collect();
    let anywhere = language.writer.fluency(&texts)?;
    let gained = drawn.iter().zip(anywhere);
    Ok(gained
        .map(|((text, here), anywhere)| BELONGING * gain(here - anywhere, words_in(text)))
        .collect())
}

/// The nats that a token of a sentence gains more than those of every sentence of so many words do.
fn gain(nats: f64, words: usize) -> f64 {
    nats - OF_ANY / words.max(1) as f64
}

fn words_in(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::gain;

    #[test]
    fn what_every_sentence_gains_does_not_count() {
        // a short and a long draft, as many nats a token better than drafts of their lengths are
        let typical = |words: usize| 0.5 + 10.4 / words as f64;
        let (short, long) = (gain(typical(4) + 0.3, 4), gain(typical(26) + 0.3, 26));
        assert!((short - long).abs() < 1e-9);
        assert!(gain(typical(8) + 0.3, 8) > gain(typical(8), 8));
        assert!(gain(0.0, 0).is_finite());
    }
}
