//! What a language model learns from: passages as tokens, and what it is told before it writes each.
//!
//! A thought comes from the passage itself — its first sentence, its most visible one, two, all, or the captions of the
//! gallery nearest to it — so that no picture is needed. Words are those that the passage says, or those that its thought
//! reads as, right or wrong: so the model learns how far to trust them. Words of style come from the style's own direction,
//! as when a story is told.

use std::collections::{BTreeMap, HashMap, HashSet};

use rand::Rng as _;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use crate::passages::Passage;
use models::tensors::unit_rows::unit_rows;
use models::text::pieces::Pieces;
use models::text::words::{WordList, plain_words, stem};
use models::{Error, Result};

/// Longer passages are left out, so that batches stay small.
const LONGEST: usize = 175;
/// Deviation of what is added to every number of a thought.
const NOISE: f64 = 0.01;
/// Captions whose mean is a thought.
const CAPTIONS: i64 = 5;
/// From so many words of a style, those of one passage are drawn.
const WORDS_OF_A_STYLE: usize = 40;
/// How often words are those that the passage really says, and how often a style is told at all.
const SAID: f64 = 0.65;
const STYLED: f64 = 0.8;
/// How often a thought is what: see [`Thought`].
const THOUGHTS: [(Thought, f64); 5] = [
    (Thought::First, 0.25),
    (Thought::Visible, 0.2),
    (Thought::Captions, 0.25),
    (Thought::All, 0.15),
    (Thought::Two, 0.15),
];

/// Where the thought of a passage comes from.
#[derive(Clone, Copy, Debug)]
enum Thought {
    First,
    Visible,
    Captions,
    All,
    Two,
}

/// What the passages are held against.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The words that can be told.
    pub words: &'a WordList,
    /// The mean thought of prose (T).
    pub mean: &'a Tensor,
    /// The mean thought of captions (T).
    pub caption: &'a Tensor,
    /// Thoughts of the gallery (N, T).
    pub captions: &'a Tensor,
    /// For each style its direction from the mean, of length 1 (T).
    pub styles: &'a BTreeMap<String, Tensor>,
    /// How far a thought moves towards a style.
    pub pull: f64,
    /// How many words are told, and how many of them say the style.
    pub told: (usize, usize),
}

/// How passages are read.
pub struct Reading<'a> {
    /// Text to tokens.
    pub pieces: &'a Pieces,
    /// The token that ends a passage.
    pub end: i64,
    /// Whether a word is one of visible things.
    pub is_seen: &'a dyn Fn(&str) -> bool,
}

/// One passage.
#[derive(Debug)]
struct Lesson {
    tokens: Vec<i64>,
    /// Rows of its sentences' thoughts.
    first: i64,
    count: i64,
    /// Its most visible sentence.
    visible: i64,
    style: Option<String>,
    /// Words that it says, with how much they matter.
    said: Vec<(usize, f64)>,
    /// The thought of the captions nearest to it (T).
    nearest: Tensor,
}

/// All passages.
#[derive(Debug)]
pub struct Lessons<'a> {
    around: &'a Surroundings<'a>,
    lessons: Vec<Lesson>,
    /// Thoughts of all sentences (S, T).
    thoughts: &'a Tensor,
    /// For each style the words nearest to its direction.
    style_words: BTreeMap<String, Vec<usize>>,
}

/// What a passage is to be written from.
#[derive(Debug)]
pub struct Told {
    /// The thought (T).
    pub thought: Tensor,
    /// The style (T); zeros for none.
    pub style: Tensor,
    /// Tokens of the words.
    pub words: Vec<i64>,
}

