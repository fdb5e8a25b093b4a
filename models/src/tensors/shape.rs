//! Which shapes a tensor can have.
//! Readers of files ask before they make one: libtorch multiplies the extents of an empty tensor too, in an order of its own, and
//! what does not fit ends in a panic.

/// Numbers of eight bytes that can be counted at all.
const MOST: usize = i64::MAX as usize / 8;

/// Whether there can be a tensor of these extents, empty or not.
pub fn is_possible(extents: impl IntoIterator<Item = usize>) -> bool {
    let mut whole = extents.into_iter().filter(|extent| *extent > 0);
    let product = whole.try_fold(1, usize::checked_mul);
    product.is_some_and(|product| product <= MOST)
}

#[cfg(test)]
mod tests {
    use super::is_possible;

    #[test]
    fn extents_beside_an_empty_one_count_as_well() {
        assert!(is_possible([]) && is_possible([0, 1 << 40]) && is_possible([2, 3]));
        for wrong in [[0, usize::MAX, 1], [1 << 40, 0, 1 << 40], [1 << 62, 1, 1]] {
            assert!(!is_possible(wrong), "{wrong:?}");
        }
    }
}
