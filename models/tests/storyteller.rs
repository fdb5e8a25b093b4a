//! The whole pipeline over a bundle of random weights: results, failures, cancellation, the cache.
//! No trained bundle is needed, and nothing is fetched.
#![allow(clippy::unwrap_used)]

use models::bundle::fixture;
use models::pipeline::options::{Form, Mode, Options};
use models::pipeline::storyteller::{NoWatcher, Request, Stage, Story, Watcher};
use models::{Error, Picture, Storyteller, bundle};
use std::path::Path;
use tch::Device;

fn open(folder: &Path) -> models::Result<Storyteller> {
    let bundle = folder.join("bundle");
    if !bundle.exists() {
        fixture::write_bundle(&bundle, 1)?;
    }
    Storyteller::open(
        &bundle,
        &folder.join("cache"),
        Device::Cpu,
        &mut |_, _, _| {},
    )
}

/// A picture of coloured stripes; each number gives another one.
fn picture(number: u32) -> Picture {
    let (width, height) = (260, 256);
    let stripe = |x: u32, y: u32| {
        [
            x * (number + 1) / 3,
            y * (number + 2) / 5,
            x * y / 64 + number,
        ]
    };
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| stripe(x, y)));
    Picture {
        width,
        height,
        rgb: pixels.map(|value| (value % 256) as u8).collect(),
    }
}

fn short() -> Options {
    Options {
        captions: 10,
        beam_width: 8,
        max_words: 20,
        mode: Mode::Beam,
        ..Options::default()
    }
}

fn tell(teller: &Storyteller, wishes: &[(&Picture, Options)]) -> Vec<models::Result<Story>> {
    let requests: Vec<Request> = wishes
        .iter()
        .map(|(picture, options)| Request {
            picture,
            options: options.clone(),
        })
        .collect();
    teller.tell(&requests, &mut NoWatcher).stories
}

/// Wishes that differ in everything that could leak from one story to the next.
fn varied() -> Vec<Options> {
    let sample = |seed| Mode::Sample {
        temperature: 0.9,
        top_p: 0.95,
        seed,
    };
    vec![
        short(),
        Options {
            beam_width: 50,
            style: vec![("sea".to_owned(), 1.0)],
            ..short()
        },
        Options {
            mode: sample(4),
            ..short()
        },
        Options {
            strict: true,
            beam_width: 3,
            ..short()
        },
        Options {
            captions: 200,
            style_strength: 0.4,
            form: Form::Lyrics,
            ..short()
        },
        Options {
            mode: sample(5),
            max_words: 60,
            style: Vec::new(),
            ..short()
        },
        Options {
            beam_width: 64,
            max_words: 9,
            ..short()
        },
    ]
}

#[test]
fn a_story_is_the_same_alone_and_in_any_batch() {
    let folder = tempfile::tempdir().unwrap();
    let teller = open(folder.path()).unwrap();
    let pictures: Vec<Picture> = (0..7).map(picture).collect();
    let wishes: Vec<_> = pictures.iter().zip(varied()).collect();
    let together = tell(&teller, &wishes);
    let backwards: Vec<_> = wishes.iter().rev().cloned().collect();
    let mut backwards = tell(&teller, &backwards);
    backwards.reverse();
    for (i, wish) in wishes.iter().enumerate() {
        let alone = tell(&teller, std::slice::from_ref(wish)).remove(0).unwrap();
        assert!(!alone.text.is_empty() || wish.1.strict);
        assert_eq!(together[i].as_ref().unwrap(), &alone, "wish {i}");
        assert_eq!(backwards[i].as_ref().unwrap(), &alone, "wish {i} backwards");
    }
}

#[test]
fn a_picture_is_looked_at_once_and_other_stories_of_it_are_what_they_would_be_anyway() {
    let folder = tempfile::tempdir().unwrap();
    let [kept, mut anew] = [(); 2].map(|()| open(folder.path()).unwrap());
    anew.keep_looks(0);
    let (one, other) = (picture(1), picture(2));
    for options in varied().into_iter().take(4) {
        let wishes = [&one, &other, &one].map(|picture| (picture, options.clone()));
        let [kept, anew] = [&kept, &anew].map(|teller| {
            let stories = tell(teller, &wishes).into_iter();
            stories.map(Result::unwrap).collect::<Vec<_>>()
        });
        assert_eq!(kept, anew);
    }
    assert_eq!((kept.seen().looked, anew.seen().looked), (2, 12));
}

