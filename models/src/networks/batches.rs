//! Puts sequences of equal length together, so that no padding ever enters a recurrent network.
//!
//! Both sentence encoders use it. The original encodes batches of exactly equal length too
//! (algorithm.md §3.2, §4.2), so no mask is needed.

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

#[cfg(test)]
mod tests {
    use super::by_length;

    #[test]
    fn equal_lengths_go_together_and_empty_ones_stay_out() {
        let batches = by_length([2, 0, 1, 2, 2], 2);
        assert_eq!(batches, [(1, vec![2]), (2, vec![0, 3]), (2, vec![4])]);
    }
}
