//! From a picture to a story: the whole pipeline over a bundle.
//!
//! The worker opens one storyteller on its engine thread and hands it batches; the command line tool
//! does the same with one picture. Each request fails or succeeds for itself, and its story is the
//! same alone and in any batch. Progress and cancellation go through a [`Watcher`].

use crate::Result;
use crate::bundle::styles::Styles;
use crate::bundle::{Bundle, Style};
use crate::pipeline::explanation::Explanation;
use crate::pipeline::language::Language;
use crate::pipeline::options::Options;
use crate::pipeline::picture::Picture;
use crate::pipeline::recurrent::Recurrent;
use crate::pipeline::style_from_text::{Draft, Made};
use std::path::Path;
use tch::Device;

/// A picture with what is wanted.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The picture.
    pub picture: &'a Picture,
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
    /// One result a request, in their order.
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

/// All networks of a bundle on one device, with what is known of its captions. Tensors may move between
/// threads but not be shared: each thread opens its own.
#[derive(Debug)]
pub struct Storyteller {
    name: String,
    listed: Vec<Style>,
    device: Device,
    networks: Networks,
}

/// The two kinds of pipeline.
#[derive(Debug)]
enum Networks {
    Recurrent(Box<Recurrent>),
    Language(Box<Language>),
}

impl Storyteller {
    /// Loads a bundle. What follows from its captions is computed at the first start and kept in
    /// `cache`; what set-up fetched is expected there too. `progress` learns what is being
    /// done, how much of it is done, and of how much.
    ///
    /// # Errors
    /// When a file is missing or damaged, or parts do not fit together.
    pub fn open(
        bundle: &Path,
        cache: &Path,
        device: Device,
        progress: &mut dyn FnMut(&str, usize, usize),
    ) -> Result<Self> {
        let _no_grad = tch::no_grad_guard();
        let bundle = Bundle::open(bundle)?.remembering(cache);
        let networks = if bundle.manifest().language_model.is_some() {
            Networks::Language(Box::new(Language::open(&bundle, cache, device, progress)?))
        } else {
            Networks::Recurrent(Box::new(Recurrent::open(&bundle, cache, device, progress)?))
        };
        Ok(Self {
            name: bundle.name().to_owned(),
            listed: bundle.manifest().styles.clone(),
            device,
            networks,
        })
    }

    /// The styles to choose from.
    pub fn styles(&self) -> &[Style] {
        &self.listed
    }

    /// Makes a style of a text with this bundle's encoder; `progress` learns how many passages are read, and of how many.
    /// It can be told in once it is added.
    ///
    /// # Errors
    /// As [`crate::pipeline::style_from_text::make`].
    pub fn learn(&self, draft: &Draft, progress: &mut dyn FnMut(usize, usize)) -> Result<Made> {
        match &self.networks {
            Networks::Recurrent(networks) => networks.learn(draft, progress),
            Networks::Language(networks) => networks.learn(draft, progress),
        }
    }

    /// Lets stories be told in a style that was learnt with this bundle.
    ///
    /// # Errors
    /// As [`Styles::add`].
    pub fn add_style(&mut self, name: &str, vector: &[f32]) -> Result<()> {
        match &mut self.networks {
            Networks::Recurrent(networks) => networks.styles.add(name, vector),
            Networks::Language(networks) => networks.styles.add(name, vector),
        }
    }

    /// Whether stories can be told in this style.
    pub fn knows(&self, name: &str) -> bool {
        let styles: &Styles = match &self.networks {
            Networks::Recurrent(networks) => &networks.styles,
            Networks::Language(networks) => &networks.styles,
        };
        styles.contains(name)
    }

    /// Name, version and sum of the bundle.
    pub fn bundle_name(&self) -> &str {
        &self.name
    }

    /// Where it computes.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Tells a story for each request. A request that is wrong or cancelled gets its error; the
    /// others are not affected.
    pub fn tell(&self, requests: &[Request], watcher: &mut dyn Watcher) -> ToldBatch {
        let _no_grad = tch::no_grad_guard();
        match &self.networks {
            Networks::Recurrent(networks) => networks.tell(requests, watcher),
            Networks::Language(networks) => networks.tell(requests, watcher),
        }
    }
}
