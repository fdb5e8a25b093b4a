//! Captions of two worlds are read, and new ones invented from them.

use super::*;

/// Things of two worlds that never meet: four of one world stand in each caption.
fn captions() -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut captions = Vec::new();
    for _ in 0..600 {
        for world in ["land", "sea"] {
            let mut thing = |kind: &str| {
                let letter = char::from(b'a' + rng.random_range(0..26u8));
                format!("{world}{kind}{letter}")
            };
            let (one, two) = (thing("colour"), thing("beast"));
            let (three, four) = (thing("tool"), thing("place"));
            captions.push(format!("The {one} {two} and the {three} near the {four}."));
        }
    }
    captions
}

#[test]
fn invented_captions_are_new_distinct_repeatable_and_keep_apart_what_was_never_together() {
    let read = captions();
    let model = CaptionModel::read(read.iter().map(String::as_str));
    assert_eq!(model.len(), read.len());
    let mut told = 0;
    let invented = model.invent(30, 1, &mut |n| told = n);
    assert_eq!((invented.len(), told), (30, 30));
    let distinct: HashSet<&String> = invented.iter().collect();
    assert_eq!(distinct.len(), invented.len());
    for caption in &invented {
        assert!(!read.contains(caption), "{caption}");
        assert!(
            caption.starts_with("The ") && caption.ends_with('.'),
            "{caption}"
        );
        assert!(
            !(caption.contains("land") && caption.contains("sea")),
            "{caption}"
        );
    }
    assert_eq!(invented, model.invent(30, 1, &mut |_| {}));
}

#[test]
fn coverage_counts_words_by_their_use() {
    let gallery = vec!["A dog runs.".to_owned()];
    let texts = ["a dog", "a dog", "a cat", "the rare gnu"];
    assert!((coverage(&gallery, texts.into_iter(), 1) - 2.0 / 6.0).abs() < 1e-9);
    assert_eq!(coverage(&gallery, texts.into_iter(), 2), 1.0);
}

#[test]
fn captions_with_figures_or_foreign_letters_are_not_read() {
    assert!(words_of("A bus numbered 42.").is_empty());
    assert!(words_of("'a quoted bus").is_empty());
    assert_eq!(
        words_of("A man's dog, asleep."),
        ["a", "man's", "dog", ",", "asleep"]
    );
}
