//! The engine in earnest: the networks of a bundle.
//! Here a job's request becomes the networks' options and their story the job's result. What must stay true: this is
//! the only place where the words of jobs and of models meet.

mod explaining;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jobs::{
    AddedStyle, Compat, Form, LearntStyle, Mode, Said, StoryRequest, StoryResult, StyleEntry,
    UsedCaption,
};
use models::bundle::Style;
use models::pipeline::options::{self as wanted, Options};
use models::pipeline::storyteller;
use models::pipeline::storyteller::{Newcomer, Request, Seen, Stage, Story, Timings, Watcher};
use models::pipeline::style_from_text::Draft;
use models::tensors::device::choose;
use models::text::sentences::all_sentences;
use models::{Bundle, Storyteller};
use operation::metrics::METRICS;

use super::{Engine, EngineError, EngineFactory, Observer, StyleWork, Work};

/// A mean over more hardly moves, and stories wait meanwhile.
const MOST_PASSAGES: usize = 500;
/// Who follows a story is told of so many captions; the story has them all.
const CAPTIONS_SAID: usize = 20;

/// Tells with the networks of one bundle on one device.
#[derive(Debug)]
pub struct StorytellerEngine {
    storyteller: Storyteller,
}

/// Opens the bundle in the folder `bundle` on `device` (`auto`, `cpu`, `cuda`, `cuda:1`) when the engine's thread
/// asks for it; what was fetched and what can be made again is in `cache`.
pub fn factory(bundle: PathBuf, cache: PathBuf, device: String) -> EngineFactory {
    Box::new(move || {
        let open = || -> models::Result<Storyteller> {
            let device = choose(&device)?;
            tracing::info!(?device, "loading the networks");
            let mut said = String::new();
            let mut progress = |what: &str, done: usize, of: usize| {
                // each part is logged once, however many steps it has
                if said != what {
                    tracing::info!(done, of, "{what}");
                    what.clone_into(&mut said);
                }
            };
            Storyteller::open(&bundle, &cache, device, &mut progress)
        };
        let storyteller = open().map_err(|error| error.to_string())?;
        Ok(Box::new(StorytellerEngine { storyteller }))
    })
}

/// Name and styles of the bundle in a folder, as the engine will say them once its networks are loaded.
///
/// # Errors
/// When it is no bundle.
pub fn catalogue(bundle: &Path) -> models::Result<(String, Vec<StyleEntry>)> {
    let bundle = Bundle::open(bundle)?;
    Ok((bundle.name().to_owned(), entries(&bundle.manifest().styles)))
}

fn entries(styles: &[Style]) -> Vec<StyleEntry> {
    let entry = |style: &Style| StyleEntry {
        name: style.name.clone(),
        description: style.description.clone(),
        passages: u32::try_from(style.passages).unwrap_or(u32::MAX),
        source: style.source.clone(),
    };
    styles.iter().map(entry).collect()
}

impl Engine for StorytellerEngine {
    fn bundle(&self) -> String {
        self.storyteller.bundle_name().to_owned()
    }

    fn styles(&self) -> Vec<StyleEntry> {
        entries(self.storyteller.styles())
    }

    fn learn(
        &mut self,
        lesson: &StyleWork,
        observer: &mut dyn Observer,
    ) -> Result<LearntStyle, EngineError> {
        let draft = Draft {
            name: lesson.draft.name.clone(),
            description: lesson.draft.description.clone(),
            source: lesson.draft.source.clone(),
            texts: vec![(lesson.draft.name.clone(), lesson.draft.text.clone())],
            most_passages: MOST_PASSAGES,
        };
        let made = self.storyteller.learn(&draft, &mut |done, of| {
            observer.stage(0, "reading", done, of);
            !observer.cancelled(0)
        });
        let made = made.map_err(|error| match error {
            models::Error::Cancelled => EngineError::Cancelled,
            other => EngineError::Text(other.to_string()),
        })?;
        let vector = Vec::try_from(&made.vector)
            .map_err(|error| EngineError::Failed(format!("the style's numbers: {error}")))?;
        Ok(LearntStyle {
            bundle: self.bundle(),
            passages: u32::try_from(made.style.passages).unwrap_or(u32::MAX),
            found: u32::try_from(made.found).unwrap_or(u32::MAX),
            known: made.known,
            vector,
        })
    }

