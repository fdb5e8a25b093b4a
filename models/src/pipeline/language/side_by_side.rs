//! The stories of a batch, written side by side: on a processor each core takes the next one, and when there is none, one
//! that has come meanwhile. On a graphics card each has a thread that draws and chooses, and one computes for all.
//! `telling` calls it. What must stay true: the watcher is asked on the caller's thread only, a story is the same whoever
//! writes it and whenever, and no thread waits for a story once this has ended, however it ends.

use super::Language;
use super::prompting::Ready;
use super::writing::{Pen, write};
use crate::error::{Error, Result};
use crate::pipeline::story::{Stage, Story, Watcher};
use crate::tensors::device::shared::{OneThread, Shared};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What a writing thread has to say.
enum Word {
    Stage(usize, Stage, usize, usize),
    Sentence(usize, usize, String),
    Written(usize, Result<Story>),
}

/// Whose stories they are.
pub(super) trait Batch {
    /// Hears of each story as soon as it has ended: the place of its request, and what came of it.
    fn ended(&mut self, place: usize, story: Result<Story>, watcher: &mut dyn Watcher);
    /// A story that joins, ready to be written, if there is one now.
    fn joining(&mut self, watcher: &mut dyn Watcher) -> Option<Ready>;
}

/// Writes all stories, and those that join.
pub(super) fn write_all(
    language: &Language,
    ready: Vec<Ready>,
    batch: &mut dyn Batch,
    watcher: &mut dyn Watcher,
) {
    let most = language.lanes;
    let together = language.writer.writes_together();
    let threads = if watcher.is_open() {
        most
    } else {
        most.min(ready.len())
    };
    let _products = OneThread::begin();
    if ready.is_empty() || threads < 2 && !together {
        return one_by_one(language, ready, batch, watcher);
    }
    let (together, seats) = match together.then(|| language.writer.together(most)).transpose() {
        Ok(table) => table.unzip(),
        Err(error) => return none_of(ready, &error, batch, watcher),
    };
    let mut seats = seats.into_iter().flatten();
    let (queue, language) = (Queue::default(), Shared::lend(language));
    let (words, heard) = channel();
    std::thread::scope(|scope| {
        if let Some(together) = together {
            scope.spawn(|| together.serve());
        }
        let _last = Closing {
            queue: &queue,
            after_a_panic: false,
        };
        for _ in 0..threads {
            let (words, queue, seat) = (words.clone(), &queue, seats.next());
            scope.spawn(move || {
                let language = language.get();
                write_those_left(&Pen { language, seat }, queue, &words);
            });
        }
        // the table is served for as long as there are seats
        drop((words, seats));
        let mut listener = Listener {
            queue: &queue,
            batch,
            dropped: BTreeMap::new(),
            lanes: threads,
        };
        for ready in ready {
            listener.hand_out(ready);
        }
        listener.listen(&heard, watcher);
    });
}

/// A story that waits for a thread, and whether nobody wants it any more.
struct Waiting {
    ready: Ready,
    dropped: Arc<AtomicBool>,
}

/// The stories that no thread has taken yet.
#[derive(Default)]
struct Queue {
    left: Mutex<Left>,
    changed: Condvar,
}

#[derive(Default)]
struct Left {
    stories: VecDeque<Waiting>,
    closed: bool,
}

impl Queue {
    fn push(&self, waiting: Waiting) {
        // a tensor may move to another thread, but not be seen by two: each story's own go to who writes it
        self.left().stories.push_back(waiting);
        self.changed.notify_one();
    }

