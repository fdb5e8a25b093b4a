//! The stories of a batch, written side by side: on a processor each core takes the next one.
//! `telling` calls it. What must stay true: the watcher is asked on the caller's thread only, and a story is the same
//! whoever writes it and whenever.

use super::Language;
use super::prompting::Ready;
use super::writing::write;
use crate::error::{Error, Result};
use crate::pipeline::story::{Stage, Story, Watcher};
use crate::tensors::device::shared::{OneThread, Shared};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::available_parallelism;

/// What a writing thread has to say.
enum Word {
    Stage(usize, Stage, usize, usize),
    Sentence(usize, usize, String),
    Written(usize, Result<Story>),
}

/// Speaks for the watcher on a writing thread.
struct Messenger<'a> {
    words: Sender<Word>,
    dropped: &'a [AtomicBool],
}

impl Watcher for Messenger<'_> {
    fn stage(&mut self, item: usize, stage: Stage, done: usize, of: usize) {
        self.say(Word::Stage(item, stage, done, of));
    }

    fn sentence(&mut self, item: usize, index: usize, text: &str) {
        self.say(Word::Sentence(item, index, text.to_owned()));
    }

    fn cancelled(&mut self, item: usize) -> bool {
        self.dropped[item].load(Ordering::Relaxed)
    }
}

impl Messenger<'_> {
    fn say(&self, word: Word) {
        // the caller listens until the last thread is done
        let _ = self.words.send(word);
    }
}

/// Hears of each story as soon as it has ended: the place of its request, and what came of it.
pub(super) type End<'a> = &'a mut dyn FnMut(usize, Result<Story>, &mut dyn Watcher);

/// Writes all stories.
pub(super) fn write_all(
    language: &Language,
    ready: Vec<Ready>,
    watcher: &mut dyn Watcher,
    end: End,
) {
    if language.writer.device().is_cuda() {
        return one_by_one(language, ready, watcher, end);
    }
    let cores = available_parallelism().map_or(1, usize::from);
    let threads = ready.len().min(cores);
    let _products = OneThread::begin();
    if threads < 2 {
        return one_by_one(language, ready, watcher, end);
    }
    let places = ready.iter().map(|ready| ready.item.place + 1).max();
    let places = 0..places.unwrap_or_default();
    let dropped: Vec<AtomicBool> = places.map(|_| AtomicBool::new(false)).collect();
    // a tensor may move to another thread, but not be seen by two: each story's own go to who writes it
    let (left, language) = (Mutex::new(ready.into_iter()), Shared::lend(language));
    let (words, heard) = channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let mut messenger = Messenger {
                words: words.clone(),
                dropped: &dropped,
            };
            let left = &left;
            scope.spawn(move || write_those_left(language.get(), left, &mut messenger));
        }
        drop(words);
        for word in heard {
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
                    end(place, story, watcher);
                    continue;
                }
            };
            if watcher.cancelled(place) {
                dropped[place].store(true, Ordering::Relaxed);
            }
        }
    });
}

/// The life of a writing thread.
fn write_those_left<'a>(
    language: &Language,
    left: &Mutex<impl Iterator<Item = Ready<'a>>>,
    messenger: &mut Messenger,
) {
    let _no_grad = tch::no_grad_guard();
    loop {
        let next = left.lock().ok().and_then(|mut left| left.next());
        let Some(ready) = next else { return };
        let story = told(language, &ready, messenger);
        messenger.say(Word::Written(ready.item.place, story));
    }
}

fn one_by_one(language: &Language, ready: Vec<Ready>, watcher: &mut dyn Watcher, end: End) {
    for ready in &ready {
        let story = told(language, ready, watcher);
        end(ready.item.place, story, watcher);
    }
}

fn told(language: &Language, ready: &Ready, watcher: &mut dyn Watcher) -> Result<Story> {
    if watcher.cancelled(ready.item.place) {
        return Err(Error::Cancelled);
    }
    write(language, ready, watcher)
}
