//! One batch, stage by stage.
//!
//! Every stage goes over all requests that are still wanted, so that the networks work on batches;
//! whatever goes wrong with one request ends that request only. What one request is given may never
//! depend on its neighbours.

use super::Recurrent;
use super::strategy::{longest, strategy};
use crate::bundle::styles::Mix;
use crate::decoding::decode_loop::{Thoughts, write};
use crate::decoding::hints::Hints;
use crate::decoding::hypothesis::{Hypothesis, ranked};
use crate::error::{Error, Result};
use crate::networks::skip_thoughts::Encoding;
use crate::pipeline::ending;
use crate::pipeline::gallery::Match;
use crate::pipeline::options::{Mode, Options};
use crate::pipeline::picture::Picture;
use crate::pipeline::story::{Request, Stage, Story, Timings, ToldBatch, UsedCaption, Watcher};
use crate::text::tokenize;
use std::time::Instant;
use tch::{Kind, Tensor};

/// A request on its way.
struct Item<'a> {
    place: usize,
    options: &'a Options,
    mix: Mix,
    feature: Tensor,
    captions: Vec<Match>,
    thought: Tensor,
}

/// Tells the stories of a batch.
pub(super) fn tell(
    teller: &Recurrent,
    requests: &[Request],
    watcher: &mut dyn Watcher,
) -> ToldBatch {
    let mut stories: Vec<Option<Result<Story>>> = requests.iter().map(|_| None).collect();
    let mut timings = Timings::default();
    let mut clock = Instant::now();
    let mut lap = || {
        std::mem::replace(&mut clock, Instant::now())
            .elapsed()
            .as_secs_f64()
    };

    let mut items = look(teller, requests, watcher, &mut stories);
    timings.looking = lap();
    find_captions(teller, &mut items);
    for item in &items {
        watcher.captions(item.place, &captions(teller, item));
        watcher.stage(item.place, Stage::Captioning, 1, 1);
    }
    timings.captioning = lap();
    items.retain(|item| wanted(item.place, watcher, &mut stories));
    items.retain_mut(|item| {
        let thought = think(teller, item, watcher);
        let thought = thought.filter(|_| wanted(item.place, watcher, &mut stories));
        thought.map(|thought| item.thought = thought).is_some()
    });
    timings.thinking = lap();
    put_down(teller, &items, watcher, &mut stories);
    timings.writing = lap();

    let done = stories
        .into_iter()
        .map(|story| story.unwrap_or(Err(Error::Cancelled)));
    ToldBatch {
        stories: done.collect(),
        timings,
    }
}

/// Whether a request goes on; a cancelled one gets its result.
fn wanted(place: usize, watcher: &mut dyn Watcher, stories: &mut [Option<Result<Story>>]) -> bool {
    let cancelled = watcher.cancelled(place);
    if cancelled {
        stories[place] = Some(Err(Error::Cancelled));
    }
    !cancelled
}

/// Checks the wishes and looks at the pictures.
fn look<'a>(
    teller: &Recurrent,
    requests: &'a [Request],
    watcher: &mut dyn Watcher,
    stories: &mut [Option<Result<Story>>],
) -> Vec<Item<'a>> {
    let mut seen = Vec::new();
    for (place, request) in requests.iter().enumerate() {
        if !wanted(place, watcher, stories) {
            continue;
        }
        match check(teller, &request.options) {
            Ok(mix) => {
                watcher.stage(place, Stage::Looking, 0, 1);
                seen.push((place, mix));
            }
            Err(error) => stories[place] = Some(Err(error)),
        }
    }
    let pictures: Vec<_> = seen
        .iter()
        .map(|&(place, _)| requests[place].picture)
        .collect();
    let look = |strange: &[&Picture]| teller.image_encoder.look(strange);
    let features = teller.looks.at(&pictures, look);
    let mut items = Vec::new();
    for ((place, mix), feature) in seen.into_iter().zip(features) {
        watcher.stage(place, Stage::Looking, 1, 1);
        if wanted(place, watcher, stories) {
            let thought = Tensor::new();
            let options = &requests[place].options;
            items.push(Item {
                place,
                options,
                mix,
                feature,
                captions: Vec::new(),
                thought,
            });
        }
    }
    items
}

/// Finds the captions of all pictures in one pass over the gallery.
fn find_captions(teller: &Recurrent, items: &mut [Item]) {
    let embed = |item: &Item| teller.vse.embed_images(&item.feature);
    let embeddings: Vec<Tensor> = items.iter().map(embed).collect();
    let wanted: Vec<_> = embeddings
        .iter()
        .zip(items.iter().map(|item| item.options.captions))
        .collect();
    let found = teller.gallery.nearest_of_each(&wanted);
    for (item, captions) in items.iter_mut().zip(found) {
        item.captions = captions;
    }
}

/// Refuses wishes that no story could fulfil.
fn check(teller: &Recurrent, options: &Options) -> Result<Mix> {
    let positive = [
        ("captions", options.captions),
        ("beam_width", options.beam_width),
        ("max_words", options.max_words),
    ];
    if let Some((field, _)) = positive.into_iter().find(|&(_, value)| value == 0) {
        return Err(Error::Option {
            field,
            reason: "must be at least 1".to_owned(),
        });
    }
    if !options.before.is_empty() {
        return Err(Error::Option {
            field: "continue",
            reason: "the networks of 2015 begin every story anew: leave it out, or use a bundle with a language model"
                .to_owned(),
        });
    }
    if options.strict && options.mode != Mode::Beam {
        return Err(Error::Option {
            field: "compat",
            reason: "a strict story is searched for, as the original's were: it cannot be drawn"
                .to_owned(),
        });
    }
    if let Mode::Sample {
        temperature, top_p, ..
    } = options.mode
    {
        let wrong = |field, reason: &str| {
            Err(Error::Option {
                field,
                reason: reason.to_owned(),
            })
        };
        if !(temperature.is_finite() && temperature >= 0.0) {
            return wrong("temperature", "must be 0 or more");
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return wrong("top_p", "must be above 0 and at most 1");
        }
    }
    let mix = teller.styles.mix(&options.style, options.style_strength)?;
    Ok(if options.strict { mix.plain() } else { mix })
}

