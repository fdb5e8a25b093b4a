//! An engine that tells what the networks once told: the stories of the model card and of the README, in the bundle's styles.
//! `views` looks at the page with it, so that everything on it is as long as it is in earnest. The label `script` of a request
//! may say `gate`, which stops after the captions until the gate is opened, `written`, after two sentences, or `error`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobs::UsedCaption;
use jobs::{Explanation, Form, LearntStyle, MapPoint, Said, StoryResult, StyleEntry, StyleShift};
use serde::Deserialize;
use worker::engine::{Engine, EngineError, Observer, StyleWork, Work};

/// How often somebody at the gate looks whether it is open.
const STEP: Duration = Duration::from_millis(20);
/// Those that the card has stories in.
const STYLES: [&str; 3] = ["romance", "sea", "fairy-tale"];

#[derive(Deserialize)]
struct Bundle {
    styles: Vec<Style>,
}

#[derive(Deserialize)]
struct Style {
    name: String,
    description: String,
    passages: u32,
    source: String,
}

/// The engine, and what it knows.
pub(super) struct Teller {
    open: Arc<AtomicBool>,
    bundle: Bundle,
    card: String,
    readme: String,
    photos: BTreeMap<(u32, u32), String>,
    told: BTreeMap<(u32, u32), usize>,
}

fn read(file: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(file)).unwrap()
}

impl Teller {
    /// An engine, and the gate that is opened by setting it.
    pub(super) fn new() -> (Teller, Arc<AtomicBool>) {
        let photos = std::fs::read_dir(super::photo("")).unwrap();
        let photos = photos.filter_map(|entry| {
            let file = entry.unwrap().path();
            let size = image::image_dimensions(&file).ok()?;
            Some((size, file.file_name()?.to_str()?.to_owned()))
        });
        let open = Arc::new(AtomicBool::new(false));
        let teller = Teller {
            open: open.clone(),
            bundle: toml::from_str(&read("models/bundles/starter/bundle.toml")).unwrap(),
            card: read("models/bundles/starter/MODEL_CARD.md"),
            readme: read("README.md"),
            photos: photos.collect(),
            told: BTreeMap::new(),
        };
        (teller, open)
    }

    /// What the card has about the photo of a story; about the cat, if it is none of the photos.
    fn section(&self, work: &Work) -> &str {
        let size = (work.picture.width, work.picture.height);
        let name = self.photos.get(&size).map_or("cat.jpg", String::as_str);
        let about = self.card.split(&format!("### {name}\n")).nth(1).unwrap();
        about.split("\n##").next().unwrap()
    }

    fn captions(&self, work: &Work) -> Vec<UsedCaption> {
        let line = self.section(work).split("Nearest captions: ").nth(1);
        let texts = line.unwrap().lines().next().unwrap().trim_end_matches('.');
        let similarity = [0.641, 0.628, 0.613];
        texts
            .split("; ")
            .zip(similarity)
            .map(|(text, similarity)| UsedCaption {
                text: format!("{text} ."),
                similarity,
            })
            .collect()
    }

    /// The wished-for one first; what is told again is told in another manner.
    fn story(&self, work: &Work, before: usize) -> String {
        let wished = work.request.style.split([':', ',']).next().unwrap();
        let others = STYLES.into_iter().filter(|style| *style != wished);
        let styles: Vec<&str> = [wished].into_iter().chain(others).collect();
        let section = self.section(work);
        let of = |style: &str| {
            let line = section.split(&format!("* **{style}**: ")).nth(1)?;
            Some(line.lines().next().unwrap().to_owned())
        };
        let size = (work.picture.width, work.picture.height);
        let dogs = self
            .photos
            .get(&size)
            .is_some_and(|name| name == "dogs.jpg");
        let story = if dogs && before == 0 && wished == "romance" {
            let quoted = self
                .readme
                .lines()
                .filter_map(|line| line.strip_prefix("> "));
            quoted.collect::<Vec<_>>().join(" ")
        } else {
            let mut told = styles
                .iter()
                .cycle()
                .skip(before)
                .filter_map(|style| of(style));
            told.next().unwrap()
        };
        match work.request.form {
            Form::Lyrics => story.replace(". ", ".\n").replace(", ", ",\n"),
            Form::Prose => story,
        }
    }

