//! A tiny language model learns to write captions from words, and a gallery is filled with what it writes.

use std::collections::HashSet;

use models::text::pieces::Pieces;
use models::{Result, Weights};
use training::caption_model::{Asking, CaptionModel};
use training::caption_writer::{CaptionWriter, Tokens};
use training::recipes::captions::{self, CaptionSet, Learner, Recipe, Settings};
use training::{AdamKind, Course, Measured, Observer, Oversight, Parameters, Progress, Schedule};

#[rustfmt::skip]
const THINGS: [&str; 12] = [
    "dog", "boat", "tree", "house", "horse", "truck", "sheep", "chair", "bench", "plane", "clock", "train",
];
#[rustfmt::skip]
const PLACES: [&str; 12] = [
    "river", "garden", "mountain", "street", "beach", "kitchen", "field", "station", "church", "forest", "bridge", "market",
];
const COLOURS: [&str; 4] = ["red", "white", "black", "green"];

struct Quiet;

impl Observer for Quiet {
    fn report(&mut self, _: &Progress, _: Option<&Measured>) {}
    fn measure(&mut self, _: &Parameters) -> Option<Measured> {
        None
    }
}

/// Every thing in every place, in two of the four colours: the others nobody has seen there.
fn read() -> Vec<String> {
    let mut captions = Vec::new();
    for (thing, name) in THINGS.iter().enumerate() {
        for (place, there) in PLACES.iter().enumerate() {
            for colour in [thing + place, thing + place + 1] {
                let colour = COLOURS[colour % 4];
                captions.push(format!(
                    "There is one {colour} {name} near the old {there}."
                ));
            }
        }
    }
    captions
}

fn trained(model: &CaptionModel, pieces: &Pieces, tokens: &Tokens) -> Result<Weights> {
    let settings = Settings {
        rank: 16,
        batch: 20,
        course: Course {
            updates: 400,
            rate: 1e-2,
            schedule: Schedule::Cosine,
            adam: AdamKind::Textbook,
            clip: 1.0,
            report_every: 50,
            measure_every: 1000,
            patience: None,
            seed: 4,
        },
    };
    let captions = CaptionSet::new(model, 0..model.len(), pieces)?;
    let llama = crate::tiny::llama(pieces.size() as i64);
    let parameters = captions::initial(&llama, &settings);
    let learner = Learner::new(llama, &parameters, &tokens.ids())?;
    let before = captions::held_out(&learner, &captions, 16)?;
    let recipe = Recipe {
        settings: &settings,
        captions: &captions,
        learner: &learner,
        about: serde_json::Value::Null,
    };
    let overseen = Oversight {
        keeper: None,
        observer: &mut Quiet,
    };
    let trained = recipe.run(parameters, overseen)?;
    let after = captions::held_out(&learner, &captions, 16)?;
    assert!(after < 0.8 && after < before / 3.0, "{before} {after}");
    Ok(trained)
}

#[test]
fn a_taught_model_writes_what_it_is_asked_for_and_nobody_wrote() {
    let _generator = crate::tiny::generator();
    let read = read();
    let model = CaptionModel::read(read.iter().map(String::as_str));
    assert_eq!(model.len(), read.len());
    let pieces = Pieces::of_model(&crate::tiny::base()).unwrap();
    let captions = CaptionSet::new(&model, 0..model.len(), &pieces).unwrap();
    let tokens = Tokens::count(captions.written());
    let weights = trained(&model, &pieces, &tokens).unwrap();
    let llama = crate::tiny::llama(pieces.size() as i64);
    let writer = CaptionWriter::new(llama, pieces, &weights, &tokens).unwrap();
    let requests: Vec<Vec<String>> = (0..40)
        .map(|n| vec![THINGS[n % 12].to_owned(), PLACES[n * 5 % 12].to_owned()])
        .collect();
    let write = || {
        tch::manual_seed(3);
        writer.write(&requests).unwrap()
    };
    let written = write();
    assert_eq!(written, write(), "the same seed writes the same");
    let whole: Vec<_> = written.iter().flatten().collect();
    assert!(whole.len() >= 36, "{} of 40 come to an end", whole.len());
    let kept = requests.iter().zip(&written).filter(|(asked, found)| {
        let text = found.as_deref().unwrap_or_default();
        asked.iter().all(|word| text.contains(word.as_str()))
    });
    let kept = kept.count();
    assert!(kept >= 30, "{kept} of 40 speak of what they were asked for");
    let clumsy = |caption: &String| {
        let mut words: Vec<&str> = caption.trim_end_matches('.').split(' ').collect();
        words.swap(1, 4);
        words.swap(2, 6);
        words.join(" ") + "."
    };
    let judged: Vec<String> = read.iter().take(50).cloned().collect();
    let sense = writer.sense(&judged).unwrap();
    let worse = writer
        .sense(&judged.iter().map(clumsy).collect::<Vec<_>>())
        .unwrap();
    assert!(
        sense
            .iter()
            .zip(&worse)
            .all(|(whole, clumsy)| whole > clumsy)
    );
    assert_eq!(writer.sense(&judged[7..8]).unwrap().len(), 1);
    let mut asking = Asking::new(&model, 20, 1);
    let taken: Vec<&str> = whole
        .iter()
        .map(|text| text.as_str())
        .filter(|text| asking.take(text))
        .collect();
    let known: HashSet<&str> = read.iter().map(String::as_str).collect();
    assert!(taken.iter().all(|text| !known.contains(text)), "{taken:?}");
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), taken.len());
}

#[test]
fn words_are_asked_for_as_people_used_them_together() {
    let read = read();
    let model = CaptionModel::read(read.iter().map(String::as_str));
    let ask = |seed| {
        let mut asking = Asking::new(&model, 100, seed);
        (0..30).map(|_| asking.ask()).collect::<Vec<_>>()
    };
    assert_eq!(ask(1), ask(1));
    assert_ne!(ask(1), ask(2));
    for words in ask(1) {
        let together = |caption: &String| words.iter().all(|word| caption.contains(word.as_str()));
        assert!(words.len() >= 2 && read.iter().any(together), "{words:?}");
    }
}

#[test]
fn nothing_that_somebody_wrote_or_that_stops_short_is_taken() {
    let read = read();
    let model = CaptionModel::read(read.iter().map(String::as_str));
    let mut asking = Asking::new(&model, 100, 1);
    assert!(!asking.take(&read[0]), "read");
    assert!(!asking.take(&read[0].to_uppercase()), "read, louder");
    assert!(!asking.take("There is one dog near the"), "short");
    assert!(!asking.take("A dog."), "says nothing");
    assert!(
        !asking.take("One boat beside another boat on the river."),
        "stammers"
    );
    assert!(asking.take("Two zebras walk behind the yellow boat."));
    assert!(
        !asking.take("Two zebras walk behind the yellow boat"),
        "known"
    );
}