    fn tell(
        &mut self,
        batch: &[Work],
        observer: &mut dyn Observer,
    ) -> Vec<Result<StoryResult, EngineError>> {
        let options: Vec<_> = batch.iter().map(|work| self.options(work)).collect();
        // what cannot even be asked for is left out, and the others keep their places
        let asked = batch.iter().zip(&options).enumerate();
        let (places, requests): (Vec<usize>, Vec<Request<'_>>) = asked
            .filter_map(|(place, (work, options))| {
                let request = Request {
                    picture: &work.picture,
                    options: options.clone().ok()?,
                };
                Some((place, request))
            })
            .unzip();
        let mut positions = Positions {
            observer,
            storyteller: &self.storyteller,
            places,
            asked: batch.iter().map(|work| work.request.clone()).collect(),
            said: BTreeSet::new(),
        };
        let seen = self.storyteller.seen();
        let told = self.storyteller.tell(&requests, &mut positions);
        count_pictures(self.storyteller.seen() - seen);
        let mut results: Vec<_> = options.into_iter().map(|o| o.err().map(Err)).collect();
        results.resize(positions.asked.len(), None);
        for (story, place) in told.stories.into_iter().zip(positions.places.clone()) {
            let result = story.map_err(reason);
            results[place] = Some(result.map(|story| positions.end(place, story, &told.timings)));
        }
        let none = || {
            Err(EngineError::Failed(
                "no result came back for this story".to_owned(),
            ))
        };
        results
            .into_iter()
            .map(|result| result.unwrap_or_else(none))
            .collect()
    }

    fn lanes(&self) -> usize {
        self.storyteller.lanes()
    }
}

impl StorytellerEngine {
    /// What a story's request means for the networks, once they know the styles it brings along.
    fn options(&mut self, work: &Work) -> Result<Options, EngineError> {
        for style in &work.added {
            let name = known_as(style);
            if !self.storyteller.knows(&name) {
                let added = self.storyteller.add_style(&name, &style.vector);
                added.map_err(reason)?;
            }
        }
        wishes(work)
    }
}

/// By its job: another style of the same name may come after it.
fn known_as(style: &AddedStyle) -> String {
    format!("{} of {}", style.name, style.job)
}

/// What a story's request means where the styles it brings along are known.
fn wishes(work: &Work) -> Result<Options, EngineError> {
    let mut options = Options {
        before: work.before.clone(),
        ..options(&work.request)?
    };
    for style in &work.added {
        let asked = options
            .style
            .iter_mut()
            .filter(|(name, _)| *name == style.name);
        asked.for_each(|(name, _)| *name = known_as(style));
    }
    Ok(options)
}

/// What a job gets of a story that a bundle told.
fn result_of(story: Story, request: &StoryRequest, bundle: &str, timings: &Timings) -> StoryResult {
    let explanation = explaining::explanation(&story);
    let seconds = |(stage, seconds): (&str, f64)| (stage.to_owned(), seconds);
    StoryResult {
        story: story.text,
        style: request.style.clone(),
        captions: story.captions.into_iter().map(used_caption).collect(),
        timings: timings
            .named()
            .map(seconds)
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        bundle: bundle.to_owned(),
        others: story.others,
        explanation: Some(Box::new(explanation)),
    }
}

fn count_pictures(seen: Seen) {
    for (how, count) in [("looked", seen.looked), ("known", seen.known)] {
        METRICS.pictures.with_label_values(&[how]).inc_by(count);
    }
}

/// Says the sentences of a story that were not final before all of it was: lines, if it is in lines.
fn say_sentences(observer: &mut dyn Observer, item: usize, story: &str) {
    let each = if story.contains('\n') {
        story.lines().collect()
    } else {
        all_sentences(story)
    };
    for (index, text) in (0..).zip(each) {
        let text = text.to_owned();
        observer.say(item, Said::Sentence { index, text });
    }
}

/// What a request means for the networks.
///
/// # Errors
/// `Parameter`, if the style cannot be read.
pub fn options(request: &StoryRequest) -> Result<Options, EngineError> {
    let style = request
        .styles()
        .map_err(|problem| EngineError::Parameter(problem.to_string()))?;
    Ok(Options {
        style: style
            .into_iter()
            .map(|(name, share)| (name, share as f32))
            .collect(),
        style_strength: request.style_strength as f32,
        captions: request.captions as usize,
        beam_width: request.beam_width as usize,
        max_words: request.max_words as usize,
        form: match request.form {
            Form::Prose => wanted::Form::Prose,
            Form::Lyrics => wanted::Form::Lyrics,
        },
        mode: match request.mode.unwrap_or_default() {
            Mode::Beam => wanted::Mode::Beam,
            Mode::Sample => wanted::Mode::Sample {
                temperature: request.temperature as f32,
                top_p: request.top_p as f32,
                // settled at submit; rows of other versions may lack it
                seed: request.seed.unwrap_or(1),
            },
        },
        count: request.count as usize,
        before: String::new(),
        strict: request.compat == Compat::Strict,
    })
}

/// What an error of the networks means for the job.
fn reason(error: models::Error) -> EngineError {
    match error {
        models::Error::Cancelled => EngineError::Cancelled,
        models::Error::Option {
            field: "style",
            reason,
        } => EngineError::UnknownStyle(reason),
        models::Error::Option { .. } | models::Error::Picture(_) => {
            EngineError::Parameter(error.to_string())
        }
        other => EngineError::failure(other.to_string()),
    }
}

fn used_caption(caption: storyteller::UsedCaption) -> UsedCaption {
    UsedCaption {
        text: caption.text,
        similarity: f64::from(caption.similarity),
    }
}

/// Passes on what the networks say, with the places that the stories have in the whole batch, and lets others join.
struct Positions<'a> {
    observer: &'a mut dyn Observer,
    storyteller: &'a Storyteller,
    /// The place of each that is told, as the networks count.
    places: Vec<usize>,
    /// What was asked for at each place.
    asked: Vec<StoryRequest>,
    /// The places of those whose sentences have been said.
    said: BTreeSet<usize>,
}

