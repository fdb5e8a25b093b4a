//! Invents captions: a language model of short word runs, held to what has been seen together.
//!
//! `storyteller train invent-captions` makes a gallery with it. A caption is drawn word by word, each given the three before
//! it, as the captions that people wrote go on from there. Such sentences are fluent from word to word and may drift from a
//! kitchen to a beach; so each pair of content words must stand together in some caption, and no caption may be one that
//! was read. Rare words are favoured until the gallery has its share of them: what it cannot say, nobody can be told.

mod asking;

use std::collections::{HashMap, HashSet};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

pub use asking::Asking;

/// Words that decide on the next one.
const CONTEXT: usize = 3;
/// Words of a caption, the full stop not counted.
const SHORTEST: usize = 7;
const LONGEST: usize = 16;
/// Words of a caption that a language model wrote.
const LENGTHS: std::ops::RangeInclusive<usize> = 6..=LONGEST;
/// A word in more captions than this share says nothing of what is in a picture.
const EVERYWHERE: f64 = 0.04;
/// Content words of a caption, at least: fewer describe any picture.
const LEAST_CONTENT: usize = 3;
/// Pairs of content words must stand together in so many captions.
const TOGETHER: u32 = 2;
/// A word in fewer captions than this is rare.
const RARE: u32 = 40;
/// The longest run of words out of one caption, as a share of the invented one.
const COPIED: f64 = 0.75;
/// Word runs whose copies are looked for: the longest allowed run of the longest caption is shorter.
const RUN: usize = LONGEST;
/// Draws for each caption that is wanted, at most.
const TRIES: usize = 400;
/// Marks the beginning and the end of a caption.
const EDGE: u32 = 0;

/// The captions that people wrote, counted.
#[derive(Debug)]
pub struct CaptionModel {
    words: Vec<String>,
    ids: HashMap<String, u32>,
    /// The captions as numbers of words.
    all: Vec<Vec<u32>>,
    /// What followed each run of up to [`CONTEXT`] words, with repeats.
    followers: HashMap<Vec<u32>, Vec<u32>>,
    /// In how many captions two content words stand together.
    together: HashMap<(u32, u32), u32>,
    /// In how many captions each word stands.
    seen_in: Vec<u32>,
    read: HashSet<Vec<u32>>,
    /// Every run of words, hashed, by its length.
    runs: HashSet<u64>,
}

