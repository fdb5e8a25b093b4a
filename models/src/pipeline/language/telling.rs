//! One batch, stage by stage, as in `recurrent::stages`; each story is written for itself, in a block of one shape.
//! Others may join while it is written, and go through the same stages. `Language::tell` calls it; what goes wrong with one
//! request ends that request only.

use super::Language;
use super::item::Item;
use super::prompting::{Ready, think};
use super::side_by_side::{Batch, write_all};
use super::writing::captions;
use crate::bundle::styles::Mix;
use crate::error::{Error, Result};
use crate::pipeline::options::{Mode, Options};
use crate::pipeline::story::{Newcomer, Request, Stage, Story, Timings, ToldBatch, Watcher};
use std::time::{Duration, Instant};

/// Captions that are told of as used.
const CAPTIONS_SHOWN: usize = 100;

/// For so long others may join, and none after one that was not told: what failed is known to the caller at the end only.
const OPEN_FOR: Duration = Duration::from_secs(60);

/// Tells the stories of a batch, and those that join it.
pub(super) fn tell(
    language: &Language,
    requests: &[Request],
    watcher: &mut dyn Watcher,
) -> ToldBatch {
    let mut telling = Telling {
        language,
        begun: Instant::now(),
        stories: Vec::new(),
        spent: Vec::new(),
    };
    let ready = telling.prepare(requests, watcher);
    write_all(language, ready, &mut telling, watcher);
    telling.end()
}

/// Where the time of a request went; those that are prepared together have spent it together.
#[derive(Clone, Copy)]
struct Spent {
    timings: Timings,
    writing_since: Instant,
}

/// A batch on its way.
struct Telling<'a> {
    language: &'a Language,
    begun: Instant,
    /// The results so far; none yet for those still on their way.
    stories: Vec<Option<Result<Story>>>,
    spent: Vec<Spent>,
}

impl Telling<'_> {
    /// Looks, finds and thinks for requests that come next.
    fn prepare(&mut self, requests: &[Request], watcher: &mut dyn Watcher) -> Vec<Ready> {
        let first = self.stories.len();
        self.stories.extend(requests.iter().map(|_| None));
        let (language, mut timings) = (self.language, Timings::default());
        let mut clock = Instant::now();
        let mut lap = || {
            std::mem::replace(&mut clock, Instant::now())
                .elapsed()
                .as_secs_f64()
        };
        let items = self.look(first, requests, watcher);
        timings.looking = lap();
        let items = language.of_each(items, |language, mut item| {
            let count = item.options.captions.min(CAPTIONS_SHOWN);
            item.found = language
                .seeing
                .find(&item.look, &language.readings, count, Some);
            item
        });
        for item in &items {
            watcher.captions(item.place, &captions(language, item));
            watcher.stage(item.place, Stage::Captioning, 1, 1);
        }
        timings.captioning = lap();
        let thought = language.of_each(items, |language, item| (think(language, &item), item));
        let mut ready = Vec::with_capacity(thought.len());
        for (subject, item) in thought {
            match subject {
                Ok(subject) => {
                    watcher.stage(item.place, Stage::Thinking, 1, 1);
                    ready.push(Ready { item, subject });
                }
                Err(error) => self.stories[item.place] = Some(Err(error)),
            }
        }
        timings.thinking = lap();
        let spent = Spent {
            timings,
            writing_since: Instant::now(),
        };
        self.spent.resize(self.stories.len(), spent);
        ready
    }

    /// Checks the wishes and looks at the pictures, whose places begin with `first`.
    fn look(&mut self, first: usize, requests: &[Request], watcher: &mut dyn Watcher) -> Vec<Item> {
        let mut wanted = Vec::with_capacity(requests.len());
        for (place, request) in (first..).zip(requests) {
            let mix = match watcher.cancelled(place) {
                true => Err(Error::Cancelled),
                false => check(self.language, &request.options),
            };
            match mix {
                Ok(mix) => wanted.push((place, request, mix)),
                Err(error) => self.stories[place] = Some(Err(error)),
            }
        }
        let looks = wanted.iter().map(|&(place, request, _)| {
            watcher.stage(place, Stage::Looking, 0, 1);
            request.picture
        });
        let looks = self.language.look(&looks.collect::<Vec<_>>());
        let seen = wanted.into_iter().zip(looks);
        let seen = seen.map(|((place, request, mix), look)| {
            watcher.stage(place, Stage::Looking, 1, 1);
            Item {
                place,
                options: request.options.clone(),
                mix,
                look,
                found: Vec::new(),
            }
        });
        seen.collect()
    }

    /// What came of it; the time of the batch is that of those it began with, until the last story was written.
    fn end(self) -> ToldBatch {
        let writing = self.spent.iter().map(|spent| spent.timings.writing);
        let writing = writing.fold(0.0, f64::max);
        let first = self.spent.first().map(|spent| spent.timings);
        let done = self.stories.into_iter();
        ToldBatch {
            stories: done
                .map(|story| story.unwrap_or(Err(Error::Cancelled)))
                .collect(),
            timings: Timings {
                writing,
                ..first.unwrap_or_default()
            },
        }
    }

    fn is_open(&self) -> bool {
        let failed = |story: &Option<Result<Story>>| matches!(story, Some(Err(_)));
        self.begun.elapsed() < OPEN_FOR && !self.stories.iter().any(failed)
    }
}

impl Batch for Telling<'_> {
    fn ended(&mut self, place: usize, story: Result<Story>, watcher: &mut dyn Watcher) {
        let spent = &mut self.spent[place];
        spent.timings.writing = spent.writing_since.elapsed().as_secs_f64();
        if let Ok(story) = &story {
            watcher.told(place, story, &spent.timings);
        }
        self.stories[place] = Some(story);
    }

    fn joining(&mut self, watcher: &mut dyn Watcher) -> Option<Ready> {
        while watcher.is_open() && self.is_open() {
            let Newcomer { picture, options } = watcher.newcomer()?;
            let request = Request {
                picture: &picture,
                options,
            };
            if let Some(ready) = self.prepare(&[request], watcher).pop() {
                return Some(ready);
            }
        }
        None
    }
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