    fn explanation(&self, work: &Work) -> Explanation {
        let point = |(kind, label, x, y): (&str, &str, f64, f64)| MapPoint {
            kind: kind.to_owned(),
            label: label.to_owned(),
            x,
            y,
        };
        let mut map: Vec<MapPoint> = [
            ("before", "", -0.52, 0.1),
            ("after", "", 0.34, -0.12),
            ("style", "romance", 0.93, -0.38),
            ("style", "sea", 0.6, 0.8),
            ("style", "detective", 0.98, 0.25),
            ("style", "children", -0.2, -0.9),
        ]
        .map(point)
        .to_vec();
        let captions = self.captions(work);
        for (place, one) in (0u8..).zip(&captions) {
            let turn = f64::from(place) * 2.1;
            let (x, y) = (0.3f64.mul_add(turn.cos(), -0.6), 0.3 * turn.sin());
            map.push(point(("caption", &one.text, x, y)));
        }
        let shift = |(name, after): (&str, f64)| StyleShift {
            name: name.to_owned(),
            before: 0.1,
            after,
        };
        let near = [
            ("romance", 0.81),
            ("modern", 0.62),
            ("gothic", 0.55),
            ("sea", 0.31),
        ];
        Explanation {
            words: ["dog", "brown", "grass", "tongue"]
                .map(str::to_owned)
                .to_vec(),
            before: captions.clone(),
            after: captions,
            styles: near.map(shift).to_vec(),
            map,
            ..Explanation::default()
        }
    }

    fn tell_one(
        &mut self,
        work: &Work,
        item: usize,
        observer: &mut dyn Observer,
    ) -> Result<StoryResult, EngineError> {
        let script = work
            .request
            .metadata
            .get("script")
            .map_or("", String::as_str);
        if script == "error" {
            return Err(EngineError::Failed(
                "a matrix of them had no numbers".to_owned(),
            ));
        }
        let captions = self.captions(work);
        observer.say(
            item,
            Said::Captions {
                captions: captions.clone(),
            },
        );
        if script == "gate" {
            observer.stage(item, "captioning", 40, 100);
            self.waits(item, observer)?;
        }
        let size = (work.picture.width, work.picture.height);
        let before = self.told.get(&size).copied().unwrap_or_default();
        let story = self.story(work, before);
        observer.stage(item, "writing", 2, 8);
        for (index, text) in (0..).zip(story.split_inclusive(['.', '\n'])) {
            if index == 2 && script == "written" {
                self.waits(item, observer)?;
            }
            let text = text.trim().to_owned();
            observer.say(item, Said::Sentence { index, text });
        }
        *self.told.entry(size).or_default() += 1;
        let explanation = Some(Box::new(self.explanation(work)));
        Ok(StoryResult {
            story,
            style: work.request.style.clone(),
            captions,
            timings: BTreeMap::new(),
            bundle: self.bundle(),
            others: Vec::new(),
            explanation,
        })
    }

    fn waits(&self, item: usize, observer: &mut dyn Observer) -> Result<(), EngineError> {
        while !self.open.load(Ordering::Relaxed) {
            if observer.cancelled(item) {
                return Err(EngineError::Cancelled);
            }
            std::thread::sleep(STEP);
        }
        Ok(())
    }
}

impl Engine for Teller {
    fn bundle(&self) -> String {
        "starter-1.7.0".to_owned()
    }

    fn styles(&self) -> Vec<StyleEntry> {
        let entry = |style: &Style| StyleEntry {
            name: style.name.clone(),
            description: style.description.clone(),
            passages: style.passages,
            source: style.source.clone(),
        };
        self.bundle.styles.iter().map(entry).collect()
    }

    fn tell(
        &mut self,
        batch: &[Work],
        observer: &mut dyn Observer,
    ) -> Vec<Result<StoryResult, EngineError>> {
        let told = batch.iter().enumerate();
        told.map(|(item, work)| self.tell_one(work, item, observer))
            .collect()
    }

    fn learn(
        &mut self,
        lesson: &StyleWork,
        observer: &mut dyn Observer,
    ) -> Result<LearntStyle, EngineError> {
        observer.stage(0, "reading", 1, 1);
        let found = u32::try_from(lesson.draft.text.len()).unwrap();
        Ok(LearntStyle {
            bundle: self.bundle(),
            passages: found,
            found,
            known: 90.0,
            vector: vec![0.5; 4],
        })
    }
}
