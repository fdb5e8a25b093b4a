//! The words of the pipeline: a request, the stages of its work, the story that comes of it, and who watches.
//! `storyteller` hands them on to callers; both kinds of networks speak them.

use crate::error::Result;
use crate::pipeline::explanation::Explanation;
use crate::pipeline::options::Options;
use crate::pipeline::picture::Picture;
use std::sync::Arc;

/// A picture with what is wanted.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The picture.
    pub picture: &'a Picture,
    /// The wishes.
    pub options: Options,
}

/// A request that joins others that are being told.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// The picture.
    pub picture: Arc<Picture>,
    /// The wishes.
    pub options: Options,
}

/// A story with what it was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The text; empty when the network had nothing to say, which is no error.
    pub text: String,
    /// The captions it started from, nearest first.
    pub captions: Vec<UsedCaption>,
    /// The number of words in the text.
    pub words: usize,
    /// The sum of −log p of the text: smaller is likelier.
    pub score: f32,
    /// Further texts, if more than one was wanted, the best first.
    pub others: Vec<String>,
    /// Where its thought came from and where it went; not every pipeline says so.
    pub explanation: Option<Explanation>,
}

/// A caption that a story started from.
#[derive(Clone, Debug, PartialEq)]
pub struct UsedCaption {
    /// The caption.
    pub text: String,
    /// The cosine between it and the picture.
    pub similarity: f32,
}

/// The steps of the work, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The image encoder sees the picture.
    Looking,
    /// The nearest captions are found.
    Captioning,
    /// Captions become a thought, shifted to the style.
    Thinking,
    /// The decoder writes.
    Writing,
}

/// Learns how far each request is, and says whether it is still wanted.
pub trait Watcher {
    /// Request `item` has done `done` of `of` in `stage`.
    fn stage(&mut self, item: usize, stage: Stage, done: usize, of: usize);
    /// A sentence of request `item` that will not change any more; those of a verse or of a search come with the story.
    fn sentence(&mut self, _item: usize, _index: usize, _text: &str) {}
    /// These captions were found for request `item`, the nearest first.
    fn captions(&mut self, _item: usize, _found: &[UsedCaption]) {}
    /// Request `item` is told, while others of the batch may go on; `timings` are the batch's so far. Not every pipeline says so.
    fn told(&mut self, _item: usize, _story: &Story, _timings: &Timings) {}
    /// Whether request `item` shall be dropped; asked between all steps.
    fn cancelled(&mut self, item: usize) -> bool;
    /// Whether requests may join while others are told; then [`Watcher::newcomer`] is asked. Not every pipeline does.
    fn is_open(&self) -> bool {
        false
    }
    /// A request that joins now, if there is one. Its number is the next after those of the batch and of the newcomers before
    /// it, and its result stands there.
    fn newcomer(&mut self) -> Option<Newcomer> {
        None
    }
}

/// Watches nothing and never cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWatcher;

impl Watcher for NoWatcher {
    fn stage(&mut self, _item: usize, _stage: Stage, _done: usize, _of: usize) {}
    fn cancelled(&mut self, _item: usize) -> bool {
        false
    }
}

/// What came of a batch.
#[derive(Debug)]
pub struct ToldBatch {
    /// One result a request, in their order, then one a newcomer.
    pub stories: Vec<Result<Story>>,
    /// Where the time went, for the batch as a whole.
    pub timings: Timings,
}

/// Seconds that a batch spent in each stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Timings {
    /// In [`Stage::Looking`].
    pub looking: f64,
    /// In [`Stage::Captioning`].
    pub captioning: f64,
    /// In [`Stage::Thinking`].
    pub thinking: f64,
    /// In [`Stage::Writing`].
    pub writing: f64,
}

impl Timings {
    /// The stages by name, in order.
    pub fn named(&self) -> [(&'static str, f64); 4] {
        [
            ("looking", self.looking),
            ("captioning", self.captioning),
            ("thinking", self.thinking),
            ("writing", self.writing),
        ]
    }
}