impl<'a> Lessons<'a> {
    /// Of passages whose sentences, one after the other, have the thoughts (S, T).
    ///
    /// # Errors
    /// When a text has no tokens in this language model, or no passage is short enough.
    pub fn new(
        passages: &[&Passage],
        thoughts: &'a Tensor,
        around: &'a Surroundings,
        reading: &Reading,
    ) -> Result<Self> {
        let is_seen = reading.is_seen;
        let _no_grad = tch::no_grad_guard();
        let gallery = unit_rows(&(around.captions - around.caption));
        let mut lessons = Vec::new();
        let mut first = 0i64;
        for passage in passages {
            let mut tokens = reading.pieces.encode_plain(&passage.text())?;
            tokens.push(reading.end);
            let (from, count) = (first, passage.sentences.len() as i64);
            first += count;
            if tokens.len() > LONGEST {
                continue;
            }
            let visible = most_visible(&passage.sentences, is_seen) as i64;
            let own = thoughts.get(from + visible) - around.mean;
            let rows = gallery.mv(&own).topk(CAPTIONS, 0, true, true).1;
            let near = around.captions.index_select(0, &rows);
            lessons.push(Lesson {
                tokens,
                first: from,
                count,
                visible,
                style: passage.style.clone(),
                said: said(&passage.text(), around.words, is_seen),
                nearest: near.mean_dim(0i64, false, Kind::Float) - around.caption + around.mean,
            });
        }
        if lessons.is_empty() {
            let reason =
                "none of them is a passage of 55 to 118 words without talk that can be learnt from";
            return Err(Error::format("the books", reason));
        }
        let style_words = around.styles.iter().map(|(name, direction)| {
            let near = around
                .words
                .read(direction, WORDS_OF_A_STYLE, &mut HashSet::new());
            (name.clone(), near)
        });
        Ok(Self {
            style_words: style_words.collect(),
            around,
            lessons,
            thoughts,
        })
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.lessons.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lessons.is_empty()
    }

    /// The tokens of a passage, its end included.
    pub fn tokens(&self, place: usize) -> &[i64] {
        &self.lessons[place].tokens
    }

    /// Every token of every passage.
    pub fn written(&self) -> impl Iterator<Item = i64> {
        self.lessons
            .iter()
            .flat_map(|lesson| lesson.tokens.iter().copied())
    }

    /// Draws what a passage is to be written from.
    pub fn draw(&self, place: usize, random: &mut ChaCha8Rng) -> Told {
        let _no_grad = tch::no_grad_guard();
        let lesson = &self.lessons[place];
        let direction = lesson
            .style
            .as_ref()
            .filter(|_| random.random_bool(STYLED))
            .and_then(|name| Some((name, self.around.styles.get(name)?)));
        let kinds = THOUGHTS.choose_weighted(random, |&(_, weight)| weight);
        let kind = kinds.map_or(Thought::First, |&(kind, _)| kind);
        let thought = self.thought(lesson, kind, random);
        let noise = Tensor::from_slice(
            &(0..thought.size()[0])
                .map(|_| random.random_range(-1.0f32..1.0))
                .collect::<Vec<_>>(),
        );
        // a uniform number's deviation is 1/√3
        let thought = thought + noise * (NOISE * 3f64.sqrt());
        let words = self.words(lesson, &thought, direction.map(|(name, _)| name), random);
        let style = direction.map(|(_, direction)| direction * random.random_range(0.7..1.3));
        Told {
            style: style.unwrap_or_else(|| thought.zeros_like()),
            words: self.tokens_of(&words),
            thought,
        }
    }

    /// What a passage would be written from if another one's thought were told: the mean of all its sentences, the words
    /// that it reads as, and the style of the passage itself.
    pub fn as_of(&self, place: usize, other: usize) -> Told {
        let _no_grad = tch::no_grad_guard();
        let thought = self.mean_of(&self.lessons[other]);
        let style = self.lessons[place].style.as_ref();
        let direction = style.and_then(|name| Some((name, self.around.styles.get(name)?)));
        let of_style = direction.map_or(&[][..], |(name, _)| {
            &self.style_words[name][..self.around.told.1.min(self.style_words[name].len())]
        });
        let mut taken: HashSet<String> = of_style
            .iter()
            .map(|&word| self.around.words.word(word).stem().to_owned())
            .collect();
        let count = self.around.told.0 - of_style.len();
        let own = self
            .around
            .words
            .read(&(&thought - self.around.mean), count, &mut taken);
        Told {
            style: direction.map_or_else(
                || thought.zeros_like(),
                |(_, direction)| direction.shallow_clone(),
            ),
            words: self.tokens_of(&[own.as_slice(), of_style].concat()),
            thought,
        }
    }

    fn tokens_of(&self, words: &[usize]) -> Vec<i64> {
        let token = |&word: &usize| self.around.words.word(word).token;
        words.iter().map(token).collect()
    }

    fn mean_of(&self, lesson: &Lesson) -> Tensor {
        self.thoughts
            .narrow(0, lesson.first, lesson.count)
            .mean_dim(0i64, false, Kind::Float)
    }

