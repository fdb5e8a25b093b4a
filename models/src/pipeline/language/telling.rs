//! One batch, stage by stage, as in `recurrent::stages`; each story is written for itself, in a block of one shape.
//! `Language::tell` calls it; what goes wrong with one request ends that request only.

use super::Language;
use super::choosing::Choosing;
use super::explaining::explain;
use super::prompting::{Seen, Subject, last_sentences, think};
use super::side_by_side::write_all;
use crate::bundle::styles::Mix;
use crate::decoding::drawing::DrawingRules;
use crate::pipeline::ending::count_words;
use crate::pipeline::options::{Form, Mode, Options};
use crate::pipeline::seeing::{Found, Look};
use crate::pipeline::storyteller::{
    Request, Stage, Story, Timings, ToldBatch, UsedCaption, Watcher,
};
use crate::pipeline::verse;
use crate::{Error, Result};
use std::cell::RefCell;
use std::time::Instant;

/// Sentences to choose from: as many as one pass of the packed products takes, so that six cost little more than one and
/// eight a third more than six.
const MOST_ROWS: usize = 6;
/// Taken off a token's logit for each time the story has used it.
const WEARINESS: f64 = 0.12;
/// No run of this many tokens comes twice in a story.
const NO_REPEAT: usize = 4;
/// Tokens of a word, on average: a story of n words needs room for so many more.
const TOKENS_A_WORD: f64 = 1.25;
/// A story may end once it has this share of the tokens that it may have.
const EARLIEST_END: f64 = 0.5;
/// Nobody waits for a sentence of more tokens.
const LONGEST_SENTENCE: usize = 48;
/// Captions that are told of as used.
const CAPTIONS_SHOWN: usize = 100;

/// A request on its way.
pub(super) struct Item<'a> {
    pub(super) place: usize,
    options: &'a Options,
    mix: Mix,
    look: Look,
    found: Vec<Found>,
}

/// The results so far; none yet for those still on their way.
type Stories = Vec<Option<Result<Story>>>;

/// Tells the stories of a batch.
pub(super) fn tell(
    language: &Language,
    requests: &[Request],
    watcher: &mut dyn Watcher,
) -> ToldBatch {
    let mut stories: Stories = requests.iter().map(|_| None).collect();
    let mut timings = Timings::default();
    let mut clock = Instant::now();
    let mut lap = || {
        std::mem::replace(&mut clock, Instant::now())
            .elapsed()
            .as_secs_f64()
    };
    let mut items = look(language, requests, watcher, &mut stories);
    timings.looking = lap();
    for item in &mut items {
        let count = item.options.captions.min(CAPTIONS_SHOWN);
        item.found = language
            .seeing
            .find((&item.look, &language.readings), count, Some);
        watcher.captions(item.place, &captions(language, item));
        watcher.stage(item.place, Stage::Captioning, 1, 1);
    }
    timings.captioning = lap();
    let ready = items.into_iter().map(|item| {
        let seen = Seen {
            look: &item.look,
            found: &item.found,
        };
        let subject = think(language, &seen, &item.mix, item.options);
        watcher.stage(item.place, Stage::Thinking, 1, 1);
        (item, subject)
    });
    let ready = ready.collect();
    timings.thinking = lap();
    let begun = Instant::now();
    let mut end = |(place, story): (usize, Result<Story>), watcher: &mut dyn Watcher| {
        timings.writing = begun.elapsed().as_secs_f64();
        if let Ok(story) = &story {
            watcher.told(place, story, &timings);
        }
        stories[place] = Some(story);
    };
    write_all(language, ready, (requests.len(), watcher, &mut end));
    let done = stories
        .into_iter()
        .map(|story| story.unwrap_or(Err(Error::Cancelled)));
    ToldBatch {
        stories: done.collect(),
        timings,
    }
}

/// Checks the wishes and looks at the pictures.
fn look<'a>(
    language: &Language,
    requests: &'a [Request],
    watcher: &mut dyn Watcher,
    stories: &mut Stories,
) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for (place, request) in requests.iter().enumerate() {
        if watcher.cancelled(place) {
            stories[place] = Some(Err(Error::Cancelled));
            continue;
        }
        match check(language, &request.options) {
            Ok(mix) => {
                watcher.stage(place, Stage::Looking, 0, 1);
                let options = &request.options;
                for look in language.eyes.look(&[request.picture]) {
                    items.push(Item {
                        place,
                        options,
                        mix: mix.clone(),
                        look,
                        found: Vec::new(),
                    });
                }
                watcher.stage(place, Stage::Looking, 1, 1);
            }
            Err(error) => stories[place] = Some(Err(error)),
        }
    }
    items
}