    /// The next one; none once it is closed and empty.
    fn next(&self) -> Option<Waiting> {
        let mut left = self.left();
        loop {
            if let Some(next) = left.stories.pop_front() {
                return Some(next);
            }
            if left.closed {
                return None;
            }
            let waited = self.changed.wait(left);
            left = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing comes any more; after a panic nothing that waits is written either.
    fn close(&self) {
        let mut left = self.left();
        left.closed = true;
        if std::thread::panicking() {
            left.stories.clear();
        }
        self.changed.notify_all();
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes a queue when it goes, or only if a panic takes it along: then the other threads end, and the listener hears that.
struct Closing<'a> {
    queue: &'a Queue,
    after_a_panic: bool,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if !self.after_a_panic || std::thread::panicking() {
            self.queue.close();
        }
    }
}

/// The caller's thread, while others write.
struct Listener<'a> {
    queue: &'a Queue,
    batch: &'a mut dyn Batch,
    /// Those under way.
    dropped: BTreeMap<usize, Arc<AtomicBool>>,
    lanes: usize,
}

impl Listener<'_> {
    fn hand_out(&mut self, ready: Ready) {
        let dropped = Arc::new(AtomicBool::new(false));
        self.dropped.insert(ready.item.place, dropped.clone());
        self.queue.push(Waiting { ready, dropped });
    }

    /// Until every story has ended, or a thread has panicked.
    fn listen(&mut self, heard: &Receiver<Word>, watcher: &mut dyn Watcher) {
        while !self.dropped.is_empty() {
            let Ok(word) = heard.recv() else { return };
            self.hear(word, watcher);
            while self.dropped.len() < self.lanes
                && let Some(ready) = self.batch.joining(watcher)
            {
                self.hand_out(ready);
            }
        }
    }

    fn hear(&mut self, word: Word, watcher: &mut dyn Watcher) {
        let place = match word {
            Word::Stage(place, stage, done, of) => {
                watcher.stage(place, stage, done, of);
                place
            }
            Word::Sentence(place, index, text) => {
                watcher.sentence(place, index, &text);
                place
            }
            Word::Written(place, story) => {
                self.dropped.remove(&place);
                return self.batch.ended(place, story, watcher);
            }
        };
        if watcher.cancelled(place)
            && let Some(dropped) = self.dropped.get(&place)
        {
            dropped.store(true, Ordering::Relaxed);
        }
    }
}

/// Speaks for the watcher on a writing thread.
struct Messenger<'a> {
    words: &'a Sender<Word>,
    dropped: &'a AtomicBool,
}

impl Watcher for Messenger<'_> {
    fn stage(&mut self, item: usize, stage: Stage, done: usize, of: usize) {
        self.say(Word::Stage(item, stage, done, of));
    }

    fn sentence(&mut self, item: usize, index: usize, text: &str) {
        self.say(Word::Sentence(item, index, text.to_owned()));
    }

    fn cancelled(&mut self, _item: usize) -> bool {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Messenger<'_> {
    fn say(&self, word: Word) {
        // the listener is there until the last story has ended
        let _ = self.words.send(word);
    }
}

/// The life of a writing thread.
fn write_those_left(pen: &Pen, queue: &Queue, words: &Sender<Word>) {
    let _no_grad = tch::no_grad_guard();
    let _end_all = Closing {
        queue,
        after_a_panic: true,
    };
    while let Some(Waiting { ready, dropped }) = queue.next() {
        let mut messenger = Messenger {
            words,
            dropped: &dropped,
        };
        let story = told(pen, &ready, &mut messenger);
        messenger.say(Word::Written(ready.item.place, story));
    }
}

fn one_by_one(
    language: &Language,
    ready: Vec<Ready>,
    batch: &mut dyn Batch,
    watcher: &mut dyn Watcher,
) {
    let pen = Pen {
        language,
        seat: None,
    };
    for ready in &ready {
        let story = told(&pen, ready, watcher);
        batch.ended(ready.item.place, story, watcher);
    }
}

/// Where there is no memory to write in, no story is written.
fn none_of(ready: Vec<Ready>, error: &Error, batch: &mut dyn Batch, watcher: &mut dyn Watcher) {
    for ready in ready {
        let told = Err(Error::format("the language model", error.to_string()));
        batch.ended(ready.item.place, told, watcher);
    }
}

fn told(pen: &Pen, ready: &Ready, watcher: &mut dyn Watcher) -> Result<Story> {
    if watcher.cancelled(ready.item.place) {
        return Err(Error::Cancelled);
    }
    write(pen, ready, watcher)
}
