//! A small weighted grammar that writes captions: the sentences of the gallery.
//!
//! Called when a bundle's `captions.txt` is made from `gallery/grammar.txt`; stories only ever
//! read the result. The same grammar, count and seed give the same sentences, all distinct, none
//! of them among those to leave out. Each topic has its own stream of random numbers, so a change
//! in one topic leaves the sentences of the others alone. The file's format is told in its head.

mod parse;
mod speak;

use models::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, HashSet};

/// Captions shorter than this say too little, longer ones lose the reader (words, final period
/// not counted; nine in ten of the captions that people write lie between).
const WORDS: std::ops::RangeInclusive<usize> = 5..=18;
/// How often a topic may fail in a row to say something new before it counts as exhausted.
const PATIENCE: usize = 5_000;
/// How many captions may differ in nothing but loose words such as colours.
const ALIKE: usize = 2;

/// A grammar, ready to write captions.
#[derive(Debug)]
pub struct Grammar {
    rules: Vec<Vec<Alternative>>,
    topics: Vec<Topic>,
    /// words that do not make a caption another one
    loose: HashSet<String>,
    /// words that may stand in one caption more than once
    again: HashSet<String>,
}

/// One caption of a gallery and the topic it was written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// The topic's name in the grammar.
    pub topic: String,
    /// Tokens with single spaces between, the first capitalised, the last a period.
    pub text: String,
}

#[derive(Debug)]
struct Topic {
    name: String,
    weight: f64,
    rule: usize,
}

#[derive(Debug)]
struct Alternative {
    weight: u32,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Word(String),
    /// plural, singular and, for verbs, the form in -ing
    Forms(Vec<String>),
    Rule(usize),
    Choice(Vec<Alternative>),
    /// said in so many cases of a hundred
    Optional(u32, Vec<Part>),
    Mark(Mark),
}

/// What a subject says about the words that follow it, or a word that depends on it.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Male,
    Female,
    Thing,
    Child,
    Plural,
    Finite,
    Gerund,
    His,
    Him,
    Himself,
}

impl Grammar {
    /// Reads a grammar.
    ///
    /// # Errors
    /// Says the line of the first rule that cannot be read, is missing or is never used.
    pub fn parse(text: &str) -> Result<Self> {
        parse::grammar(text)
    }

    /// The names of the topics, in the order of the file.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|topic| topic.name.as_str())
    }
}

/// Writes `count` distinct captions, spread over the topics by their weights and then shuffled.
///
/// `exclude` holds captions that must not come out, compared without case and final period.
///
/// # Errors
/// Names the topic that has not enough to say.
pub fn generate(
    grammar: &Grammar,
    count: usize,
    seed: u64,
    exclude: &HashSet<String>,
) -> Result<Vec<Caption>> {
    let mut taken: HashSet<String> = exclude.iter().map(|text| bare(text)).collect();
    let mut captions = Vec::with_capacity(count);
    for (stream, (topic, share)) in shares(&grammar.topics, count).enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64 + 1);
        let mut speaker = Speaker {
            grammar,
            topic,
            rng,
            alike: HashMap::new(),
        };
        for said in 0..share {
            let text = speaker.fresh(&taken).ok_or_else(|| {
                let reason = format!(
                    "it has no more than {said} captions to say where {share} are asked for; \
                     give it more words or less weight"
                );
                Error::format(format!("topic {} of the grammar", topic.name), reason)
            })?;
            taken.insert(bare(&text));
            captions.push(Caption {
                topic: topic.name.clone(),
                text,
            });
        }
    }
    captions.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    Ok(captions)
}

/// How many captions each topic gives: the running total is rounded, so they add up.
fn shares(topics: &[Topic], count: usize) -> impl Iterator<Item = (&Topic, usize)> {
    let all: f64 = topics.iter().map(|topic| topic.weight).sum();
    let mut weight = 0.0;
    let mut given = 0;
    topics.iter().map(move |topic| {
        weight += topic.weight;
        let until = (count as f64 * weight / all).round() as usize;
        let share = until - given;
        given = until;
        (topic, share)
    })
}

/// Speaks of one topic.
struct Speaker<'a> {
    grammar: &'a Grammar,
    topic: &'a Topic,
    rng: ChaCha8Rng,
    /// How many captions of each gist were said.
    alike: HashMap<Vec<String>, usize>,
}

impl Speaker<'_> {
    /// The next caption that is not among those taken, or none if the topic has run dry.
    fn fresh(&mut self, taken: &HashSet<String>) -> Option<String> {
        for _ in 0..PATIENCE {
            let words = speak::sentence(self.grammar, self.topic.rule, &mut self.rng);
            if !WORDS.contains(&words.len()) || repeats(self.grammar, &words) {
                continue;
            }
            let text = written(&words);
            if taken.contains(&bare(&text)) {
                continue;
            }
            let times = self.alike.entry(gist(self.grammar, &words)).or_default();
            if *times < ALIKE {
                *times += 1;
                return Some(text);
            }
        }
        None
    }
}

/// The words that tell a caption from others of its kind, in alphabetical order.
fn gist(grammar: &Grammar, words: &[String]) -> Vec<String> {
    let mut gist: Vec<String> = words
        .iter()
        .filter(|word| !grammar.loose.contains(*word))
        .cloned()
        .collect();
    gist.sort();
    gist
}

/// Whether a word is said twice that a writer would not say twice.
fn repeats(grammar: &Grammar, words: &[String]) -> bool {
    let mut said = HashSet::new();
    let mut once = words.iter().filter(|word| !grammar.again.contains(*word));
    once.any(|word| !said.insert(word))
}

/// Joins words to a caption: capital first letter, a or an, a period.
fn written(words: &[String]) -> String {
    let mut text = String::new();
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", String::as_str);
        let word = if word == "a" && starts_with_vowel_sound(next) {
            "an"
        } else {
            word
        };
        if at == 0 {
            let mut letters = word.chars();
            text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            text.push_str(letters.as_str());
        } else {
            text.push(' ');
            text.push_str(word);
        }
    }
    text + " ."
}

fn starts_with_vowel_sound(word: &str) -> bool {
    const SOUNDED_LIKE_CONSONANTS: [&str; 4] = ["uni", "one", "euro", "use"];
    let word = word.to_lowercase();
    word.starts_with(['a', 'e', 'i', 'o', 'u'])
        && !SOUNDED_LIKE_CONSONANTS
            .iter()
            .any(|start| word.starts_with(start))
}

/// A caption as it is compared: lower case, no final period.
fn bare(caption: &str) -> String {
    let caption = caption.trim().trim_end_matches('.').trim_end();
    caption.to_lowercase()
}

#[cfg(test)]
mod tests;