/// Refuses what these networks cannot do.
fn check(language: &Language, options: &Options) -> Result<Mix> {
    let refuse = |field, reason: &str| {
        Err(Error::Option {
            field,
            reason: reason.to_owned(),
        })
    };
    if options.strict {
        let reason = "strict stories are those of the networks of 2015: open an imported original (`storyteller import`)";
        return refuse("compat", reason);
    }
    if options.captions == 0 {
        return refuse("captions", "a story needs at least one caption");
    }
    if options.beam_width == 0 {
        return refuse("beam_width", "at least one draft is needed");
    }
    if options.count > 1 && options.mode == Mode::Beam {
        let reason = "a search finds one story: leave out `mode=beam`, or ask for one";
        return refuse("count", reason);
    }
    language.styles.mix(&options.style, options.style_strength)
}

/// A text with the mean score of its sentences.
type Version = (f64, String);

/// Writes the versions that are wanted, each from a seed of its own, and puts the best first.
pub(super) fn write(
    language: &Language,
    item: &Item,
    subject: &Subject,
    watcher: &mut dyn Watcher,
) -> Result<Story> {
    let mut versions = Vec::with_capacity(item.options.count.max(1));
    for number in 0..item.options.count.max(1) {
        versions.push(version(language, (item, number), subject, watcher)?);
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
        explanation: Some(explain(language, &item.found, subject, item.options)?),
    })
}

/// Writes one of the versions of a story, sentence by sentence.
fn version(
    language: &Language,
    (item, number): (&Item, usize),
    subject: &Subject,
    watcher: &mut dyn Watcher,
) -> Result<Version> {
    let mut rules = rules(item.options);
    rules.seed = rules.seed.wrapping_add(number as u64);
    let rows = match item.options.mode {
        Mode::Beam => 1,
        Mode::Sample { .. } => item.options.beam_width.min(MOST_ROWS),
    };
    // both the choice of sentences and the count of tokens tell the watcher, each while the other is not at it
    let watcher = RefCell::new(watcher);
    let mut told = |index: usize, text: &str| {
        // of several, nobody knows yet which is the best
        if item.options.form == Form::Prose && item.options.count <= 1 {
            watcher.borrow_mut().sentence(item.place, index, text);
        }
    };
    let earlier = last_sentences(&item.options.before);
    let most_words = item.options.max_words;
    let mut choosing = Choosing::after((&earlier, subject), language, most_words, &mut told)?;
    let mut go_on = |tokens: usize| {
        let mut watcher = watcher.borrow_mut();
        watcher.stage(item.place, Stage::Writing, tokens, rules.at_most);
        !watcher.cancelled(item.place)
    };
    let written =
        language
            .writer
            .write(&subject.prompt, (rows, &rules), &mut choosing, &mut go_on)?;
    written.ok_or(Error::Cancelled)?;
    let text = choosing.sentences.join(" ");
    let text = match item.options.form {
        Form::Prose => text,
        Form::Lyrics => verse::lines(&text),
    };
    Ok((choosing.score(), text))
}

/// What was found for a request.
fn captions(language: &Language, item: &Item) -> Vec<UsedCaption> {
    let caption = |found: &Found| UsedCaption {
        text: language.captions[found.row].clone(),
        similarity: found.similarity,
    };
    item.found.iter().map(caption).collect()
}

/// How the sentences of a request are drawn; a search takes the likeliest token each time.
fn rules(options: &Options) -> DrawingRules {
    let (temperature, top_p, seed) = match options.mode {
        Mode::Beam => (0.0, 1.0, 0),
        Mode::Sample {
            temperature,
            top_p,
            seed,
        } => (f64::from(temperature), f64::from(top_p), seed),
    };
    let at_most = (options.max_words as f64 * TOKENS_A_WORD) as usize;
    DrawingRules {
        temperature,
        top_p,
        weariness: WEARINESS,
        no_repeat: NO_REPEAT,
        at_least: (at_most as f64 * EARLIEST_END) as usize,
        at_most,
        sentence: LONGEST_SENTENCE,
        ends: Vec::new(),
        seed,
    }
}
