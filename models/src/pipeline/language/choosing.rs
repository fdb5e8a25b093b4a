//! Chooses each sentence of a story: the one that fits picture and style, reads fluently, and goes on from what stands.
//!
//! Every sentence that might come next becomes a thought, and is held against what the captions say, against the picture
//! itself, against the sentence before it and against all that was said already. What counts how much stands here, term by term.

use super::Language;
use super::belonging::belonging;
use super::flowing::{ECHOES, echo, of_a_sentence};
use super::kinds_of_words::{is_content, is_narrator, is_of_texts, leans, opens_speech, words};
use super::prompting::Subject;
use super::versifying::{ends_stanza, has_room, of_a_line};
use crate::error::Result;
use crate::pipeline::verse::STANZA;
use crate::pipeline::writer::{Reader, Sentence, Unit};
use crate::tensors::unit_rows::unit_rows;
use crate::text::sentences::with_apostrophes;
use crate::text::words::stem;
use std::collections::HashSet;
use tch::{Device, Tensor};

/// How much the nearness to the picture counts, in the first sentences and later, when the story may leave it. More finds its
/// picture more often, and says the same of it again and again: at (2.6, 2.0), before sentences leant towards the words of their
/// style, a bedroom's story was a list of who lay there.
const PICTURE: (f64, f64) = (4.8, 2.6);
/// How much more than the captions the picture itself counts in that: five captions say what many pictures share, and share
/// their errors; the joint space says what sets this picture apart.
const EYES: f64 = 2.0;
/// Sentences that set the scene.
const SCENE: usize = 2;
/// The nearness to the style, at strength 1.
const STYLE: f64 = 1.4;
/// A nat of mean log probability.
const FLUENCY: f64 = 3.0;
/// Each word of the prompt that is heard for the first time, up to two in a sentence.
const NEWLY_TOLD: f64 = 0.15;
/// Going on from the sentence before; beyond the limit it says the same again.
const CONTINUING: f64 = 0.3;
const SAME: (f64, f64) = (0.55, -2.0);
/// The share of neighbouring words that were neighbours before.
const REPEATED: f64 = -1.5;
/// The share of words of content that were said before, and what of it is beyond the limit: a story stays with what it is about,
/// but "She smiled back. He smiled back at her" says nothing new.
const SAID_AGAIN: f64 = -1.0;
const ALL_SAID: (f64, f64) = (0.5, -4.0);
/// Each phrase that the model says in every other story, up to two.
const WORN: f64 = -1.2;
/// The share of words of content that the sentence itself said before: "a table, a table at the table".
const STAMMERED: f64 = -3.0;
/// What nobody closes, and what begins in small letters.
const UNTIDY: f64 = -1.5;
/// A narrator who appears after the scene is set.
const LATE_NARRATOR: f64 = -0.3;
/// A story whose beginning leans on something before it.
const LEANING: f64 = -0.4;
/// A sentence about the text instead of about what happens, as models answer that were taught to be asked: "The story begins with".
const ABOUT_ITSELF: f64 = -4.0;
/// Of so many sentences it is asked how much they belong where they would stand.
const READ_ANEW: usize = 9;
/// Where the network would end the passage with this probability, it may.
const AN_END: f64 = 0.15;
/// A story may end once it has this share of the words that it may have, and a last sentence needs some.
const LEAST: f64 = 0.45;
/// With this share of them it ends in any case: what is added later leads away from the picture, and contradicts what stands.
const FULL: f64 = 0.62;
/// Once it has this share of them, a story ends rather than go on with a sentence that says nothing new.
const ENOUGH: f64 = 0.33;
const LAST_SENTENCE: usize = 8;
/// What is shorter is no line of verse but the beginning of one.
const LEAST_WORDS_OF_A_LINE: usize = 3;