impl CaptionModel {
    /// Reads captions, one a line.
    pub fn read<'a>(captions: impl Iterator<Item = &'a str>) -> Self {
        let mut model = Self {
            words: vec![String::new()],
            ids: HashMap::new(),
            all: Vec::new(),
            followers: HashMap::new(),
            together: HashMap::new(),
            seen_in: vec![0],
            read: HashSet::new(),
            runs: HashSet::new(),
        };
        for caption in captions {
            let mut sentence = Vec::new();
            for word in words_of(caption) {
                let next = model.words.len() as u32;
                let id = *model.ids.entry(word.clone()).or_insert(next);
                if id == next {
                    model.words.push(word);
                    model.seen_in.push(0);
                }
                sentence.push(id);
            }
            if (SHORTEST..=LONGEST + 4).contains(&sentence.len()) {
                model.count(&sentence);
                model.all.push(sentence);
            }
        }
        for place in 0..model.all.len() {
            let content = model.content(&model.all[place]);
            model.pair(&content);
        }
        model
    }

    /// How many captions were taken.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn count(&mut self, sentence: &[u32]) {
        for &word in sentence.iter().collect::<HashSet<_>>() {
            self.seen_in[word as usize] += 1;
        }
        let mut padded = vec![EDGE; CONTEXT];
        padded.extend(sentence);
        padded.push(EDGE);
        for place in CONTEXT..padded.len() {
            for length in 1..=CONTEXT {
                let context = padded[place - length..place].to_vec();
                self.followers
                    .entry(context)
                    .or_default()
                    .push(padded[place]);
            }
        }
        for length in SHORTEST..=sentence.len().min(RUN) {
            self.runs.extend(sentence.windows(length).map(hash));
        }
        self.read.insert(sentence.to_vec());
    }

    fn pair(&mut self, content: &[u32]) {
        for (place, &one) in content.iter().enumerate() {
            for &other in &content[place + 1..] {
                *self
                    .together
                    .entry((one.min(other), one.max(other)))
                    .or_default() += 1;
            }
        }
    }

    /// The words that say what is there, each once, in rising order.
    fn content(&self, sentence: &[u32]) -> Vec<u32> {
        self.rarer(sentence, EVERYWHERE)
    }

    /// The words that stand in at most this share of all captions, each once, in rising order.
    fn rarer(&self, sentence: &[u32], share: f64) -> Vec<u32> {
        let most = (self.all.len() as f64 * share) as u32;
        let says = |word: &u32| {
            self.seen_in[*word as usize] <= most && self.words[*word as usize].len() > 2
        };
        let mut content: Vec<u32> = sentence.iter().copied().filter(says).collect();
        content.sort_unstable();
        content.dedup();
        content
    }

    /// Invents `count` captions, the same for the same seed; `progress` learns how many there are. Fewer come back where
    /// the captions that were read are too few to invent so many.
    pub fn invent(&self, count: usize, seed: u64, progress: &mut dyn FnMut(usize)) -> Vec<String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut told: HashMap<u32, u32> = HashMap::new();
        let (mut known, mut invented) = (HashSet::new(), Vec::new());
        for _ in 0..count.saturating_mul(TRIES) {
            if invented.len() == count {
                break;
            }
            let Some(sentence) = self.draw(&mut rng) else {
                continue;
            };
            let content = self.content(&sentence);
            if !self.is_sound(&sentence, &content)
                || !self.is_wanted(&content, &told, count, rng.random())
            {
                continue;
            }
            if known.insert(sentence.clone()) {
                content
                    .iter()
                    .for_each(|&word| *told.entry(word).or_default() += 1);
                invented.push(self.spell(&sentence));
                progress(invented.len());
            }
        }
        invented
    }

    /// One sentence, if it comes to an end.
    fn draw(&self, rng: &mut ChaCha8Rng) -> Option<Vec<u32>> {
        let mut padded = vec![EDGE; CONTEXT];
        while padded.len() <= CONTEXT + LONGEST {
            // now and then a shorter context, so that sentences part from those that were read
            let length = if rng.random::<f64>() < 0.25 {
                CONTEXT - 1
            } else {
                CONTEXT
            };
            let context = &padded[padded.len() - length..];
            let followers = self.followers.get(context)?;
            let next = followers[rng.random_range(0..followers.len())];
            if next == EDGE {
                return Some(padded.split_off(CONTEXT));
            }
            padded.push(next);
        }
        None
    }

    /// Whether a sentence is new and speaks of things that are seen together.
    fn is_sound(&self, sentence: &[u32], content: &[u32]) -> bool {
        let repeats = sentence.windows(2).any(|pair| pair[0] == pair[1])
            || content.len()
                < sentence
                    .iter()
                    .filter(|word| content.binary_search(word).is_ok())
                    .count();
        let pairs = content.iter().enumerate().all(|(place, &one)| {
            content[place + 1..].iter().all(|&other| {
                let together = self.together.get(&(one.min(other), one.max(other)));
                together.is_some_and(|&n| n >= self.pairs_asked(one).min(self.pairs_asked(other)))
            })
        });
        sentence.len() >= SHORTEST
            && content.len() >= LEAST_CONTENT
            && !self.stops_short(&self.words[sentence[sentence.len() - 1] as usize])
            && pairs
            && !repeats
            && !self.is_copied(sentence)
    }

    /// Whether a sentence was read, or most of it in one run.
    fn is_copied(&self, sentence: &[u32]) -> bool {
        let longest_copy = ((sentence.len() as f64 * COPIED) as usize + 1).max(SHORTEST);
        let copied = longest_copy <= sentence.len()
            && sentence
                .windows(longest_copy)
                .any(|run| self.runs.contains(&hash(run)));
        copied || self.read.contains(sentence)
    }

    /// How often a word must stand beside another one: a rare word stands anywhere only once.
    fn pairs_asked(&self, word: u32) -> u32 {
        if self.seen_in[word as usize] < RARE {
            1
        } else {
            TOGETHER
        }
    }

    /// Whether a sentence that ends with `last`, a mark or a word that leads on, is none.
    fn stops_short(&self, last: &str) -> bool {
        [
            ",", "a", "an", "the", "and", "of", "with", "on", "in", "to", "is", "are",
        ]
        .contains(&last)
    }

    /// Whether the gallery still lacks one of the words: each may stand in its share of captions, damped by a root so
    /// that rare ones get more than theirs.
    fn is_wanted(
        &self,
        content: &[u32],
        told: &HashMap<u32, u32>,
        count: usize,
        luck: f64,
    ) -> bool {
        let lacking = content.iter().map(|&word| {
            let share = f64::from(self.seen_in[word as usize]) / self.all.len() as f64;
            let wanted = (share.sqrt() * 0.08 * count as f64).max(10.0);
            f64::from(*told.get(&word).unwrap_or(&0)) < wanted
        });
        let lacking = lacking.filter(|&lacking| lacking).count();
        lacking > 0 || luck < 0.1
    }

    fn spell(&self, sentence: &[u32]) -> String {
        let words: Vec<&str> = sentence
            .iter()
            .map(|&word| self.words[word as usize].as_str())
            .collect();
        let mut text = words.join(" ").replace(" , ", ", ").replace(" 's", "'s");
        if let Some(first) = text.get(..1) {
            let upper = first.to_uppercase();
            text.replace_range(..1, &upper);
        }
        text.push('.');
        text
    }
}

