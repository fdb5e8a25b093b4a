//! The one thread that owns the engine and every tensor; async ends here.
//! Batching sends it batches, stories that join one while it has a lane free, and hears of every story as soon as it is told.
//! What must stay true: an engine that panics or fails on a whole batch gets it again in halves, so that only a story that
//! fails alone is charged, and every item that goes in comes out once.

mod progress;

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jobs::{LearntStyle, StoryResult, StyleEntry};
use tokio::sync::mpsc as channel;

use progress::Progress;

use super::activity::Activity;
use super::{Engine, EngineError, EngineFactory, StyleWork, Work};
use crate::batcher::Load;
use crate::leases::{Leased, names};

/// A prepared job.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) task: Task,
    pub(crate) leased: Arc<Leased>,
}

/// A story to tell, with the lease of its job.
type LeasedWork = (Work, Arc<Leased>);

/// What there is to do for a job.
#[derive(Debug)]
pub(crate) enum Task {
    Tell(Work),
    /// Always a batch of its own.
    Learn(StyleWork),
}

impl Task {
    /// How much work it is; a style is one by itself, whatever it takes.
    pub(crate) fn load(&self) -> Load {
        match self {
            Task::Tell(work) => Load::of(&work.request),
            Task::Learn(_) => Load::default(),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Product {
    Story(StoryResult),
    Style(LearntStyle),
}

/// What the engine's thread says.
#[derive(Debug)]
pub(crate) enum Event {
    /// The engine is there.
    Loaded {
        bundle: String,
        styles: Vec<StyleEntry>,
        lanes: usize,
    },
    /// There will be no engine, and this is why.
    Broken(String),
    /// A story is told or a style is learnt, or not.
    Finished {
        leased: Arc<Leased>,
        result: Result<Product, EngineError>,
    },
    /// A batch of so much work was told, in so much time.
    Measured { load: Load, time: Duration },
    /// The device had no memory for so much work at once.
    TooMuch { load: Load },
}

/// The way to the engine's thread. The thread ends after its batch once this is dropped.
pub(crate) struct EngineThread {
    pub(crate) batches: mpsc::Sender<Vec<Item>>,
    pub(crate) events: channel::UnboundedReceiver<Event>,
}

impl EngineThread {
    /// Lets the thread end after its batch and waits until it has given up the engine, at most for `patience`: a process
    /// that ends while a thread computes takes the library's memory away from under it.
    pub(crate) async fn end(self, patience: Duration) {
        let EngineThread {
            batches,
            mut events,
        } = self;
        drop(batches);
        // the thread's end of the channel is the last thing that it drops
        let ended = async { while events.recv().await.is_some() {} };
        if tokio::time::timeout(patience, ended).await.is_err() {
            tracing::warn!("the engine's thread has not ended yet");
        }
    }
}

/// Starts the thread; it loads the engine first and says so.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(
    factory: EngineFactory,
    activity: Arc<Activity>,
) -> std::io::Result<EngineThread> {
    let (batches, incoming) = mpsc::channel();
    let (said, events) = channel::unbounded_channel();
    let body = move || {
        let teller = Teller {
            said,
            activity,
            incoming,
            aside: RefCell::default(),
        };
        own(factory, &teller);
    };
    std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(body)?;
    Ok(EngineThread { batches, events })
}

/// The life of the thread.
fn own(factory: EngineFactory, teller: &Teller) {
    let made = catch_unwind(AssertUnwindSafe(factory))
        .unwrap_or_else(|panic| Err(format!("loading them panicked: {}", words(&*panic))));
    let mut engine = match made {
        Ok(engine) => engine,
        Err(reason) => return teller.say(Event::Broken(reason)),
    };
    teller.say(Event::Loaded {
        bundle: engine.bundle(),
        styles: engine.styles(),
        lanes: engine.lanes(),
    });
    while let Some(batch) = teller.next() {
        teller.activity.set(Some(Instant::now()));
        teller.work(&mut *engine, batch);
        teller.activity.set(None);
    }
}

/// What the thread needs besides the engine.
struct Teller {
    said: channel::UnboundedSender<Event>,
    activity: Arc<Activity>,
    incoming: mpsc::Receiver<Vec<Item>>,
    /// What has come to join a batch and could not.
    aside: RefCell<VecDeque<Vec<Item>>>,
}

impl Teller {
    /// The next batch; none once nobody sends any.
    fn next(&self) -> Option<Vec<Item>> {
        let aside = self.aside.borrow_mut().pop_front();
        aside.or_else(|| self.incoming.recv().ok())
    }

    /// A story that has come to join, if it fits. One that does not is next after the batch, and nobody passes it.
    fn newcomer(&self, fits: &dyn Fn(&Work) -> bool) -> Option<LeasedWork> {
        let mut aside = self.aside.borrow_mut();
        if !aside.is_empty() {
            return None;
        }
        let mut came = self.incoming.try_recv().ok()?;
        match (came.pop(), came.is_empty()) {
            (
                Some(Item {
                    task: Task::Tell(work),
                    leased,
                }),
                true,
            ) if fits(&work) => Some((work, leased)),
            (last, _) => {
                came.extend(last);
                aside.push_back(came);
                None
            }
        }
    }

    /// Does what a batch asks for.
    fn work(&self, engine: &mut dyn Engine, batch: Vec<Item>) {
        let mut stories = Vec::new();
        for Item { task, leased } in batch {
            match task {
                Task::Tell(work) => stories.push((work, leased)),
                Task::Learn(lesson) => self.learn(engine, &lesson, leased),
            }
        }
        if !stories.is_empty() {
            self.tell(engine, stories);
        }
    }

    fn learn(&self, engine: &mut dyn Engine, lesson: &StyleWork, leased: Arc<Leased>) {
        let span = leased.span.clone();
        let _named = span.enter();
        let mut observer = Progress::of(self, vec![leased.clone()], false);
        let learnt = catch_unwind(AssertUnwindSafe(|| engine.learn(lesson, &mut observer)));
        drop(observer);
        let result = learnt.unwrap_or_else(|panic| {
            let reason = format!("the engine panicked: {}", words(&*panic));
            tracing::error!(job = %lesson.id, reason, "a style was not learnt");
            Err(EngineError::failure(reason))
        });
        let result = result.map(Product::Style);
        self.say(Event::Finished { leased, result });
    }

    /// Tells stories, and again in halves what may have failed because of a neighbour.
    fn tell(&self, engine: &mut dyn Engine, batch: Vec<LeasedWork>) {
        let mut batches = vec![batch];
        let mut is_open = true;
        while let Some(batch) = batches.pop() {
            let told = self.tell_once(engine, batch, is_open);
            let single = told.len() == 1;
            let no_memory = |result: &Result<StoryResult, EngineError>| {
                matches!(result, Err(EngineError::OutOfMemory(_)))
            };
            if !single && told.iter().any(|(_, result)| no_memory(result)) {
                let load = told.iter().map(|((work, _), _)| Load::of(&work.request));
                self.say(Event::TooMuch { load: load.sum() });
            }
            // nobody is to suffer from those that are tried again
            is_open = false;
            let mut again = Vec::new();
            for ((work, leased), result) in told {
                match result {
                    Err(error) if !single && error.may_be_a_neighbours() => {
                        again.push((work, leased));
                    }
                    result => self.say(Event::Finished {
                        leased,
                        result: result.map(Product::Story),
                    }),
                }
            }
            if again.len() > 1 {
                batches.push(again.split_off(again.len() / 2));
            }
            if !again.is_empty() {
                batches.push(again);
            }
        }
    }

    /// What came of the stories that were not told before the others.
    fn tell_once(
        &self,
        engine: &mut dyn Engine,
        batch: Vec<LeasedWork>,
        is_open: bool,
    ) -> Vec<(LeasedWork, Result<StoryResult, EngineError>)> {
        let (mut works, leases): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let mut observer = Progress::of(self, leases, is_open);
        // an engine keeps nothing of a batch, so nothing half-done is seen after a panic
        let begun = Instant::now();
        let told = catch_unwind(AssertUnwindSafe(|| engine.tell(&works, &mut observer)));
        let (joined, leases) = observer.end();
        works.extend(joined);
        if matches!(&told, Ok(results) if results.iter().all(Result::is_ok)) {
            let load = works.iter().map(|work| Load::of(&work.request)).sum();
            let time = begun.elapsed();
            self.say(Event::Measured { load, time });
        }
        let results = match told {
            Ok(results) if results.len() == works.len() => results,
            Ok(results) => {
                let (found, wanted) = (results.len(), works.len());
                let reason = format!("{found} results came back for {wanted} stories");
                vec![Err(EngineError::Failed(reason)); wanted]
            }
            Err(panic) => {
                let reason = format!("the engine panicked: {}", words(&*panic));
                let left = leases.iter().flatten().map(|leased| leased.lease);
                tracing::error!(
                    jobs = names(left),
                    stories = works.len(),
                    reason,
                    "a batch was not finished"
                );
                vec![Err(EngineError::failure(reason)); works.len()]
            }
        };
        let each = works.into_iter().zip(leases).zip(results);
        each.filter_map(|((work, leased), result)| Some(((work, leased?), result)))
            .collect()
    }

    /// Nobody listens any more when the worker has been dropped; then there is nobody to tell that to.
    fn say(&self, event: Event) {
        let _ = self.said.send(event);
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word")
}