/// The shifted mean thought (C) of a request's captions; none if nobody wants it any more.
fn think(teller: &Recurrent, item: &Item, watcher: &mut dyn Watcher) -> Option<Tensor> {
    let vectors = match &teller.thoughts {
        Some(thoughts) => {
            let rows: Vec<i64> = item
                .captions
                .iter()
                .map(|found| found.index as i64)
                .collect();
            let vectors = thoughts.gather(&rows).to_device(teller.device);
            thoughts.release();
            vectors
        }
        None => read_captions(teller, item, watcher)?,
    };
    watcher.stage(item.place, Stage::Thinking, 1, 1);
    let mean = vectors.mean_dim(0i64, false, Kind::Float);
    Some(teller.styles.shift(&mean, &item.mix))
}

/// Captions that are read between two signs of life: a thousand of them on one core at the published sizes take longer
/// than anybody waits for a sign. Many read the encoders' weights as often as one.
const READ_AT_ONCE: usize = 100;

/// The thoughts (N, C) of captions that were not read before.
fn read_captions(teller: &Recurrent, item: &Item, watcher: &mut dyn Watcher) -> Option<Tensor> {
    let of = item.captions.len();
    let mut parts = Vec::new();
    for (number, some) in item.captions.chunks(READ_AT_ONCE).enumerate() {
        if watcher.cancelled(item.place) {
            return None;
        }
        watcher.stage(item.place, Stage::Thinking, number * READ_AT_ONCE, of);
        let captions = some.iter().map(|found| teller.gallery.caption(found.index));
        let texts: Vec<_> = captions.map(tokenize::preprocess).collect();
        let how = Encoding::default();
        parts.push(teller.skip_thoughts.encode(&texts, how, &mut |_| {}));
    }
    Some(Tensor::cat(&parts, 0))
}

/// The thought (1, C) of no picture in particular, in the mean of all styles: what a story of a weakly trained decoder
/// drifts to. Strict stories are written as the original's, without it.
fn common(teller: &Recurrent, item: &Item) -> Option<Tensor> {
    (!item.options.strict).then(|| teller.styles.common().unsqueeze(0))
}

/// The words that the captions of a request have to offer; the original knew no such thing.
fn hints(teller: &Recurrent, item: &Item) -> Hints {
    if item.options.strict {
        return Hints::default();
    }
    let captions = item.captions.iter();
    Hints::from_captions(
        captions.map(|found| teller.gallery.caption(found.index)),
        &teller.vocabulary,
        teller.decoder.words(),
    )
}

/// Writes all texts in one go.
fn put_down(
    teller: &Recurrent,
    items: &[Item],
    watcher: &mut dyn Watcher,
    stories: &mut [Option<Result<Story>>],
) {
    if items.is_empty() {
        return;
    }
    let thoughts: Vec<&Tensor> = items.iter().map(|item| &item.thought).collect();
    let strategies = items
        .iter()
        .map(|item| strategy(item.options, hints(teller, item)))
        .collect();
    let longest: Vec<usize> = items.iter().map(|item| longest(item.options)).collect();
    let common: Vec<Option<Tensor>> = items.iter().map(|item| common(teller, item)).collect();
    let written = write(
        &teller.decoder,
        Thoughts::against(&Tensor::stack(&thoughts, 0), &common),
        strategies,
        &mut |i, steps| {
            let item = &items[i];
            watcher.stage(item.place, Stage::Writing, steps, longest[i]);
            !watcher.cancelled(item.place)
        },
    );
    for (item, strategy) in items.iter().zip(written) {
        let story = strategy.map(|strategy| finish(teller, item, &strategy.into_hypotheses()));
        stories[item.place] = Some(story.ok_or(Error::Cancelled));
    }
}

/// Sets the best text.
fn finish(teller: &Recurrent, item: &Item, hypotheses: &[Hypothesis]) -> Story {
    let chosen = match item.options.mode {
        Mode::Beam => ranked(hypotheses),
        Mode::Sample { .. } => hypotheses.iter().collect(),
    };
    let words =
        |ids: &[i64]| -> Vec<&str> { ids.iter().map(|&id| teller.vocabulary.word(id)).collect() };
    let form = item.options.form;
    let text = |h: &Hypothesis| {
        if item.options.strict {
            return ending::strict(&words(h.text()), form);
        }
        let ids = if h.is_finished() { h.text() } else { &h.words };
        ending::for_people(&words(ids), item.options.max_words, form)
    };
    let mut texts: Vec<String> = Vec::new();
    for hypothesis in &chosen {
        let text = text(hypothesis);
        // cut where the words end, two of a search may be the same
        if texts.len() < item.options.count && !texts.contains(&text) {
            texts.push(text);
        }
    }
    let mut texts = texts.into_iter();
    let text = texts.next().unwrap_or_default();
    Story {
        words: ending::count_words(&text),
        text,
        captions: captions(teller, item),
        score: chosen.first().map_or(0.0, |h| h.cost),
        others: texts.collect(),
        explanation: None,
    }
}

/// What was found for a request.
fn captions(teller: &Recurrent, item: &Item) -> Vec<UsedCaption> {
    let caption = |found: &Match| UsedCaption {
        text: teller.gallery.caption(found.index).to_owned(),
        similarity: found.similarity,
    };
    item.captions.iter().map(caption).collect()
}
