//! What a grammar may say and what it must refuse, and that the gallery made from ours is in order.
//!
//! The small grammar below has just enough of each kind of rule to tell a slip from chance.
#![allow(clippy::unwrap_used)]

use super::{Grammar, generate};
use std::collections::HashSet;

const GALLERY: &str = include_str!("../../gallery/grammar.txt");
const WRITTEN: &str = include_str!("../../../models/bundles/starter/captions.txt");

const SMALL: &str = "
topic dogs 3 = a <colour> dog {n} {v} <run> along ( the beach | an empty road ) [ with {his} ball ]
topic people = two ( men | women ) {p} ( {v} <run> | are/is {g} <run> ) to {their} car
colour = red | orange ^5 | black | uniform
run = run/runs/running | walk/walks/walking [20 slowly ]
loose = red | orange
again = a | the | his | its
";

fn small() -> Grammar {
    Grammar::parse(&SMALL.replace("{their}", "{his}")).unwrap()
}

fn texts(count: usize, seed: u64, exclude: &HashSet<String>) -> Vec<String> {
    let captions = generate(&small(), count, seed, exclude).unwrap();
    captions.into_iter().map(|caption| caption.text).collect()
}

#[test]
fn captions_are_distinct_and_the_same_for_the_same_seed() {
    let captions = texts(24, 7, &HashSet::new());
    assert_eq!(captions.iter().collect::<HashSet<_>>().len(), 24);
    assert_eq!(captions, texts(24, 7, &HashSet::new()));
    assert_ne!(captions, texts(24, 8, &HashSet::new()));
}

#[test]
fn captions_agree_with_their_subjects() {
    for text in texts(24, 1, &HashSet::new()) {
        let words: Vec<&str> = text.split(' ').collect();
        if words[0] == "Two" {
            assert!(
                text.contains(" run ") || text.contains(" walk ") || text.contains(" are "),
                "{text}"
            );
            assert!(text.ends_with("their car ."), "{text}");
        } else {
            assert_eq!(words[0] == "An", words[1].starts_with('o'), "{text}");
            assert!(words[3].ends_with('s'), "{text}");
            assert!(
                !text.contains("with") || text.contains("with its ball"),
                "{text}"
            );
        }
    }
}

#[test]
fn topics_share_the_captions_by_weight() {
    let captions = generate(&small(), 20, 3, &HashSet::new()).unwrap();
    let dogs = captions.iter().filter(|caption| caption.topic == "dogs");
    assert_eq!(dogs.count(), 15);
}

#[test]
fn excluded_captions_stay_out_whatever_their_case() {
    let all = texts(20, 3, &HashSet::new());
    let exclude: HashSet<String> = all[..4].iter().map(|text| text.to_uppercase()).collect();
    let others = texts(20, 3, &exclude);
    assert!(all[..4].iter().all(|text| !others.contains(text)));
}

#[test]
fn a_topic_with_too_little_to_say_is_named() {
    let error = generate(&small(), 4000, 3, &HashSet::new()).unwrap_err();
    assert!(error.to_string().contains("topic dogs"), "{error}");
}

#[test]
fn slips_in_the_file_are_found_with_their_line() {
    for (text, wanted) in [
        (
            "topic a = <b>",
            "line 1 of the grammar is not usable: there is no rule `b`",
        ),
        (
            "topic a = x\nb = y",
            "line 2 of the grammar is not usable: rule `b` is never used",
        ),
        ("topic a = ( x | y", "a `)` is missing"),
        ("topic a = x ]", "a `]` closes nothing"),
        ("topic a = x/y/z/w", "two or three forms"),
        ("topic a = {he}", "no mark is called {he}"),
        ("topic a 0 = x", "a number above 0"),
        ("topic a = x ^0", "from 1 to 1000"),
        (
            "b = x\nb = y",
            "line 2 of the grammar is not usable: rule `b` is there twice",
        ),
        ("a", "a rule is written"),
        ("", "it has no topic"),
    ] {
        let error = Grammar::parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

#[test]
fn the_gallerys_grammar_has_something_to_say_on_every_topic() {
    let grammar = Grammar::parse(GALLERY).unwrap();
    assert!(grammar.topics().count() >= 60);
    let captions = generate(&grammar, 1500, 5, &HashSet::new()).unwrap();
    let topics: HashSet<&str> = captions.iter().map(|c| c.topic.as_str()).collect();
    assert_eq!(topics.len(), grammar.topics().count());
}

#[test]
fn the_starter_gallery_is_large_and_tidy() {
    let captions: Vec<&str> = WRITTEN.lines().collect();
    assert!(captions.len() >= 40_000);
    assert_eq!(
        captions.iter().collect::<HashSet<_>>().len(),
        captions.len()
    );
    for caption in captions {
        assert!(
            caption.starts_with(|c: char| c.is_ascii_uppercase()),
            "{caption}"
        );
        assert!(caption.ends_with('.'), "{caption}");
        // a list such as "rice, beans and corn" has seven words and commas, and five between spaces
        assert!((5..=16).contains(&caption.split(' ').count()), "{caption}");
    }
}
