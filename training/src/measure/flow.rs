//! How sentences follow one another: how long they are, whether they begin alike, whether they only say what there was.
//!
//! `measure::stories` has these beside its other numbers, for stories and for passages by people, who vary how they begin.

use models::text::sentences::sentences;

use super::words::words;

/// The sentences of a set of stories.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Flow {
    /// Words of a sentence, on average.
    pub words_a_sentence: f64,
    /// Sentences that begin with the word that the one before began with, in per cent of those that have one before.
    pub begin_alike: f64,
    /// Sentences that begin as "there was" or "it was" do, in per cent.
    pub only_state: f64,
}

/// Of all sentences of these texts; zeros if there are none.
pub fn flow<'a>(texts: impl Iterator<Item = &'a str>) -> Flow {
    let (mut count, mut length, mut pairs, mut alike, mut states) = (0, 0, 0, 0, 0);
    for text in texts {
        let sentences = sentences(text).into_iter().map(words);
        let sentences: Vec<Vec<String>> = sentences.filter(|words| !words.is_empty()).collect();
        count += sentences.len();
        length += sentences.iter().map(Vec::len).sum::<usize>();
        states += sentences.iter().filter(|words| only_states(words)).count();
        let neighbours = sentences.windows(2);
        pairs += neighbours.len();
        alike += neighbours.filter(|two| two[0][0] == two[1][0]).count();
    }
    let share = |some: usize, of: usize| 100.0 * some as f64 / of.max(1) as f64;
    Flow {
        words_a_sentence: length as f64 / count.max(1) as f64,
        begin_alike: share(alike, pairs),
        only_state: share(states, count),
    }
}

fn only_states(words: &[String]) -> bool {
    matches!(words, [first, second, ..]
        if matches!(first.as_str(), "there" | "it") && matches!(second.as_str(), "was" | "were" | "is" | "are"))
}

#[cfg(test)]
mod tests {
    use super::flow;

    #[test]
    fn sentences_that_begin_alike_or_only_state_are_counted() {
        let texts = [
            "There was a cat. There sat a dog, too. It was late.",
            "He came.",
        ];
        let flow = flow(texts.into_iter());
        assert_eq!(flow.words_a_sentence, (4.0 + 5.0 + 3.0 + 2.0) / 4.0);
        assert_eq!(flow.begin_alike, 50.0);
        assert_eq!(flow.only_state, 50.0);
    }

    #[test]
    fn no_text_has_no_flow() {
        assert_eq!(flow([].into_iter()).words_a_sentence, 0.0);
    }
}
