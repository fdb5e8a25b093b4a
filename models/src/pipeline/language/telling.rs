//! One batch, stage by stage, as in `recurrent::stages`; each story is written for itself, in a block of one shape.
//! `Language::tell` calls it; what goes wrong with one request ends that request only.

use super::Language;
use super::item::Item;
use super::prompting::{Ready, think};
use super::side_by_side::write_all;
use super::writing::captions;
use crate::bundle::styles::Mix;
use crate::error::{Error, Result};
use crate::pipeline::options::{Mode, Options};
use crate::pipeline::story::{Request, Stage, Story, Timings, ToldBatch, Watcher};
use std::time::Instant;

/// Captions that are told of as used.
const CAPTIONS_SHOWN: usize = 100;

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
            .find(&item.look, &language.readings, count, Some);
        watcher.captions(item.place, &captions(language, item));
        watcher.stage(item.place, Stage::Captioning, 1, 1);
    }
    timings.captioning = lap();
    let mut ready = Vec::with_capacity(items.len());
    for item in items {
        match think(language, &item) {
            Ok(subject) => {
                watcher.stage(item.place, Stage::Thinking, 1, 1);
                ready.push(Ready { item, subject });
            }
            Err(error) => stories[item.place] = Some(Err(error)),
        }
    }
    timings.thinking = lap();
    let begun = Instant::now();
    let mut end = |place: usize, story: Result<Story>, watcher: &mut dyn Watcher| {
        timings.writing = begun.elapsed().as_secs_f64();
        if let Ok(story) = &story {
            watcher.told(place, story, &timings);
        }
        stories[place] = Some(story);
    };
    write_all(language, ready, watcher, &mut end);
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
