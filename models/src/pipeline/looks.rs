//! What was seen in the latest pictures, so that another style of one costs no look.
//! Both pipelines look through it. What must stay true: a picture is known by all of its pixels and by nothing else, and
//! what is seen in it again is to the bit what was seen at first, so no story can tell the difference.

use crate::pipeline::picture::Picture;
use lru::LruCache;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many of 12 to 17 KB each: an evening of a photo booth.
const MOST: usize = 512;

/// How often pictures were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By the networks.
    pub looked: u64,
    /// From what was kept.
    pub known: u64,
}

impl std::ops::Sub for Seen {
    type Output = Self;

    /// What was seen since an earlier count.
    fn sub(self, before: Self) -> Self {
        Self {
            looked: self.looked - before.looked,
            known: self.known - before.known,
        }
    }
}

type Name = [u8; 32];

/// The latest looks of one pair of eyes.
#[derive(Debug)]
pub(super) struct Looks<T> {
    kept: Mutex<Kept<T>>,
    /// The same look once more, sharing its numbers.
    again: fn(&T) -> T,
}

#[derive(Debug)]
struct Kept<T> {
    /// None where nothing is kept.
    looks: Option<LruCache<Name, T>>,
    seen: Seen,
}

impl<T> Looks<T> {
    /// Keeps the latest [`MOST`].
    pub(super) fn new(again: fn(&T) -> T) -> Self {
        let kept = Kept {
            looks: cache(MOST),
            seen: Seen::default(),
        };
        Self {
            kept: Mutex::new(kept),
            again,
        }
    }

    /// Keeps so many from now on, and forgets what was kept.
    pub(super) fn keep(&mut self, most: usize) {
        self.kept().looks = cache(most);
    }

    /// How often pictures were seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.kept().seen
    }

    /// What is seen in each picture. `look` is asked for those that are not known, each of them once, and gives one look a
    /// picture.
    pub(super) fn at(
        &self,
        pictures: &[&Picture],
        look: impl FnOnce(&[&Picture]) -> Vec<T>,
    ) -> Vec<T> {
        if self.kept().looks.is_none() {
            self.kept().seen.looked += pictures.len() as u64;
            return look(pictures);
        }
        let names: Vec<Name> = pictures.iter().map(|picture| name(picture)).collect();
        let mut found = self.recall(&names);
        let strange = strangers(&names, &found);
        let asked: Vec<&Picture> = strange.iter().map(|&place| pictures[place]).collect();
        // nobody waits for the lock while networks are at work
        let looks = if asked.is_empty() {
            Vec::new()
        } else {
            look(&asked)
        };
        let mut kept = self.kept();
        kept.seen.looked += strange.len() as u64;
        kept.seen.known += (names.len() - strange.len()) as u64;
        for (place, look) in strange.into_iter().zip(looks) {
            if let Some(cache) = &mut kept.looks {
                cache.put(names[place], (self.again)(&look));
            }
            found.insert(names[place], look);
        }
        names
            .iter()
            .map(|name| (self.again)(&found[name]))
            .collect()
    }

    /// What is kept of these; each counts as used just now.
    fn recall(&self, names: &[Name]) -> HashMap<Name, T> {
        let mut kept = self.kept();
        let mut known = |name: &Name| {
            let look = kept.looks.as_mut()?.get(name)?;
            Some((*name, (self.again)(look)))
        };
        names.iter().filter_map(&mut known).collect()
    }

    /// A look is kept whole or not at all, whoever panicked.
    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cache<T>(most: usize) -> Option<LruCache<Name, T>> {
    NonZeroUsize::new(most).map(LruCache::new)
}

/// The places of pictures that are not known, each picture once.
fn strangers<T>(names: &[Name], known: &HashMap<Name, T>) -> Vec<usize> {
    let first = |&place: &usize| !names[..place].contains(&names[place]);
    (0..names.len())
        .filter(|&place| !known.contains_key(&names[place]))
        .filter(first)
        .collect()
}

/// The sum of its extents and pixels.
fn name(picture: &Picture) -> Name {
    let mut sum = Sha256::new();
    sum.update(picture.width.to_le_bytes());
    sum.update(picture.height.to_le_bytes());
    sum.update(&picture.rgb);
    sum.finalize().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn picture(width: u32, level: u8) -> Picture {
        Picture {
            width,
            height: 6 / width,
            rgb: vec![level; 18],
        }
    }

    /// Sees the extent and the first level of each picture.
    fn look(pictures: &[&Picture]) -> Vec<(u32, u8)> {
        let one = |picture: &&Picture| (picture.width, picture.rgb[0]);
        pictures.iter().map(one).collect()
    }

    #[test]
    fn a_picture_is_looked_at_once_however_often_and_beside_whatever_it_is_shown() {
        let looks = Looks::new(|look| *look);
        let (one, turned, other) = (picture(2, 7), picture(3, 7), picture(2, 8));
        assert_eq!(looks.at(&[&one], look), [(2, 7)]);
        let all = [&other, &one, &turned, &other, &one.clone()];
        let found = looks.at(&all, |strange| {
            assert_eq!(strange, [&other, &turned]);
            look(strange)
        });
        assert_eq!(found, [(2, 8), (2, 7), (3, 7), (2, 8), (2, 7)]);
        let again = looks.at(&all, |_| panic!("all of them are known"));
        assert_eq!(again, found);
        let (looked, known) = (3, 8);
        assert_eq!(looks.seen(), Seen { looked, known });
    }

    #[test]
    fn the_one_that_was_not_shown_for_longest_is_forgotten_first() {
        let mut looks = Looks::new(|look| *look);
        looks.keep(2);
        let [one, two, three] = [1, 2, 3].map(|level| picture(1, level));
        for picture in [&one, &two, &one, &three, &one] {
            looks.at(&[picture], look);
        }
        assert_eq!(looks.seen().looked, 3);
        looks.at(&[&two], look);
        assert_eq!(looks.seen().looked, 4);
        // more at once than are kept
        assert_eq!(
            looks.at(&[&three, &two, &one], look),
            [(1, 3), (1, 2), (1, 1)]
        );
    }

    #[test]
    fn where_nothing_is_kept_every_picture_is_looked_at_each_time() {
        let mut looks = Looks::new(|look| *look);
        let one = picture(2, 7);
        looks.at(&[&one], look);
        looks.keep(0);
        assert_eq!(looks.at(&[&one, &one], look), [(2, 7), (2, 7)]);
        let (looked, known) = (3, 0);
        assert_eq!(looks.seen(), Seen { looked, known });
    }

    #[test]
    fn a_look_that_breaks_leaves_nothing_behind() {
        let looks = Looks::new(|look| *look);
        let one = picture(2, 7);
        let broken = std::panic::AssertUnwindSafe(|| looks.at(&[&one], |_| panic!("no memory")));
        assert!(std::panic::catch_unwind(broken).is_err());
        assert_eq!(looks.at(&[&one], look), [(2, 7)]);
        assert_eq!(looks.seen().looked, 1);
    }
}
