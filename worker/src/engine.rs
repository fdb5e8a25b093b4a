//! The third seam: whoever turns pictures into stories and texts into styles. The Storyteller in earnest, a scripted one in tests.
//! The engine thread makes it, calls it and drops it. What must stay true: an engine never leaves the thread that made it
//! (it may lend its networks to threads of its own), and it asks the observer there between any two steps of its work.

pub(crate) mod activity;
pub mod storyteller;
pub(crate) mod thread;

use std::sync::Arc;

use jobs::{AddedStyle, LearntStyle, Said, StoryRequest, StoryResult, StyleDraft, StyleEntry};
use models::Picture;
use uuid::Uuid;

/// One story to tell.
#[derive(Clone, Debug)]
pub struct Work {
    /// The job.
    pub id: Uuid,
    /// Its picture.
    pub picture: Arc<Picture>,
    /// How to tell it.
    pub request: StoryRequest,
    /// The styles it asks for that are not in the bundle.
    pub added: Vec<AddedStyle>,
    /// The story that it goes on from; empty for one that begins.
    pub before: String,
}

/// One text to make a style of.
#[derive(Clone, Debug)]
pub struct StyleWork {
    /// The job.
    pub id: Uuid,
    /// Name and text.
    pub draft: StyleDraft,
}

/// Learns how far each story of a batch is, and says whether it is still wanted.
pub trait Observer {
    /// Story `item` of the batch has done `done` of `of` steps of `stage`.
    fn stage(&mut self, item: usize, stage: &'static str, done: usize, of: usize);
    /// What has become known of story `item`.
    fn say(&mut self, item: usize, said: Said);
    /// Story `item` is told, while others of the batch may go on; what comes of these changes nothing for it any more.
    fn told(&mut self, item: usize, result: StoryResult);
    /// Whether nobody wants story `item` any more; asked between all steps.
    fn cancelled(&mut self, item: usize) -> bool;
    /// A story that joins the batch now, if one waits and `fits`. It is the next item after those there are, and its result
    /// comes after theirs. An engine asks only while it tells fewer than its lanes.
    fn newcomer(&mut self, _fits: &dyn Fn(&Work) -> bool) -> Option<Work> {
        None
    }
}

/// Why a story was not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The observer said so.
    #[error("nobody wants it any more")]
    Cancelled,
    /// Nobody knows the style; the message has the names of those that are known.
    #[error("{0}")]
    UnknownStyle(String),
    /// The request asks for something that cannot be done.
    #[error("{0}")]
    Parameter(String),
    /// The device has not enough memory for it, or for it and its neighbours.
    #[error("the device has not enough memory: {0}")]
    OutOfMemory(String),
    /// The text cannot become a style; the message says why and what is needed.
    #[error("{0}")]
    Text(String),
    /// The networks failed on it, or on one of its neighbours.
    #[error("the networks failed: {0}")]
    Failed(String),
}

impl EngineError {
    /// A failure of the networks by what the tensor library said: want of memory has its own kind.
    pub(crate) fn failure(said: String) -> Self {
        let lower = said.to_lowercase();
        // the words of the GPU's and of the processor's allocator
        if lower.contains("out of memory") || lower.contains("not enough memory") {
            EngineError::OutOfMemory(said)
        } else {
            EngineError::Failed(said)
        }
    }

    /// Whether a neighbour may be the reason, so that it is worth trying in a smaller batch.
    pub(crate) fn may_be_a_neighbours(&self) -> bool {
        matches!(self, EngineError::OutOfMemory(_) | EngineError::Failed(_))
    }
}

/// Tells stories and learns styles. It may panic: the batch is then told again in halves, and only the guilty story is charged.
pub trait Engine {
    /// Name, version and hash of what it tells with.
    fn bundle(&self) -> String;
    /// The styles it can tell in.
    fn styles(&self) -> Vec<StyleEntry>;
    /// How many stories it tells side by side; with 1 none ever joins a batch.
    fn lanes(&self) -> usize {
        1
    }
    /// Tells a batch: one result for each work, in their order, then one for each newcomer.
    fn tell(
        &mut self,
        batch: &[Work],
        observer: &mut dyn Observer,
    ) -> Vec<Result<StoryResult, EngineError>>;
    /// Makes a style of a text; for the observer it is story 0 of a batch of one.
    fn learn(
        &mut self,
        lesson: &StyleWork,
        observer: &mut dyn Observer,
    ) -> Result<LearntStyle, EngineError>;
}

/// Makes the engine, on the engine's thread; the text says what is wrong and what to do.
pub type EngineFactory = Box<dyn FnOnce() -> Result<Box<dyn Engine>, String> + Send>;