    fn thought(&self, lesson: &Lesson, kind: Thought, random: &mut ChaCha8Rng) -> Tensor {
        let sentence = |place: i64| self.thoughts.get(lesson.first + place);
        match kind {
            Thought::First => sentence(0),
            Thought::Visible => sentence(lesson.visible),
            Thought::All => self.mean_of(lesson),
            Thought::Two => {
                let (a, b) = (
                    random.random_range(0..lesson.count),
                    random.random_range(0..lesson.count),
                );
                (sentence(a) + sentence(b)) / 2.0
            }
            Thought::Captions => {
                let style = lesson.style.as_ref();
                match style.and_then(|name| self.around.styles.get(name)) {
                    Some(direction) => &lesson.nearest + direction * self.around.pull,
                    None => lesson.nearest.shallow_clone(),
                }
            }
        }
    }

    /// Words that are told: content first, then the style's.
    fn words(
        &self,
        lesson: &Lesson,
        thought: &Tensor,
        style: Option<&String>,
        random: &mut ChaCha8Rng,
    ) -> Vec<usize> {
        let (told, of_style) = self.around.told;
        let mut taken = HashSet::new();
        let near = style.map_or(&[][..], |name| self.style_words[name].as_slice());
        let mut styled = Vec::new();
        // half of the time those that the passage says, so that a word of style is worth hearing
        let said: Vec<usize> = near
            .iter()
            .copied()
            .filter(|word| lesson.said.iter().any(|(said, _)| said == word))
            .collect();
        for _ in 0..of_style.min(near.len()) {
            let pool = if random.random_bool(0.5) && !said.is_empty() {
                said.as_slice()
            } else {
                near
            };
            if let Some(&word) = pool.choose(random)
                && taken.insert(self.around.words.word(word).stem().to_owned())
            {
                styled.push(word);
            }
        }
        let count = told - styled.len();
        let mut words = Vec::new();
        if random.random_bool(SAID) {
            let some =
                lesson
                    .said
                    .choose_multiple_weighted(random, lesson.said.len(), |&(_, weight)| weight);
            let some = some.into_iter().flatten().map(|&(word, _)| word);
            words.extend(
                some.filter(|&word| taken.insert(self.around.words.word(word).stem().to_owned()))
                    .take(count),
            );
        }
        let missing = count - words.len();
        words.extend(
            self.around
                .words
                .read(&(thought - self.around.mean), missing, &mut taken),
        );
        words.extend(styled);
        words
    }
}

/// The words of a text that can be told, with how much they matter: what can be seen counts three times.
fn said(text: &str, words: &WordList, is_seen: &dyn Fn(&str) -> bool) -> Vec<(usize, f64)> {
    let mut weights: HashMap<usize, f64> = HashMap::new();
    let lower = text.to_lowercase();
    for word in plain_words(&lower) {
        if let Some(place) = words.find(word) {
            *weights.entry(place).or_default() += if is_seen(word) { 3.0 } else { 1.0 };
        }
    }
    let mut said: Vec<(usize, f64)> = weights.into_iter().collect();
    said.sort_by_key(|&(word, _)| word);
    said
}

/// The sentence with the largest share of words of visible things.
fn most_visible(sentences: &[String], is_seen: &dyn Fn(&str) -> bool) -> usize {
    let share = |sentence: &String| {
        let lower = sentence.to_lowercase();
        let words: Vec<&str> = plain_words(&lower).collect();
        let seen = words.iter().filter(|word| is_seen(word)).count();
        seen as f64 / words.len().max(8) as f64
    };
    let shares: Vec<f64> = sentences.iter().map(share).collect();
    (0..shares.len())
        .max_by(|&a, &b| shares[a].total_cmp(&shares[b]).then(b.cmp(&a)))
        .unwrap_or(0)
}

/// Words that captions use: what can be seen.
pub fn visible_words(captions: &[String], words: &WordList) -> HashSet<String> {
    let mut stems: HashMap<String, usize> = HashMap::new();
    let mut forms: HashMap<String, usize> = HashMap::new();
    for caption in captions {
        let lower = caption.to_lowercase();
        for word in plain_words(&lower) {
            if words.find(word).is_some() {
                *forms.entry(word.to_owned()).or_default() += 1;
                *stems.entry(stem(word).to_owned()).or_default() += 1;
            }
        }
    }
    let often = captions.len() / 2000;
    let seen = forms.into_keys().filter(|word| stems[stem(word)] > often);
    seen.collect()
}