#[test]
fn another_start_tells_the_same_story_from_the_kept_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let picture = picture(3);
    let first = tell(&open(folder.path()).unwrap(), &[(&picture, short())])
        .remove(0)
        .unwrap();
    let kept = std::fs::read_dir(folder.path().join("cache/gallery")).unwrap();
    let kept: Vec<_> = kept.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1, "one file and no draft");
    let second = tell(&open(folder.path()).unwrap(), &[(&picture, short())])
        .remove(0)
        .unwrap();
    assert_eq!(first, second);
    std::fs::write(&kept[0], b"spoilt").unwrap();
    let third = tell(&open(folder.path()).unwrap(), &[(&picture, short())])
        .remove(0)
        .unwrap();
    assert_eq!(first, third);
    assert!(
        std::fs::metadata(&kept[0]).unwrap().len() > 1000,
        "the spoilt file was made anew"
    );
}

#[test]
fn a_story_for_people_is_short_enough_ends_a_sentence_and_never_repeats_itself() {
    let folder = tempfile::tempdir().unwrap();
    let teller = open(folder.path()).unwrap();
    let wish = Options {
        max_words: 40,
        ..short()
    };
    for number in 0..4 {
        let picture = picture(number);
        let story = tell(&teller, &[(&picture, wish.clone())])
            .remove(0)
            .unwrap();
        assert!(story.words <= 40, "{} words", story.words);
        let closers: &[char] = &['”', '’', '"', '\'', ')'];
        let end = story.text.trim_end_matches(closers).chars().last().unwrap();
        assert!(['.', '!', '?'].contains(&end), "{}", story.text);
        assert_eq!(story.captions.len(), 10);
        let falling = story
            .captions
            .windows(2)
            .all(|two| two[0].similarity >= two[1].similarity);
        assert!(falling);
    }
}

#[test]
fn a_strict_story_is_the_bare_text_of_the_likeliest_search() {
    let folder = tempfile::tempdir().unwrap();
    let teller = open(folder.path()).unwrap();
    let picture = picture(2);
    let strict = Options {
        strict: true,
        ..short()
    };
    let told = |options: &Options| {
        let stories = tell(&teller, &[(&picture, options.clone())]);
        stories.into_iter().next().unwrap()
    };
    let original = told(&strict).unwrap();
    let longer = Options {
        max_words: 300,
        ..strict.clone()
    };
    assert_eq!(original, told(&longer).unwrap(), "its length is its own");
    let modern = told(&short()).unwrap();
    assert_eq!(original.captions, modern.captions, "both see the same");
    assert_ne!(original.text, modern.text);
    let known = "a the dog cat man woman boat tree street beach runs sits looks at on under in \
                 and old young red she he said was love night sea . , ! ? `` '' n't did";
    let bare = |text: &str| {
        text.split(' ')
            .all(|word| known.split(' ').any(|k| k == word))
    };
    assert!(bare(&original.text), "{}", original.text);
    assert!(!bare(&modern.text), "{}", modern.text);
    let verse = told(&Options {
        form: Form::Lyrics,
        ..strict.clone()
    });
    let lines: Vec<&str> = original.text.split(',').collect();
    let lines = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(verse.unwrap().text, lines.join("\n"));
    let mode = Mode::Sample {
        temperature: 1.0,
        top_p: 1.0,
        seed: 1,
    };
    let reason = told(&Options { mode, ..strict }).unwrap_err().to_string();
    assert!(reason.contains("`compat`"), "{reason}");
}

