//! An engine that does what each job's label `script` says: for tests of everything around the networks.
//! Scripts: `ok`, `error` (this story fails), `panic` (the engine panics on its batch), `poison` (every story of its
//! batch fails), `flaky` (fails the first time), `large` (of these, memory holds two at once), `slow:200ms`, `gate` (until
//! [`Tells::open`] or cancelled), `hang` (the same, but deaf to the observer). The first line of a story is said before its script is played. What must stay true: it counts a story only when it is really told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jobs::{
    Explanation, Form, LearntStyle, MapPoint, Said, StoryResult, StyleEntry, StyleShift,
    UsedCaption,
};
use uuid::Uuid;
use worker::engine::{Engine, EngineError, EngineFactory, Observer, StyleWork, Work};

/// The label of a request that holds its script.
pub const SCRIPT: &str = "script";
/// How often a slow story looks whether it is still wanted.
const STEP: Duration = Duration::from_millis(5);
const STYLES: [&str; 3] = ["romance", "adventure", "sea"];

/// The test's end of a scripted engine: what was told, and the gate. It may outlive the engine and serve several.
#[derive(Debug, Default)]
pub struct Tells {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    told: BTreeMap<Uuid, usize>,
    begun: BTreeSet<Uuid>,
    failed_once: BTreeSet<Uuid>,
    batches: Vec<Vec<Uuid>>,
    joined: Vec<Uuid>,
    open: bool,
}

impl Tells {
    /// How often the story of this job was told to its end.
    pub fn of(&self, job: &str) -> usize {
        let id = job.parse::<Uuid>().ok();
        id.and_then(|id| self.seen().told.get(&id).copied())
            .unwrap_or(0)
    }

    /// Whether the engine has had this job in a batch.
    pub fn has_begun(&self, job: Uuid) -> bool {
        self.seen().begun.contains(&job)
    }

    /// The jobs of every batch, in the order in which the engine got them.
    pub fn batches(&self) -> Vec<Vec<Uuid>> {
        self.seen().batches.clone()
    }

    /// The jobs that joined a batch.
    pub fn joined(&self) -> Vec<Uuid> {
        self.seen().joined.clone()
    }

    /// Lets everything go on that waits at the gate, now and later.
    pub fn open(&self) {
        self.seen().open = true;
        self.changed.notify_all();
    }