/// One story being chosen.
pub(super) struct Choosing<'a> {
    language: &'a Language,
    subject: &'a Subject,
    /// The thought of the captions, of length 1, and the direction of the style, as long as it is strong (T).
    content: Tensor,
    style: Option<Tensor>,
    most_words: usize,
    /// Sentences of the story that this one goes on from.
    earlier: usize,
    /// What stands so far.
    pub(super) sentences: Vec<String>,
    words: usize,
    pairs: HashSet<(String, String)>,
    heard: HashSet<String>,
    /// The thoughts of what stands (T), of length 1.
    thoughts: Vec<Tensor>,
    scores: f64,
    told: &'a mut dyn FnMut(usize, &str),
}

/// A sentence with what it is judged by.
struct Candidate<'a> {
    place: usize,
    sentence: &'a Sentence,
    words: Vec<String>,
}

impl<'a> Choosing<'a> {
    /// A story of at most so many words; `told` learns each new sentence as soon as it stands.
    ///
    /// # Errors
    /// When the sentences before it cannot be read.
    pub(super) fn begin(
        language: &'a Language,
        subject: &'a Subject,
        most_words: usize,
        told: &'a mut dyn FnMut(usize, &str),
    ) -> Result<Self> {
        let earlier = &subject.earlier;
        let has_style = subject.style.abs().max().double_value(&[]) > 0.0;
        let mut choosing = Self {
            content: unit_rows(&subject.content),
            style: has_style.then(|| subject.style.shallow_clone()),
            language,
            subject,
            most_words,
            earlier: earlier.len(),
            sentences: Vec::new(),
            words: 0,
            pairs: HashSet::new(),
            heard: HashSet::new(),
            thoughts: Vec::new(),
            scores: 0.0,
            told,
        };
        if !earlier.is_empty() {
            choosing.thoughts = choosing.thoughts_of(earlier)?.unbind(0);
        }
        for sentence in earlier {
            choosing.hear(&words(sentence));
        }
        Ok(choosing)
    }

    /// How many sentences or lines set the scene.
    fn scene(&self) -> usize {
        match self.subject.unit {
            Unit::Sentence => SCENE,
            Unit::Line => STANZA,
        }
    }

    /// How many sentences stand, with those of the story before.
    fn standing(&self) -> usize {
        self.earlier + self.sentences.len()
    }

    /// What stands, the last one first.
    fn before(&self) -> impl Iterator<Item = &String> {
        let all = self.subject.earlier.iter().chain(&self.sentences);
        all.rev()
    }

    /// What sentences think (N, T), each of length 1.
    fn thoughts_of<S: AsRef<str>>(&self, sentences: &[S]) -> Result<Tensor> {
        let sentences: Vec<&str> = sentences.iter().map(AsRef::as_ref).collect();
        let thoughts = self.language.sentences.encode(&sentences, &mut |_| {})?;
        Ok(unit_rows(
            &(thoughts.to_device(Device::Cpu) - &self.language.mean),
        ))
    }

    fn hear(&mut self, words: &[String]) {
        self.pairs.extend(pairs(words));
        self.heard
            .extend(words.iter().map(|word| stem(word).to_owned()));
    }

    /// The mean score of its sentences.
    pub(super) fn score(&self) -> f64 {
        self.scores / self.sentences.len().max(1) as f64
    }

    /// Whether a sentence goes round in a circle: what it says was said, or nearly all of its words stood in the one before.
    fn says_nothing_new(&self, words: &[String]) -> bool {
        let content = words.iter().filter(|word| is_content(word));
        let new = content.filter(|word| !self.heard.contains(stem(word)));
        let before = self.before().next().map(|text| self::words(text));
        new.count() == 0 || before.is_some_and(|before| echo(words, &before) > ECHOES)
    }

    /// Whether it has this share of the words that it may have.
    fn has(&self, share: f64) -> bool {
        self.words as f64 >= self.most_words as f64 * share
    }

