//! In which order examples are seen: rounds of batches, each round drawn from the seed and its own number.
//!
//! All trainers use it. So the batch of any update can be told without those before it, which is what makes a resumed
//! course the same as an uninterrupted one. Every round of one kind has the same number of batches.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::parameters::shuffle;

/// How examples come together in batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// Anything with anything; what does not fill a batch waits for another round.
    Random,
    /// Neighbours in length.
    Similar,
    /// The same length only, batches in random order.
    Equal,
    /// The same length only, the lengths taking turns until each has run out: the original's (algorithm.md §7.4).
    Turns,
}

/// The rounds of a course.
#[derive(Debug)]
pub struct Rounds {
    lengths: Vec<usize>,
    grouping: Grouping,
    size: usize,
    seed: u64,
    drawn: (u64, Vec<Vec<usize>>),
}

impl Rounds {
    /// Rounds over examples of these lengths, in batches of at most `size`.
    pub fn new(lengths: Vec<usize>, grouping: Grouping, size: usize, seed: u64) -> Rounds {
        let mut rounds = Rounds {
            lengths,
            grouping,
            size: size.max(1),
            seed,
            drawn: (0, Vec::new()),
        };
        rounds.drawn.1 = rounds.draw(0);
        rounds
    }

    /// How many batches a round has.
    pub fn batches(&self) -> usize {
        self.drawn.1.len()
    }

    /// The examples of an update.
    ///
    /// # Panics
    /// When there are no batches: trainers check that there is something to train on.
    pub fn batch(&mut self, update: usize) -> &[usize] {
        let (round, place) = (update / self.batches(), update % self.batches());
        if self.drawn.0 != round as u64 {
            self.drawn = (round as u64, self.draw(round as u64));
        }
        &self.drawn.1[place]
    }

    fn draw(&self, round: u64) -> Vec<Vec<usize>> {
        let mut random = luck(self.seed, round);
        let mut all: Vec<usize> = (0..self.lengths.len()).collect();
        shuffle(&mut all, &mut random);
        match self.grouping {
            Grouping::Random => all.chunks_exact(self.size).map(<[usize]>::to_vec).collect(),
            Grouping::Similar => {
                all.sort_by_key(|&index| self.lengths[index]);
                let mut batches: Vec<_> = all.chunks(self.size).map(<[usize]>::to_vec).collect();
                shuffle(&mut batches, &mut random);
                batches
            }
            Grouping::Equal => {
                let mut batches: Vec<_> = self.by_length(&all).into_iter().flatten().collect();
                shuffle(&mut batches, &mut random);
                batches
            }
            Grouping::Turns => {
                let mut groups = self.by_length(&all);
                shuffle(&mut groups, &mut random);
                taking_turns(groups)
            }
        }
    }

    /// Batches of equal length, a list for each length.
    fn by_length(&self, all: &[usize]) -> Vec<Vec<Vec<usize>>> {
        let mut groups = std::collections::BTreeMap::<usize, Vec<usize>>::new();
        for &index in all {
            groups.entry(self.lengths[index]).or_default().push(index);
        }
        let pieces = |group: Vec<usize>| group.chunks(self.size).map(<[usize]>::to_vec).collect();
        groups.into_values().map(pieces).collect()
    }
}

/// What is drawn for the `number`th round or update of a course, and for nothing else.
pub(crate) fn luck(seed: u64, number: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number + 1);
    random
}

/// The first batch of each group, the second of each that has one, and so on.
fn taking_turns(groups: Vec<Vec<Vec<usize>>>) -> Vec<Vec<usize>> {
    let most = groups.iter().map(Vec::len).max().unwrap_or(0);
    (0..most)
        .flat_map(|turn| groups.iter().filter_map(move |group| group.get(turn)))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [usize; 9] = [3, 5, 3, 5, 3, 7, 3, 5, 3];

    fn rounds(grouping: Grouping) -> Rounds {
        Rounds::new(LENGTHS.to_vec(), grouping, 2, 4)
    }

    #[test]
    fn every_example_is_seen_once_a_round() {
        for grouping in [Grouping::Similar, Grouping::Equal, Grouping::Turns] {
            let mut rounds = rounds(grouping);
            let of_a_round = rounds.batches();
            for round in 0..3 {
                let mut seen: Vec<usize> = (0..of_a_round)
                    .flat_map(|place| rounds.batch(round * of_a_round + place).to_vec())
                    .collect();
                seen.sort_unstable();
                assert_eq!(seen, (0..LENGTHS.len()).collect::<Vec<_>>(), "{grouping:?}");
            }
        }
    }

    #[test]
    fn any_update_can_be_told_without_those_before_it() {
        for grouping in [Grouping::Random, Grouping::Similar, Grouping::Turns] {
            let (mut whole, mut late) = (rounds(grouping), rounds(grouping));
            let all: Vec<Vec<usize>> = (0..20).map(|update| whole.batch(update).to_vec()).collect();
            assert_eq!(late.batch(17), all[17], "{grouping:?}");
            assert_ne!(all[..4], all[4..8], "rounds differ in order: {grouping:?}");
        }
    }

    #[test]
    fn lengths_take_turns_as_in_the_original() {
        let mut rounds = rounds(Grouping::Turns);
        let lengths: Vec<usize> = (0..rounds.batches())
            .map(|update| LENGTHS[rounds.batch(update)[0]])
            .collect();
        assert_eq!(lengths.len(), 6);
        let mut first = lengths[..3].to_vec();
        first.sort_unstable();
        assert_eq!(first, [3, 5, 7], "each length once before any comes again");
        assert_eq!(lengths[5], 3, "the most frequent length ends a round alone");
    }
}