    /// Waits a step for the gate; whether it is open.
    fn gate(&self) -> bool {
        let seen = self.seen();
        let waited = self
            .changed
            .wait_timeout_while(seen, STEP, |seen| !seen.open);
        waited.unwrap_or_else(PoisonError::into_inner).0.open
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine; the default script is `ok`.
#[derive(Debug, Default)]
pub struct ScriptedEngine {
    tells: Arc<Tells>,
    lanes: usize,
}

impl ScriptedEngine {
    /// An engine that has told nothing.
    pub fn new() -> Self {
        ScriptedEngine::default()
    }

    /// An engine that counts on where another one has ended.
    pub fn counting(tells: Arc<Tells>) -> Self {
        ScriptedEngine { tells, lanes: 1 }
    }

    /// An engine that lets stories join while others wait at the gate, as long as it has fewer than `lanes`.
    pub fn with_lanes(lanes: usize) -> Self {
        ScriptedEngine {
            lanes,
            ..ScriptedEngine::default()
        }
    }

    /// What it tells, also after it was given away.
    pub fn tells(&self) -> Arc<Tells> {
        self.tells.clone()
    }

    /// Gives it away to a worker.
    pub fn factory(self) -> EngineFactory {
        Box::new(move || Ok(Box::new(self)))
    }

    fn begin(&self, batch: &[Work]) {
        let mut seen = self.tells.seen();
        let ids: Vec<Uuid> = batch.iter().map(|work| work.id).collect();
        seen.begun.extend(&ids);
        seen.batches.push(ids);
    }

    /// Plays a story's script; whoever waits at the gate lets others in meanwhile.
    fn play(&self, work: &Work, mut cancelled: impl FnMut() -> bool) -> Result<(), EngineError> {
        let failed = |why: &str| Err(EngineError::Failed(why.to_owned()));
        match script(work) {
            "error" => failed("the script says so"),
            "flaky" if self.tells.seen().failed_once.insert(work.id) => {
                failed("the script says so, this once")
            }
            "gate" => wait(|| self.tells.gate(), cancelled),
            "hang" => wait(|| self.tells.gate(), || false),
            text => match text.strip_prefix("slow:").map(milliseconds) {
                Some(time) => {
                    let end = Instant::now() + time;
                    wait(
                        || {
                            std::thread::sleep(STEP);
                            Instant::now() >= end
                        },
                        cancelled,
                    )
                }
                None if cancelled() => Err(EngineError::Cancelled),
                None => Ok(()),
            },
        }
    }

    /// Tells one story of the batch.
    fn tell_one(&self, item: usize, work: &Work, batch: &mut Batch) -> Told {
        let captions = captions();
        batch.observer.say(item, Said::Captions { captions });
        batch.observer.stage(item, "writing", 0, 1);
        let story = story(work);
        let mut lines = (0..).zip(story.story.lines());
        say(batch.observer, item, lines.by_ref().take(1));
        self.play(work, || {
            if script(work) == "gate" {
                self.welcome(batch);
            }
            batch.observer.cancelled(item)
        })?;
        batch.observer.stage(item, "writing", 1, 1);
        *self.tells.seen().told.entry(work.id).or_default() += 1;
        say(batch.observer, item, lines);
        batch.observer.told(item, story.clone());
        Ok(story)
    }

    /// Tells those that have come to join, if there are lanes beside the one that waits.
    fn welcome(&self, batch: &mut Batch) {
        let fits = |work: &Work| script(work) != "gate";
        while self.lanes > 1
            && let Some(work) = batch.observer.newcomer(&fits)
        {
            self.tells.seen().joined.push(work.id);
            let item = batch.stories + batch.joined.len();
            let told = self.tell_one(item, &work, batch);
            batch.joined.push(told);
        }
    }
}

/// What comes of a story.
type Told = Result<StoryResult, EngineError>;

/// A batch that is being told.
struct Batch<'a> {
    observer: &'a mut dyn Observer,
    /// How many it began with.
    stories: usize,
    joined: Vec<Told>,
}

impl Engine for ScriptedEngine {
    fn bundle(&self) -> String {
        "scripted-1".to_owned()
    }

    fn styles(&self) -> Vec<StyleEntry> {
        let entry = |name: &str| StyleEntry {
            name: name.to_owned(),
            description: format!("made up, in the manner of {name}"),
            passages: 1,
            source: "a script".to_owned(),
        };
        STYLES.into_iter().map(entry).collect()
    }

    fn lanes(&self) -> usize {
        self.lanes.max(1)
    }

    fn tell(&mut self, batch: &[Work], observer: &mut dyn Observer) -> Vec<Told> {
        self.begin(batch);
        let is = |wanted: &str| batch.iter().any(|work| script(work) == wanted);
        assert!(!is("panic"), "the script says so");
        let large = batch.iter().filter(|work| script(work) == "large").count();
        // as libtorch says it
        assert!(
            large < 3,
            "CUDA out of memory. Tried to allocate {large} GiB."
        );
        if is("poison") {
            let poisoned = Err(EngineError::Failed("the batch is poisoned".to_owned()));
            return vec![poisoned; batch.len()];
        }
        let mut telling = Batch {
            observer,
            stories: batch.len(),
            joined: Vec::new(),
        };
        // who waits at the gate holds up no neighbour, as in the networks
        let mut order: Vec<usize> = (0..batch.len()).collect();
        order.sort_by_key(|&item| script(&batch[item]) == "gate");
        let mut tell = |item| (item, self.tell_one(item, &batch[item], &mut telling));
        let mut results: Vec<_> = order.into_iter().map(&mut tell).collect();
        results.sort_by_key(|&(item, _)| item);
        let results = results.into_iter().map(|(_, result)| result);
        results.chain(telling.joined).collect()
    }

