//! What captions are asked for, and which of those that come back are taken: words as people used them together, rare ones
//! favoured until the gallery has its share of them, and nothing that somebody wrote before.

use std::collections::{HashMap, HashSet};

use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{CaptionModel, words_of};

/// A word in more captions than this share is not asked for: the writer adds such words by itself.
const COMMON: f64 = 0.1;
/// Words of a request.
const ASKED: std::ops::RangeInclusive<usize> = 2..=3;
/// Captions that are looked at for one whose words are still wanted.
const LOOKS: usize = 50;
/// A word that no caption has.
const UNKNOWN: u32 = u32::MAX;

impl CaptionModel {
    /// The caption at `place`, in this model's spelling.
    pub fn caption(&self, place: usize) -> String {
        self.spell(&self.all[place])
    }

    /// Words that the caption at `place` can be asked for by.
    pub fn things(&self, place: usize) -> Vec<&str> {
        let things = self.rarer(&self.all[place], COMMON).into_iter();
        things
            .map(|word| self.words[word as usize].as_str())
            .collect()
    }

    /// A caption as words, if it can be taken: plain, of a good length, whole, and nobody's.
    fn taken(&self, caption: &str) -> Option<Vec<u32>> {
        let words = words_of(caption);
        let sentence: Vec<u32> = words
            .iter()
            .map(|word| *self.ids.get(word).unwrap_or(&UNKNOWN))
            .collect();
        let distinct: HashSet<&String> = words.iter().filter(|word| word.len() > 3).collect();
        let long = words.iter().filter(|word| word.len() > 3).count();
        let is_good = super::LENGTHS.contains(&sentence.len())
            && distinct.len() == long
            && !self.stops_short(words.last()?)
            && !self.is_copied(&sentence);
        is_good.then_some(sentence)
    }
}

/// Fills a gallery of `count` captions.
#[derive(Debug)]
pub struct Asking<'a> {
    model: &'a CaptionModel,
    count: usize,
    told: HashMap<u32, u32>,
    known: HashSet<String>,
    rng: ChaCha8Rng,
}

impl<'a> Asking<'a> {
    /// Begins with none; the same seed asks for the same words.
    pub fn new(model: &'a CaptionModel, count: usize, seed: u64) -> Self {
        Self {
            model,
            count,
            told: HashMap::new(),
            known: HashSet::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Words of one caption, two or three, of which the gallery still lacks one.
    pub fn ask(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        for _ in 0..LOOKS {
            let place = self.rng.random_range(0..self.model.all.len());
            words = self.model.rarer(&self.model.all[place], COMMON);
            words.shuffle(&mut self.rng);
            words.truncate(self.rng.random_range(ASKED));
            let luck = self.rng.random();
            if words.len() >= *ASKED.start()
                && self.model.is_wanted(&words, &self.told, self.count, luck)
            {
                break;
            }
        }
        let words = words.iter().map(|&word| &self.model.words[word as usize]);
        words.cloned().collect()
    }

    /// Whether a caption is taken; it counts from now on.
    pub fn take(&mut self, caption: &str) -> bool {
        let Some(sentence) = self.model.taken(caption) else {
            return false;
        };
        if !self.known.insert(words_of(caption).join(" ")) {
            return false;
        }
        let known: Vec<u32> = sentence
            .into_iter()
            .filter(|&word| word != UNKNOWN)
            .collect();
        for word in self.model.rarer(&known, COMMON) {
            *self.told.entry(word).or_default() += 1;
        }
        true
    }
}