impl Positions<'_> {
    /// What a job gets of its story; what was not said of it is said.
    fn end(&mut self, place: usize, story: Story, timings: &Timings) -> StoryResult {
        if self.said.insert(place) {
            say_sentences(self.observer, place, &story.text);
        }
        let bundle = self.storyteller.bundle_name();
        result_of(story, &self.asked[place], bundle, timings)
    }
}

impl Watcher for Positions<'_> {
    fn stage(&mut self, item: usize, stage: Stage, done: usize, of: usize) {
        let name = match stage {
            Stage::Looking => "looking",
            Stage::Captioning => "captioning",
            Stage::Thinking => "thinking",
            Stage::Writing => "writing",
        };
        self.observer.stage(self.places[item], name, done, of);
    }

    fn captions(&mut self, item: usize, found: &[storyteller::UsedCaption]) {
        let captions = found.iter().take(CAPTIONS_SAID).cloned().map(used_caption);
        let captions = captions.collect();
        self.observer
            .say(self.places[item], Said::Captions { captions });
    }

    fn sentence(&mut self, item: usize, index: usize, text: &str) {
        let place = self.places[item];
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let text = text.to_owned();
        self.observer.say(place, Said::Sentence { index, text });
        self.said.insert(place);
    }

    fn told(&mut self, item: usize, story: &Story, timings: &Timings) {
        let place = self.places[item];
        let result = self.end(place, story.clone(), timings);
        self.observer.told(place, result);
    }

    fn cancelled(&mut self, item: usize) -> bool {
        self.observer.cancelled(self.places[item])
    }

    fn is_open(&self) -> bool {
        true
    }

    /// One that brings a style along which is not known yet waits: the networks are not changed while they tell.
    fn newcomer(&mut self) -> Option<Newcomer> {
        let storyteller = self.storyteller;
        let fits = |work: &Work| {
            let known = |style: &AddedStyle| storyteller.knows(&known_as(style));
            work.added.iter().all(known) && wishes(work).is_ok()
        };
        let work = self.observer.newcomer(&fits)?;
        let options = wishes(&work).ok()?;
        self.places.push(self.asked.len());
        self.asked.push(work.request);
        Some(Newcomer {
            picture: work.picture,
            options,
        })
    }
}
