//! Writes the story of one request, sentence by sentence, from its subject.
//! `side_by_side` calls it, on whatever thread has a core. What must stay true: nothing here depends on the neighbours.

use super::Language;
use super::choosing::Choosing;
use super::explaining::explain;
use super::item::Item;
use super::leanings;
use super::prompting::Ready;
use crate::decoding::drawing::DrawingRules;
use crate::error::{Error, Result};
use crate::pipeline::ending::count_words;
use crate::pipeline::options::{Form, Mode, Options};
use crate::pipeline::seeing::Found;
use crate::pipeline::story::{Stage, Story, UsedCaption, Watcher};
use crate::pipeline::verse;
use crate::pipeline::writer::{Seat, Unit};
use std::cell::RefCell;

/// Sentences to choose from. Each has a chance to fit the picture better, and makes every step a little dearer.
const MOST_ROWS: usize = 12;
/// Lines to choose from: they are short, and few of them rhyme.
const MOST_LINES: usize = 10;
/// Of sentences, and of lines, this share is not waited for. A step costs hardly less for two rows than for all, and the slowest
/// ones take half of all steps; but of sentences they are the long ones, and nobody likes to read short ones only.
const LEFT_OPEN: f64 = 0.25;
const LINES_LEFT_OPEN: f64 = 0.375;
/// Taken off a token's logit for each time the story has used it.
const WEARINESS: f64 = 0.03;
/// Verse is drawn wilder than prose: its words have to rhyme, and what is likeliest lists what was asked for.
const WILDER: f64 = 0.3;
/// No run of this many tokens comes twice in a story.
const NO_REPEAT: usize = 4;
/// Tokens of a word, on average: a story of n words needs room for so many more.
const TOKENS_A_WORD: f64 = 1.25;
/// With commas and ends of lines.
const TOKENS_A_WORD_OF_A_LINE: f64 = 1.6;
/// A story may end once it has this share of the tokens that it may have.
const EARLIEST_END: f64 = 0.5;
/// Nobody waits for a sentence of more tokens, or a line.
const LONGEST_SENTENCE: usize = 48;
const LONGEST_LINE: usize = 18;

/// A text with the mean score of its sentences.
type Version = (f64, String);

/// Who writes, and where: in a seat among others, or alone.
pub(super) struct Pen<'a> {
    pub(super) language: &'a Language,
    pub(super) seat: Option<Seat<'a>>,
}

/// Writes the versions that are wanted, each from a seed of its own, and puts the best first.
pub(super) fn write(pen: &Pen, ready: &Ready, watcher: &mut dyn Watcher) -> Result<Story> {
    let (language, item) = (pen.language, &ready.item);
    let mut versions = Vec::with_capacity(item.options.count.max(1));
    for number in 0..item.options.count.max(1) {
        versions.push(version(pen, ready, number, watcher)?);
    }
    versions.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut versions = versions.into_iter();
    let (score, text) = versions.next().unwrap_or_default();
    Ok(Story {
        words: count_words(&text),
        text,
        captions: captions(language, item),
        score: -score as f32,
        others: versions.map(|(_, text)| text).collect(),
        explanation: Some(explain(language, ready)?),
    })
}

/// Writes one of the versions of a story, sentence by sentence.
fn version(pen: &Pen, ready: &Ready, number: usize, watcher: &mut dyn Watcher) -> Result<Version> {
    let (language, item, subject) = (pen.language, &ready.item, &ready.subject);
    let mut rules = rules(&item.options, subject.unit);
    rules.seed = rules.seed.wrapping_add(number as u64);
    rules.leaning = leanings::of(language, item, subject.unit)?;
    // both the choice of sentences and the count of tokens tell the watcher, each while the other is not at it
    let watcher = RefCell::new(watcher);
    // of several, nobody knows yet which is the best
    let alone = item.options.count <= 1;
    let mut coming = verse::Coming::default();
    let mut told = |index: usize, text: &str| {
        let final_now = match (item.options.form, subject.unit) {
            (Form::Prose, _) => vec![(index, text.to_owned())],
            (Form::Lyrics, Unit::Line) => coming.take(text),
            // prose becomes lines when all of it is there
            (Form::Lyrics, Unit::Sentence) => Vec::new(),
        };
        for (index, text) in final_now.iter().filter(|_| alone) {
            watcher.borrow_mut().sentence(item.place, *index, text);
        }
    };
    let most_words = item.options.max_words;
    let mut choosing = Choosing::begin(language, subject, most_words, &mut told)?;
    let mut go_on = |tokens: usize| {
        let mut watcher = watcher.borrow_mut();
        watcher.stage(item.place, Stage::Writing, tokens, rules.at_most);
        !watcher.cancelled(item.place)
    };
    let prompt = &subject.prompt;
    let written = match &pen.seat {
        Some(seat) => seat.write(prompt, &rules, &mut choosing, &mut go_on)?,
        None => language
            .writer
            .write(prompt, &rules, &mut choosing, &mut go_on)?,
    };
    written.ok_or(Error::Cancelled)?;
    let text = match (item.options.form, subject.unit) {
        (Form::Prose, _) => choosing.sentences.join(" "),
        (Form::Lyrics, Unit::Sentence) => verse::lines(&choosing.sentences.join(" ")),
        (Form::Lyrics, Unit::Line) => verse::stanzas(&choosing.sentences),
    };
    let score = choosing.score();
    if let (Some((index, line)), true) = (coming.end(&text), alone) {
        watcher.borrow_mut().sentence(item.place, index, &line);
    }
    Ok((score, text))
}

/// What was found for a request.
pub(super) fn captions(language: &Language, item: &Item) -> Vec<UsedCaption> {
    let caption = |found: &Found| UsedCaption {
        text: language.captions[found.row].clone(),
        similarity: found.similarity,
    };
    item.found.iter().map(caption).collect()
}

/// How the sentences of a request are drawn; a search takes the likeliest token each time.
fn rules(options: &Options, unit: Unit) -> DrawingRules {
    let (temperature, top_p, seed) = match options.mode {
        Mode::Beam => (0.0, 1.0, 0),
        Mode::Sample {
            temperature,
            top_p,
            seed,
        } => (f64::from(temperature), f64::from(top_p), seed),
    };
    let (tokens_a_word, longest) = match unit {
        Unit::Sentence => (TOKENS_A_WORD, LONGEST_SENTENCE),
        Unit::Line => (TOKENS_A_WORD_OF_A_LINE, LONGEST_LINE),
    };
    let (most, left_open) = match unit {
        Unit::Sentence => (MOST_ROWS, LEFT_OPEN),
        Unit::Line => (MOST_LINES, LINES_LEFT_OPEN),
    };
    let temperature = match (options.mode, unit) {
        (Mode::Sample { .. }, Unit::Line) => temperature + WILDER,
        _ => temperature,
    };
    let branches = match options.mode {
        Mode::Beam => 1,
        Mode::Sample { .. } => options.beam_width.min(most),
    };
    let at_most = (options.max_words as f64 * tokens_a_word) as usize;
    DrawingRules {
        branches,
        left_open: (branches as f64 * left_open) as usize,
        temperature,
        top_p,
        weariness: WEARINESS,
        leaning: Vec::new(),
        no_repeat: NO_REPEAT,
        at_least: (at_most as f64 * EARLIEST_END) as usize,
        at_most,
        sentence: longest,
        ends: Vec::new(),
        seed,
    }
}
