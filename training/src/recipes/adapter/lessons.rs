//! What a language model learns from: passages as tokens, and what it is told before it writes each.
//!
//! A thought comes from the passage itself — its first sentence, its most visible one, two, all, or the captions of the
//! gallery nearest to it — so that no picture is needed. Words are those that the passage says, or those that its thought
//! reads as, right or wrong: so the model learns how far to trust them. Words of style come from the style's own direction.
//! Where stories are asked for in words, passages are too: in the manner of their style, about a caption near to them.

mod nearest;
mod telling;
mod visible;

use std::collections::{BTreeMap, HashSet};

use rand::Rng as _;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::passages::Passage;
use models::pipeline::writer::told::Told;
use models::tensors::device::shared::ReadOnly;
use models::text::pieces::Pieces;
use models::text::wording::ADDED_MANNER;
use models::text::words::WordList;
use models::{Error, Result};

use nearest::nearest;
use telling::{Subject, Wanted};
pub use visible::visible_words;
use visible::{most_visible, said};

/// Longer passages are left out, so that batches stay small.
const LONGEST: usize = 175;
/// Deviation of what is added to every number of a thought.
const NOISE: f64 = 0.01;
/// Captions whose mean is a thought; a passage is asked for by one of the first.
const CAPTIONS: i64 = 5;
const CAPTIONS_ASKED: usize = 3;
/// So many more or fewer words are told than to a story, where it is asked for in words.
const WORDS_MORE: usize = 2;
const WORDS_FEWER: usize = 1;
/// From so many words of a style, those of one passage are drawn.
const WORDS_OF_A_STYLE: usize = 40;
/// How often words are those that the passage really says, and how often a style is told at all.
const SAID: f64 = 0.8;
const STYLED: f64 = 0.8;
/// How often a style is called by the name of styles that somebody added.
const AS_ADDED: f64 = 0.1;
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
    /// How stories are asked for.
    pub asking: Asking<'a>,
}

/// How stories are asked for in words; nothing of it where they are not.
#[derive(Debug, Default)]
pub struct Asking<'a> {
    /// The wording for prose, see [`models::text::wording`].
    pub prose: Option<String>,
    /// The wording for verse.
    pub verse: Option<String>,
    /// What a story of each style is called.
    pub manners: BTreeMap<String, String>,
    /// The gallery (N).
    pub captions: &'a [String],
}

/// How passages are read.
pub struct Reading<'a> {
    /// Text to tokens.
    pub pieces: &'a Pieces,
    /// The token that ends a passage.
    pub end: i64,
    /// Whether a word is one of visible things.
    pub is_seen: &'a dyn Fn(&str) -> bool,
    /// Where passages are held against the gallery.
    pub device: Device,
    /// Of the passages of each style so many are learnt from, those that are nearest to a caption; 1: all.
    pub share: f64,
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
    verse: bool,
    /// Words that it says, with how much they matter.
    said: Vec<(usize, f64)>,
    /// The captions nearest to it.
    near: Vec<i64>,
}

impl Lesson {
    /// The row of its most visible sentence's thought.
    fn visible_row(&self) -> i64 {
        self.first + self.visible
    }
}

/// All passages.
#[derive(Debug)]
pub struct Lessons<'a> {
    around: &'a Surroundings<'a>,
    pieces: &'a Pieces,
    lessons: Vec<Lesson>,
    /// Thoughts of all sentences (S, T).
    thoughts: &'a Tensor,
    /// For each style the words nearest to its direction.
    style_words: BTreeMap<String, Vec<usize>>,
}

/// Drawing changes nothing of them.
impl ReadOnly for Lessons<'_> {}

