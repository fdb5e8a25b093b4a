//! Says to a language model what a passage is about, as stories are asked for.
//! `lessons` draws what that is. What must stay true: a story of the same thought, style and words is told the same.

use models::Result;
use models::pipeline::writer::told::{Heard, Told};
use models::text::wording::{self, ADDED_MANNER, NO_MANNER, ask};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use std::collections::HashSet;
use tch::Tensor;

use super::{Lesson, Lessons, SAID, Surroundings};

/// What a passage is about, before it is said to a language model.
pub(super) struct Subject<'b> {
    pub(super) thought: Tensor,
    /// The direction of a style.
    pub(super) style: Option<Tensor>,
    pub(super) manner: &'b str,
    pub(super) caption: i64,
    pub(super) words: Vec<usize>,
}

/// Which words are wanted of a passage.
pub(super) struct Wanted<'b> {
    pub(super) thought: &'b Tensor,
    pub(super) style: Option<&'b String>,
    /// How many, and how many of them are to say the style.
    pub(super) count: usize,
    pub(super) of_style: usize,
}

impl Surroundings<'_> {
    /// The style that a thought, as a difference from the mean, points to most.
    pub(super) fn nearest_style(&self, apart: &Tensor) -> Option<String> {
        let near = |direction: &Tensor| direction.dot(apart).double_value(&[]);
        let nearest = self.styles.iter().map(|(name, own)| (name, near(own)));
        let nearest = nearest.max_by(|(_, a), (_, b)| a.total_cmp(b));
        nearest.map(|(name, _)| name.clone())
    }
}

impl<'a> Lessons<'a> {
    /// Says it, in words where stories are asked for so.
    pub(super) fn tell(&self, lesson: &Lesson, subject: Subject) -> Result<Told> {
        let heard = Heard {
            style: subject
                .style
                .unwrap_or_else(|| subject.thought.zeros_like()),
            thought: subject.thought,
        };
        let words = subject.words.iter();
        let words = words.map(|&word| self.around.words.word(word));
        let Some(wording) = self.wording(lesson) else {
            let tokens: Vec<i64> = words.map(|word| word.token).collect();
            return Told::learnt(self.pieces, heard, &tokens);
        };
        let asked = wording::Subject {
            manner: subject.manner,
            caption: &self.around.asking.captions[subject.caption as usize],
            words: &words.map(|word| word.text.clone()).collect::<Vec<_>>(),
            // a passage of a book is about whom it is about
            hero: "",
            turn: "",
        };
        Told::asked(self.pieces, &ask(wording, &asked), heard)
    }

    pub(super) fn wording(&self, lesson: &Lesson) -> Option<&str> {
        let asking = &self.around.asking;
        let wording = if lesson.verse {
            &asking.verse
        } else {
            &asking.prose
        };
        wording.as_deref()
    }

    /// The style of a passage, if it has one with a direction.
    pub(super) fn style_of(&self, lesson: &'a Lesson) -> Option<(&String, &Tensor)> {
        let style = lesson.style.as_ref();
        style.and_then(|name| self.around.styles.get_key_value(name))
    }

    /// What a passage of this style is called.
    pub(super) fn manner(&self, style: Option<&String>) -> &str {
        style.map_or(NO_MANNER, |name| {
            let own = self.around.asking.manners.get(name);
            own.map_or(ADDED_MANNER, String::as_str)
        })
    }

    /// How many words are told, and how many of them say the style: none where the manner says it.
    pub(super) fn counts(&self, lesson: &Lesson, manner: &str) -> (usize, usize) {
        let (told, of_style) = self.around.told;
        let is_said = self.wording(lesson).is_some() && manner != ADDED_MANNER;
        (told, if is_said { 0 } else { of_style })
    }

    /// Words that are told: content first, then the style's.
    pub(super) fn words(
        &self,
        lesson: &Lesson,
        wanted: &Wanted,
        random: &mut ChaCha8Rng,
    ) -> Vec<usize> {
        let mut taken = HashSet::new();
        let near = wanted.style;
        let near = near.map_or(&[][..], |name| self.style_words[name].as_slice());
        let mut styled = Vec::new();
        // half of the time those that the passage says, so that a word of style is worth hearing
        let said: Vec<usize> = near
            .iter()
            .copied()
            .filter(|word| lesson.said.iter().any(|(said, _)| said == word))
            .collect();
        for _ in 0..wanted.of_style.min(near.len()) {
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
        let count = wanted.count - styled.len();
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
        words.extend(self.around.words.read(
            &(wanted.thought - self.around.mean),
            missing,
            &mut taken,
        ));
        words.extend(styled);
        words
    }
}