    /// The place of the best one, and its thought and score.
    fn best(&self, candidates: &[Candidate]) -> Result<Option<(usize, Tensor, f64)>> {
        let texts: Vec<&str> = candidates
            .iter()
            .map(|c| c.sentence.text.as_str())
            .collect();
        let thoughts = self.thoughts_of(&texts)?;
        let near = |to: &Tensor| -> Result<Vec<f32>> { Ok(Vec::try_from(thoughts.mv(to))?) };
        let captions = near(&self.content)?;
        let picture = near(&self.subject.picture)?;
        let style = self.style.as_ref().map(near).transpose()?;
        let before = self.thoughts.iter().map(near).collect::<Result<Vec<_>>>()?;
        let of = |near: &Vec<f32>, row: usize| f64::from(near[row]);
        let weight = if self.standing() < self.scene() {
            PICTURE.0
        } else {
            PICTURE.1
        };
        let score = |(row, candidate)| {
            let closest = before.iter().map(|near| of(near, row)).fold(0.0, f64::max);
            let fits = weight * (of(&captions, row) + EYES * of(&picture, row))
                + STYLE * style.as_ref().map_or(0.0, |near| of(near, row))
                + CONTINUING * before.last().map_or(0.0, |near| of(near, row))
                + SAME.1 * (closest - SAME.0).max(0.0);
            (row, fits + self.language_of(candidate))
        };
        let mut scored: Vec<(usize, f64)> = candidates.iter().enumerate().map(score).collect();
        let best_first = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1);
        scored.sort_by(best_first);
        if self.standing() > 0 && self.subject.unit == Unit::Sentence {
            scored.truncate(READ_ANEW);
            let drawn = |&(row, _): &(usize, f64)| (texts[row], candidates[row].sentence.fluency);
            let drawn: Vec<_> = scored.iter().map(drawn).collect();
            let gained = belonging(self.language, &drawn)?;
            for ((_, score), gained) in scored.iter_mut().zip(gained) {
                *score += gained;
            }
            scored.sort_by(best_first);
        }
        let best = scored.first();
        Ok(best.map(|&(row, score)| (row, thoughts.get(row as i64), score)))
    }

    /// How well a sentence reads here, whatever it is about.
    fn language_of(&self, candidate: &Candidate) -> f64 {
        let words = &candidate.words;
        let newly = words.iter().map(|word| stem(word)).filter(|&stem| {
            let told = self
                .subject
                .words
                .iter()
                .any(|word| self::stem(word) == stem);
            told && !self.heard.contains(stem)
        });
        let newly = newly.collect::<HashSet<_>>().len().min(2);
        let mut own = HashSet::new();
        let repeated = pairs(words)
            .filter(|pair| self.pairs.contains(pair) || !own.insert(pair.clone()))
            .count();
        let opens = self.standing() == 0;
        let leaning = opens && leans(words);
        let content: Vec<&str> = words
            .iter()
            .filter(|word| is_content(word))
            .map(|word| stem(word))
            .collect();
        let mut own = HashSet::new();
        let again = content
            .iter()
            .filter(|&&stem| self.heard.contains(stem))
            .count();
        let stammered = content.iter().filter(|&&stem| !own.insert(stem)).count();
        let share = |some: usize| some as f64 / content.len().max(1) as f64;
        let text = &candidate.sentence.text;
        let untidy = text.matches('"').count() % 2 == 1
            || opens_speech(text)
            || text.matches('(').count() != text.matches(')').count()
            || self.subject.unit == Unit::Sentence && begins_small(text);
        let narrator = self.standing() >= self.scene()
            && words.iter().any(|word| is_narrator(word))
            && !self.heard.iter().any(|word| is_narrator(word));
        FLUENCY * candidate.sentence.fluency
            + NEWLY_TOLD * newly as f64
            + REPEATED * repeated as f64 / words.len().max(1) as f64
            + SAID_AGAIN * share(again)
            + ALL_SAID.1 * (share(again) - ALL_SAID.0).max(0.0)
            + WORN * self.language.worn.count_in(words).min(2) as f64
            + STAMMERED * share(stammered)
            + if untidy { UNTIDY } else { 0.0 }
            + if narrator { LATE_NARRATOR } else { 0.0 }
            + if words.iter().any(|word| is_of_texts(word)) {
                ABOUT_ITSELF
            } else {
                0.0
            }
            + if leaning { LEANING } else { 0.0 }
            + match self.subject.unit {
                Unit::Sentence => of_a_sentence(words, self.before()),
                Unit::Line => of_a_line(words, &self.sentences),
            }
    }

    fn stand(&mut self, candidate: &Candidate, thought: Tensor, score: f64) {
        let text = with_apostrophes(&candidate.sentence.text);
        (self.told)(self.sentences.len(), &text);
        self.words += text.split_whitespace().count();
        self.sentences.push(text);
        self.hear(&candidate.words);
        self.thoughts.push(thought);
        self.scores += score;
    }
}

