//! What the next words cost, as the loop hands it to searches and samplers.
//! On a processor all words are there; from a GPU only the cheapest travel.

/// Costs (−log p) of next words, one row a hypothesis: of every word, or of the cheapest only.
pub(crate) struct RowCosts<'a> {
    costs: &'a [f32],
    words: Option<&'a [i64]>,
    width: usize,
}

impl<'a> RowCosts<'a> {
    /// The costs of all words, row after row.
    pub(crate) fn dense(costs: &'a [f32], width: usize) -> Self {
        Self {
            costs,
            words: None,
            width,
        }
    }

    /// The costs of some words of each row, `width` a row, with the words beside them.
    pub(crate) fn some(costs: &'a [f32], words: &'a [i64], width: usize) -> Self {
        Self {
            costs,
            words: Some(words),
            width,
        }
    }

    /// Visits the words of a row, in rising order of their ids when all words are there.
    pub(crate) fn for_each(&self, row: usize, mut visit: impl FnMut(i64, f32)) {
        let range = row * self.width..(row + 1) * self.width;
        match self.words {
            None => self.costs[range]
                .iter()
                .zip(0..)
                .for_each(|(&cost, word)| visit(word, cost)),
            Some(words) => {
                let pairs = words[range.clone()].iter().zip(&self.costs[range]);
                pairs.for_each(|(&word, &cost)| visit(word, cost));
            }
        }
    }
}