impl<'a> Lessons<'a> {
    /// Of passages whose sentences, one after the other, have the thoughts (S, T).
    ///
    /// # Errors
    /// When a text has no tokens in this language model, or no passage is short enough.
    pub fn new(
        passages: &[&Passage],
        thoughts: &'a Tensor,
        around: &'a Surroundings,
        reading: &Reading<'a>,
    ) -> Result<Self> {
        let is_seen = reading.is_seen;
        let _no_grad = tch::no_grad_guard();
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
            let own = || thoughts.get(from + visible) - around.mean;
            let style = passage.style.clone();
            lessons.push(Lesson {
                tokens,
                first: from,
                count,
                visible,
                style: style.or_else(|| around.nearest_style(&own())),
                verse: passage.verse,
                said: said(&passage.text(), around.words, is_seen),
                near: Vec::new(),
            });
        }
        let rows: Vec<i64> = lessons.iter().map(Lesson::visible_row).collect();
        let own = thoughts.index_select(0, &Tensor::from_slice(&rows)) - around.mean;
        let mut nearness = Vec::with_capacity(lessons.len());
        for (lesson, (near, how)) in lessons.iter_mut().zip(around.near(&own, reading.device)?) {
            lesson.near = near;
            nearness.push(how);
        }
        let lessons = nearest(lessons, &nearness, reading.share);
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
            pieces: reading.pieces,
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
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub fn draw(&self, place: usize, random: &mut ChaCha8Rng) -> Result<Told> {
        let _no_grad = tch::no_grad_guard();
        let lesson = &self.lessons[place];
        let style = self.style_of(lesson).filter(|_| random.random_bool(STYLED));
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
        let name = style.map(|(name, _)| name);
        let mut manner = self.manner(name);
        if style.is_some() && random.random_bool(AS_ADDED) {
            manner = ADDED_MANNER;
        }
        let (mut count, of_style) = self.counts(lesson, manner);
        if self.wording(lesson).is_some() {
            count = random.random_range(count - WORDS_FEWER.min(count)..=count + WORDS_MORE);
        }
        let wanted = Wanted {
            thought: &thought,
            style: name,
            count,
            of_style: of_style.min(count),
        };
        let words = self.words(lesson, &wanted, random);
        let strength = random.random_range(0.7..1.3);
        let asked = &lesson.near[..CAPTIONS_ASKED.min(lesson.near.len())];
        let caption = asked.choose(random).copied().unwrap_or(0);
        let style = style.map(|(_, direction)| direction * strength);
        self.tell(
            lesson,
            Subject {
                thought,
                style,
                manner,
                caption,
                words,
            },
        )
    }

    /// What a passage would be written from if another one's thought were told: the mean of all its sentences, the words
    /// that it reads as, the caption nearest to it, and the style of the passage itself.
    ///
    /// # Errors
    /// When it cannot be asked for.
    pub fn as_of(&self, place: usize, other: usize) -> Result<Told> {
        let _no_grad = tch::no_grad_guard();
        let (lesson, other) = (&self.lessons[place], &self.lessons[other]);
        let thought = self.mean_of(other);
        let style = self.style_of(lesson);
        let name = style.map(|(name, _)| name);
        let manner = self.manner(name);
        let (count, of_style) = self.counts(lesson, manner);
        let of_style = name.map_or(&[][..], |name| {
            let words = &self.style_words[name];
            &words[..of_style.min(words.len())]
        });
        let mut taken: HashSet<String> = of_style
            .iter()
            .map(|&word| self.around.words.word(word).stem().to_owned())
            .collect();
        let content = &thought - self.around.mean;
        let own = count - of_style.len();
        let own = self.around.words.read(&content, own, &mut taken);
        self.tell(
            lesson,
            Subject {
                style: style.map(|(_, direction)| direction.shallow_clone()),
                manner,
                caption: other.near[0],
                words: [own.as_slice(), of_style].concat(),
                thought,
            },
        )
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
                let rows = Tensor::from_slice(&lesson.near);
                let near = self.around.captions.index_select(0, &rows);
                let near = near.mean_dim(0i64, false, Kind::Float);
                let thought = near - self.around.caption + self.around.mean;
                match self.style_of(lesson) {
                    Some((_, direction)) => thought + direction * self.around.pull,
                    None => thought,
                }
            }
        }
    }
}
