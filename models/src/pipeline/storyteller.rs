//! From a picture to a story: the whole pipeline over a bundle.
//!
//! The worker opens one storyteller on its engine thread and hands it batches; the command line tool
//! does the same with one picture. Each request fails or succeeds for itself, and its story is the
//! same alone and in any batch. Progress and cancellation go through a [`Watcher`].

use crate::bundle::styles::Styles;
use crate::bundle::{Bundle, Style};
use crate::error::Result;
use crate::pipeline::language::Language;
pub use crate::pipeline::looks::Seen;
use crate::pipeline::recurrent::Recurrent;
pub use crate::pipeline::story::{
    Newcomer, NoWatcher, Request, Stage, Story, Timings, ToldBatch, UsedCaption, Watcher,
};
use crate::pipeline::style_from_text::{Draft, GoOn, Made};
use std::path::Path;
use tch::Device;

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

    /// Makes a style of a text with this bundle's encoder. It can be told in once it is added.
    ///
    /// # Errors
    /// As [`crate::pipeline::style_from_text::make`].
    pub fn learn(&self, draft: &Draft, go_on: GoOn) -> Result<Made> {
        match &self.networks {
            Networks::Recurrent(networks) => networks.learn(draft, go_on),
            Networks::Language(networks) => networks.learn(draft, go_on),
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

    /// How many stories are written side by side. A watcher that is open is asked for newcomers while there are fewer; with
    /// 1 nobody is asked.
    pub fn lanes(&self) -> usize {
        match &self.networks {
            Networks::Recurrent(_) => 1,
            Networks::Language(networks) => networks.lanes,
        }
    }

    /// How often pictures were seen by the networks, and how often they were known.
    pub fn seen(&self) -> Seen {
        match &self.networks {
            Networks::Recurrent(networks) => networks.looks.seen(),
            Networks::Language(networks) => networks.looks.seen(),
        }
    }

    /// Keeps what is seen in so many of the latest pictures from now on, and forgets what was kept. With 0 every picture is
    /// looked at each time, for measurements; stories are the same with any number.
    pub fn keep_looks(&mut self, most: usize) {
        match &mut self.networks {
            Networks::Recurrent(networks) => networks.looks.keep(most),
            Networks::Language(networks) => networks.looks.keep(most),
        }
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
