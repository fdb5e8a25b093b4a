//! Progress for people: bars on standard error, drawn only where there is a terminal.
//! Used by the commands that make a person wait; the service reports its progress through job states instead.

use indicatif::{ProgressBar, ProgressStyle};
use models::pipeline::storyteller::{Stage, Watcher};

/// Shows what is being prepared while a bundle is opened.
pub(crate) struct LoadingBar {
    bar: ProgressBar,
}

impl LoadingBar {
    /// A bar that appears with the first thing to show.
    pub(crate) fn new() -> Self {
        LoadingBar {
            bar: ProgressBar::hidden(),
        }
    }

    /// Shows that `done` of `of` parts of `what` are ready.
    pub(crate) fn show(&mut self, what: &str, done: usize, of: usize) {
        if self.bar.is_hidden() || self.bar.is_finished() {
            self.bar = ProgressBar::new(of as u64).with_style(style());
        }
        self.bar.set_message(what.to_owned());
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
        if done >= of {
            self.bar.finish_and_clear();
        }
    }
}

impl Default for LoadingBar {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the stages of telling one or more stories.
pub(crate) struct StoryBar {
    bar: ProgressBar,
    stories: usize,
}

impl StoryBar {
    /// A bar for so many stories told together.
    pub(crate) fn new(stories: usize) -> Self {
        let bar = ProgressBar::new(1).with_style(style());
        StoryBar { bar, stories }
    }
}

impl Watcher for StoryBar {
    fn stage(&mut self, _item: usize, stage: Stage, done: usize, of: usize) {
        let doing = match stage {
            Stage::Looking => "looking at the picture",
            Stage::Captioning => "finding captions",
            Stage::Thinking => "thinking about them",
            Stage::Writing => "writing",
        };
        self.bar.set_message(match self.stories {
            1 => doing.to_owned(),
            n => format!("{doing} ({n} stories together)"),
        });
        self.bar.set_length(of.max(1) as u64);
        self.bar.set_position(done as u64);
    }

    fn cancelled(&mut self, _item: usize) -> bool {
        false
    }
}

impl Drop for StoryBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How bars look.
pub(crate) fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg:40} {bar:30} {pos}/{len} {elapsed}")
        .expect("the template above is a valid one")
}
