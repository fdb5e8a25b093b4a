//! A gallery too large for kept thoughts: captions are read while somebody waits, who sees that it goes on and may go away.

#![allow(clippy::unwrap_used)]

use models::bundle::fixture::{self, Sizes};
use models::pipeline::options::{Mode, Options};
use models::pipeline::storyteller::{Request, Stage, Watcher};
use models::{Error, Picture, Storyteller};
use tch::Device;

/// Counts the signs of life of one story, and goes away after some.
struct Waiting {
    signs: usize,
    patience: usize,
    written: bool,
}

impl Watcher for Waiting {
    fn stage(&mut self, _item: usize, stage: Stage, done: usize, of: usize) {
        assert!(done <= of);
        self.signs += usize::from(stage == Stage::Thinking);
        self.written |= stage == Stage::Writing;
    }
    fn cancelled(&mut self, _item: usize) -> bool {
        self.signs >= self.patience
    }
}

#[test]
fn thinking_without_kept_thoughts_gives_signs_of_life_and_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    let sizes = Sizes {
        captions: 100_001,
        vectors: true,
        ..Sizes::tiny()
    };
    fixture::write_bundle_of(&bundle, 1, &sizes).unwrap();
    let cache = folder.path().join("cache");
    let teller = Storyteller::open(&bundle, &cache, Device::Cpu, &mut |_, _, _| {}).unwrap();
    let picture = Picture {
        width: 300,
        height: 300,
        rgb: (0..300 * 300 * 3).map(|n: u32| (n % 251) as u8).collect(),
    };
    let request = || Request {
        picture: &picture,
        options: Options {
            captions: 1000,
            beam_width: 4,
            max_words: 20,
            mode: Mode::Beam,
            ..Options::default()
        },
    };
    let mut patient = Waiting {
        signs: 0,
        patience: usize::MAX,
        written: false,
    };
    let told = teller.tell(&[request()], &mut patient);
    assert!(told.stories[0].is_ok() && patient.written);
    assert!(patient.signs >= 10, "{} signs", patient.signs);
    let mut hurried = Waiting {
        signs: 0,
        patience: 3,
        written: false,
    };
    let told = teller.tell(&[request()], &mut hurried);
    assert!(matches!(told.stories[0], Err(Error::Cancelled)));
    assert_eq!((hurried.signs, hurried.written), (3, false));
}
