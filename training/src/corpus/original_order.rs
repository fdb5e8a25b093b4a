//! The order in which the original numbered equally frequent words.
//!
//! It sorted counts with NumPy 1.11's unstable quicksort and turned the order round. Which of two equal words comes first
//! decides ids, so a dictionary built anew only fits published weights if that very sort is done: median of three,
//! partitions of at most 16 by insertion (NumPy's `aquicksort`, as documented by its results).

use std::collections::HashMap;

/// Stretches of up to this many and one more are sorted by insertion.
const SHORT: usize = 15;

/// A dictionary as the original's `build_dictionary` made it.
#[derive(Clone, Debug)]
pub struct OriginalDictionary {
    /// Words with their counts, as they were first met.
    pub first_seen: Vec<(String, usize)>,
    /// Words by their number, from 2 on.
    pub words: Vec<String>,
}

/// Counts the words of sentences (at white space) and numbers them.
pub fn original_dictionary<'a>(sentences: impl Iterator<Item = &'a str>) -> OriginalDictionary {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut first_seen: Vec<(String, usize)> = Vec::new();
    for word in sentences.flat_map(str::split_whitespace) {
        let place = *places.entry(word).or_insert(first_seen.len());
        match first_seen.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => first_seen.push((word.to_owned(), 1)),
        }
    }
    let counts: Vec<usize> = first_seen.iter().map(|&(_, count)| count).collect();
    let order = rising(&counts);
    let words = order
        .into_iter()
        .rev()
        .map(|place| first_seen[place].0.clone());
    OriginalDictionary {
        words: words.collect(),
        first_seen,
    }
}

/// The places of the counts from the smallest to the largest.
fn rising(counts: &[usize]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    sort(counts, &mut order);
    order
}

fn sort(counts: &[usize], order: &mut [usize]) {
    let mut part = order;
    while part.len() > SHORT + 1 {
        let split = partition(counts, part);
        let (left, right) = part.split_at_mut(split);
        let right = &mut right[1..];
        // the shorter side first, so that the recursion stays flat; the sides do not touch each other
        if left.len() < right.len() {
            sort(counts, left);
            part = right;
        } else {
            sort(counts, right);
            part = left;
        }
    }
    for end in 1..part.len() {
        let mut place = end;
        while place > 0 && counts[part[place]] < counts[part[place - 1]] {
            part.swap(place, place - 1);
            place -= 1;
        }
    }
}

/// Puts the median of first, middle and last where it belongs; returns its place.
fn partition(counts: &[usize], part: &mut [usize]) -> usize {
    let (middle, last) = ((part.len() - 1) / 2, part.len() - 1);
    for (a, b) in [(middle, 0), (last, middle), (middle, 0)] {
        if counts[part[a]] < counts[part[b]] {
            part.swap(a, b);
        }
    }
    let pivot = counts[part[middle]];
    let (mut up, mut down) = (0, last - 1);
    part.swap(middle, down);
    loop {
        up += 1;
        while counts[part[up]] < pivot {
            up += 1;
        }
        down -= 1;
        while pivot < counts[part[down]] {
            down -= 1;
        }
        if up >= down {
            break;
        }
        part.swap(up, down);
    }
    part.swap(up, last - 1);
    up
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_rise_whatever_their_order() {
        let counts: Vec<usize> = (0..500).map(|i| i * 7919 % 101).collect();
        let order = rising(&counts);
        assert!(order.windows(2).all(|two| counts[two[0]] <= counts[two[1]]));
        let mut all = order.clone();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..500), "each word once");
    }
}