impl Reader for Choosing<'_> {
    fn choose(&mut self, sentences: &[Sentence]) -> Result<Option<usize>> {
        let ends = sentences
            .iter()
            .filter(|s| s.last && s.text.is_empty())
            .count();
        if ends * 2 > sentences.len() && self.has(LEAST) {
            return Ok(None);
        }
        let room = self.most_words.saturating_sub(self.words);
        let completes = ends_stanza(self.sentences.len() + 1);
        let verse = self.subject.unit == Unit::Line;
        let fits = |sentence: &Sentence| {
            let breaks_off = verse && sentence.last && !completes;
            let is_heading = verse && is_heading(&sentence.text);
            let words = sentence.text.split_whitespace().count();
            let is_stub = verse && words < LEAST_WORDS_OF_A_LINE;
            !breaks_off && !is_heading && !is_stub && words <= room
        };
        let mut candidates = candidates(sentences, &|sentence| sentence.whole && fits(sentence));
        if candidates.is_empty() && verse {
            // a line that would have gone on for long is broken off where it pauses
            candidates = self::candidates(sentences, &fits);
        }
        if candidates.is_empty() && self.sentences.is_empty() {
            // better a first sentence that is cut off than no story
            candidates = self::candidates(sentences, &|sentence| !sentence.text.is_empty());
        }
        let Some((row, thought, score)) = self.best(&candidates)? else {
            return Ok(None);
        };
        if self.has(ENOUGH) && !verse && self.says_nothing_new(&candidates[row].words) {
            return Ok(None);
        }
        self.stand(&candidates[row], thought, score);
        Ok(Some(candidates[row].place))
    }

    fn goes_on(&mut self, end_probability: f64) -> bool {
        let room = self.most_words.saturating_sub(self.words);
        let may_end = self.has(LEAST) && end_probability >= AN_END;
        if self.unit() == Unit::Line {
            let lines = self.sentences.len();
            return has_room(lines, room) && !(may_end && ends_stanza(lines));
        }
        room >= LAST_SENTENCE && !may_end && !self.has(FULL)
    }

    fn unit(&self) -> Unit {
        self.subject.unit
    }

    fn stanza_ends(&self) -> bool {
        ends_stanza(self.sentences.len())
    }
}

fn candidates<'a>(
    sentences: &'a [Sentence],
    fits: &dyn Fn(&Sentence) -> bool,
) -> Vec<Candidate<'a>> {
    let numbered = sentences.iter().enumerate();
    let fitting = numbered.filter(|(_, sentence)| !sentence.text.is_empty() && fits(sentence));
    fitting
        .map(|(place, sentence)| Candidate {
            place,
            sentence,
            words: words(&sentence.text),
        })
        .collect()
}

/// Whether a line speaks of the poem, or numbers its stanzas.
fn is_heading(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_digit()) || words(line).iter().any(|w| is_of_texts(w))
}

fn begins_small(text: &str) -> bool {
    text.starts_with(|c: char| c.is_lowercase() || c == '\'')
}

fn pairs(words: &[String]) -> impl Iterator<Item = (String, String)> {
    words
        .windows(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
}