/// The words of a caption in lower case; inner commas are words, other marks are dropped. A caption with anything else in
/// it (digits, slashes, foreign letters) gives none: it would be copied, or spoil others.
fn words_of(caption: &str) -> Vec<String> {
    let trimmed = caption.trim().trim_end_matches(['.', '!', ' ']);
    let spaced = trimmed
        .to_lowercase()
        .replace(',', " , ")
        .replace(['"', ';', ':'], " ");
    let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    let plain = |word: &String| {
        let letters = word
            .chars()
            .all(|c| c.is_ascii_lowercase() || "'-".contains(c));
        word == "," || letters && word.starts_with(|c: char| c.is_ascii_lowercase())
    };
    if words.iter().all(plain) {
        words
    } else {
        Vec::new()
    }
}

/// A run of words as one number.
fn hash(run: &[u32]) -> u64 {
    run.iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ run.len() as u64, |sum, &word| {
            (sum ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// The share of a text's content words that a gallery has, each weighted by its use there; what stands in fewer captions
/// than `least` is not asked for.
pub fn coverage<'a>(
    gallery: &[String],
    captions: impl Iterator<Item = &'a str>,
    least: u32,
) -> f64 {
    let have: HashSet<String> = gallery
        .iter()
        .flat_map(|caption| words_of(caption))
        .collect();
    let mut uses: HashMap<String, u32> = HashMap::new();
    for word in captions.flat_map(words_of).filter(|word| word.len() > 2) {
        *uses.entry(word).or_default() += 1;
    }
    let asked = uses.iter().filter(|(_, n)| **n >= least);
    let (mut found, mut all) = (0u64, 0u64);
    for (word, &n) in asked {
        all += u64::from(n);
        found += if have.contains(word) { u64::from(n) } else { 0 };
    }
    found as f64 / all.max(1) as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
