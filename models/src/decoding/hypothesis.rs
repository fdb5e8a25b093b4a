//! A text on its way with what it costs, and which of many is told.
//! Every search and sampler makes them; costs are sums of −log p, smaller is likelier.

use crate::text::vocabulary::EOS;

/// A text and its cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Ids of the words; the last is the end mark when the text is finished.
    pub words: Vec<i64>,
    /// The sum of −log p.
    pub cost: f32,
}

impl Hypothesis {
    /// Whether the text came to its end.
    pub fn is_finished(&self) -> bool {
        self.words.last() == Some(&EOS)
    }

    /// What the original prints: all words but the last, which for an unfinished text is a real one.
    pub fn text(&self) -> &[i64] {
        &self.words[..self.words.len().saturating_sub(1)]
    }
}

/// The story the original prints: the smallest cost, the first on ties. An empty text is passed over
/// if it is the very first hypothesis (nowhere else). `None` when nothing else is there.
pub fn best(hypotheses: &[Hypothesis]) -> Option<&Hypothesis> {
    let mut best: Option<&Hypothesis> = None;
    for hypothesis in printable(hypotheses) {
        if best.is_none_or(|b| hypothesis.cost < b.cost) {
            best = Some(hypothesis);
        }
    }
    best
}

/// Those that could be printed, [`best`] first, then by their cost.
pub fn ranked(hypotheses: &[Hypothesis]) -> Vec<&Hypothesis> {
    let mut ranked: Vec<_> = printable(hypotheses).iter().collect();
    // a stable order keeps the first of equals first
    ranked.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    ranked
}

fn printable(hypotheses: &[Hypothesis]) -> &[Hypothesis] {
    let first_is_empty = hypotheses.first().is_some_and(|h| h.text().is_empty());
    &hypotheses[usize::from(first_is_empty)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_is_passed_over_only_at_the_front() {
        let text = |words: &[i64], cost| Hypothesis {
            words: words.to_vec(),
            cost,
        };
        assert_eq!(best(&[text(&[0], 1.0)]), None);
        let two = [text(&[0], 1.0), text(&[5, 0], 2.0)];
        assert_eq!(best(&two), Some(&two[1]));
        let tied = [text(&[5, 0], 2.0), text(&[0], 2.0), text(&[0], 1.0)];
        assert_eq!(best(&tied), Some(&tied[2]));
        assert_eq!(ranked(&tied), [&tied[2], &tied[0], &tied[1]]);
        assert_eq!(ranked(&two), [&two[1]]);
    }
}