#[test]
fn a_wrong_wish_fails_alone_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let teller = open(folder.path()).unwrap();
    let picture = picture(0);
    let wrong = Options {
        style: vec![("noir".to_owned(), 1.0)],
        ..short()
    };
    let hot = Mode::Sample {
        temperature: f32::NAN,
        top_p: 1.0,
        seed: 1,
    };
    let wishes = [
        short(),
        wrong,
        Options {
            mode: hot,
            ..short()
        },
        short(),
    ];
    let wishes: Vec<_> = wishes
        .into_iter()
        .map(|options| (&picture, options))
        .collect();
    let stories = tell(&teller, &wishes);
    assert!(stories[0].is_ok());
    let reason = stories[1].as_ref().unwrap_err().to_string();
    assert!(
        reason.contains("noir") && reason.contains("romance"),
        "{reason}"
    );
    let reason = stories[2].as_ref().unwrap_err().to_string();
    assert!(reason.contains("temperature"), "{reason}");
    assert_eq!(stories[3].as_ref().unwrap(), stories[0].as_ref().unwrap());
}

/// Cancels one request at its third word, and writes down what it hears.
#[derive(Default)]
struct Impatient {
    heard: Vec<(usize, Stage)>,
    words: usize,
}

impl Watcher for Impatient {
    fn stage(&mut self, item: usize, stage: Stage, done: usize, of: usize) {
        assert!(done <= of);
        self.heard.push((item, stage));
        if item == 1 && stage == Stage::Writing {
            self.words = done;
        }
    }

    fn cancelled(&mut self, item: usize) -> bool {
        item == 1 && self.words == 3
    }
}

#[test]
fn a_cancelled_story_stops_between_two_words_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let teller = open(folder.path()).unwrap();
    let picture = picture(0);
    let request = || Request {
        picture: &picture,
        options: short(),
    };
    let mut watcher = Impatient::default();
    let told = teller.tell(&[request(), request(), request()], &mut watcher);
    assert!(matches!(told.stories[1], Err(Error::Cancelled)));
    assert_eq!(watcher.words, 3);
    let alone = tell(&teller, &[(&picture, short())]).remove(0).unwrap();
    assert_eq!(told.stories[0].as_ref().unwrap(), &alone);
    assert_eq!(told.stories[2].as_ref().unwrap(), &alone);
    let stages: Vec<Stage> = watcher
        .heard
        .iter()
        .filter(|h| h.0 == 0)
        .map(|h| h.1)
        .collect();
    assert!(stages.is_sorted() && stages.contains(&Stage::Thinking));
    assert!(
        told.timings
            .named()
            .iter()
            .all(|(_, seconds)| *seconds >= 0.0)
    );
    assert!(told.timings.writing > 0.0);
}

#[test]
fn another_seed_tells_another_story() {
    let folder = tempfile::tempdir().unwrap();
    let teller = open(folder.path()).unwrap();
    let picture = picture(0);
    let text = |seed| {
        let mode = Mode::Sample {
            temperature: 1.0,
            top_p: 1.0,
            seed,
        };
        tell(&teller, &[(&picture, Options { mode, ..short() })])
            .remove(0)
            .unwrap()
            .text
    };
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn a_damaged_file_is_named_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    fixture::write_bundle(&bundle, 1).unwrap();
    let path = bundle.join("decoder.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let reason = open(folder.path()).unwrap_err().to_string();
    assert!(
        reason.contains("decoder.safetensors") && reason.contains("sha256"),
        "{reason}"
    );
}

#[test]
fn parts_that_do_not_fit_are_refused_when_the_bundle_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    fixture::write_bundle(&bundle, 1).unwrap();
    let words = "the\ndog\n";
    std::fs::write(bundle.join("decoder.words.txt"), words).unwrap();
    let path = bundle.join(bundle::MANIFEST);
    let mut manifest: bundle::Manifest =
        toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    manifest.files.insert(
        "decoder.words.txt".to_owned(),
        bundle::sha256(words.as_bytes()),
    );
    std::fs::write(&path, toml::to_string(&manifest).unwrap()).unwrap();
    let reason = open(folder.path()).unwrap_err().to_string();
    assert!(reason.contains("decoder.words.txt names 4"), "{reason}");
}

#[test]
fn a_folder_that_is_no_bundle_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bundle")).unwrap();
    let reason = open(folder.path()).unwrap_err().to_string();
    assert!(reason.contains("bundle.toml"), "{reason}");
}