    /// The text is the script: `ok`, `unusable`, `panic`, or `gate`.
    fn learn(
        &mut self,
        work: &StyleWork,
        observer: &mut dyn Observer,
    ) -> Result<LearntStyle, EngineError> {
        self.tells.seen().begun.insert(work.id);
        observer.stage(0, "reading", 0, 1);
        match work.draft.text.as_str() {
            "unusable" => return Err(EngineError::Text("the script says so".to_owned())),
            "panic" => panic!("the script says so"),
            "gate" => wait(|| self.tells.gate(), || observer.cancelled(0))?,
            _ => {}
        }
        observer.stage(0, "reading", 1, 1);
        *self.tells.seen().told.entry(work.id).or_default() += 1;
        Ok(LearntStyle {
            bundle: self.bundle(),
            passages: 30,
            found: 31,
            known: 90.0,
            vector: vec![0.5; 4],
        })
    }
}

fn say<'a>(observer: &mut dyn Observer, item: usize, lines: impl Iterator<Item = (u32, &'a str)>) {
    for (index, text) in lines {
        let text = text.to_owned();
        observer.say(item, Said::Sentence { index, text });
    }
}

/// Goes on until `over`, or until `cancelled`.
fn wait(
    mut over: impl FnMut() -> bool,
    mut cancelled: impl FnMut() -> bool,
) -> Result<(), EngineError> {
    while !over() {
        if cancelled() {
            return Err(EngineError::Cancelled);
        }
    }
    Ok(())
}

fn script(work: &Work) -> &str {
    work.request
        .metadata
        .get(SCRIPT)
        .map_or("ok", String::as_str)
}

/// Reads `200ms`; anything else is no time at all.
fn milliseconds(text: &str) -> Duration {
    let number = text
        .strip_suffix("ms")
        .and_then(|number| number.parse().ok());
    Duration::from_millis(number.unwrap_or(0))
}

fn story(work: &Work) -> StoryResult {
    let (width, height) = (work.picture.width, work.picture.height);
    StoryResult {
        story: if !work.before.is_empty() {
            let words = work.before.split_whitespace().count();
            format!("So it went on after {words} words.")
        } else if work.request.form == Form::Lyrics {
            format!(
                "Once upon a time there was a picture\nOf {width} by {height} pixels.\n\nIt hung on a wall."
            )
        } else {
            format!("Once upon a time there was a picture of {width} by {height} pixels.")
        },
        style: work.request.style.clone(),
        captions: captions(),
        timings: BTreeMap::from([("writing".to_owned(), 0.0)]),
        bundle: "scripted-1".to_owned(),
        others: (1..work.request.count)
            .map(|number| format!("Another story, number {number}."))
            .collect(),
        explanation: Some(Box::new(explanation())),
    }
}

fn captions() -> Vec<UsedCaption> {
    vec![UsedCaption {
        text: "A picture hangs on a wall .".to_owned(),
        similarity: 0.5,
    }]
}

fn explanation() -> Explanation {
    let point = |(kind, label, x, y): (&str, &str, f64, f64)| MapPoint {
        kind: kind.to_owned(),
        label: label.to_owned(),
        x,
        y,
    };
    let map = [
        ("caption", "A picture hangs on a wall .", -0.5, 0.2),
        ("style", "romance", 1.0, -0.3),
        ("before", "", -0.4, 0.1),
        ("after", "", 0.3, -0.1),
    ];
    Explanation {
        words: vec!["picture".to_owned(), "wall".to_owned()],
        before: captions(),
        after: captions(),
        styles: vec![StyleShift {
            name: "romance".to_owned(),
            before: 0.1,
            after: 0.6,
        }],
        map: map.into_iter().map(point).collect(),
        ..Explanation::default()
    }
}
