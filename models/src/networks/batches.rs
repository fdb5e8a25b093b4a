//! Puts sequences together so that no padding ever enters a recurrent network.
//!
//! Both sentence encoders use it. The original encodes batches of exactly equal length (algorithm.md §3.2, §4.2), so no mask is
//! needed; of texts that are ordered by length, those that have ended are left out of the next step, to the same end.

use std::collections::BTreeMap;

/// How many sequences go through a network at once.
pub(crate) const AT_ONCE: usize = 128;

/// Groups the indices 0..n by length, shortest first, in pieces of at most `at_once`; the order
/// inside a length is kept. Sequences of length 0 are left out.
pub(crate) fn by_length(
    lengths: impl IntoIterator<Item = usize>,
    at_once: usize,
) -> Vec<(usize, Vec<usize>)> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, length) in lengths
        .into_iter()
        .enumerate()
        .filter(|&(_, length)| length > 0)
    {
        groups.entry(length).or_default().push(index);
    }
    let pieces = groups.into_iter().flat_map(|(length, indices)| {
        let pieces: Vec<_> = indices
            .chunks(at_once)
            .map(|c| (length, c.to_vec()))
            .collect();
        pieces
    });
    pieces.collect()
}

/// The places of all sequences that are not empty, the longest first; of one length in their order.
pub(crate) fn longest_first<T>(sequences: &[Vec<T>]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..sequences.len())
        .filter(|&place| !sequences[place].is_empty())
        .collect();
    places.sort_by_key(|&place| std::cmp::Reverse(sequences[place].len()));
    places
}

#[cfg(test)]
mod tests {
    use super::{by_length, longest_first};

    #[test]
    fn the_longest_sequences_come_first_and_empty_ones_stay_out() {
        let sequences = [vec![1], vec![], vec![1, 2, 3], vec![4]];
        assert_eq!(longest_first(&sequences), [2, 0, 3]);
    }

    #[test]
    fn equal_lengths_go_together_and_empty_ones_stay_out() {
        let batches = by_length([2, 0, 1, 2, 2], 2);
        assert_eq!(batches, [(1, vec![2]), (2, vec![0, 3]), (2, vec![4])]);
    }
}
