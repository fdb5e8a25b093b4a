//! What is wrong with a file is one sentence with the file and what was expected.

use std::fs;
use std::path::Path;

use originals::import::Import;
use originals::reader::Original;
use originals::reader::Part;

use super::sets::{original, sets};

/// A copy of the first set in `to`, which may then be broken.
fn copy(to: &Path) -> Original {
    let set = &sets()[0];
    for entry in fs::read_dir(set).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    original(to, to)
}

fn refusal(original: &Original, scratch: &Path) -> String {
    let bundle = scratch.join("bundle");
    let run = Import::default().run(original, &bundle, &mut |_, _, _| {});
    assert!(!bundle.join("bundle.toml").exists(), "a bundle was written");
    run.unwrap_err().to_string()
}

#[test]
fn every_missing_file_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let original = copy(scratch.path());
    for part in Part::ALL {
        let file = original.find(part).unwrap();
        let aside = scratch.path().join("aside");
        fs::rename(&file, &aside).unwrap();
        let text = refusal(&original, scratch.path());
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(name), "{part:?}: {text}");
        fs::rename(&aside, &file).unwrap();
    }
    let words = scratch.path().join("vse.npz.dictionary.pkl");
    fs::remove_file(words).unwrap();
    let text = refusal(&original, scratch.path());
    assert!(text.contains("vse.npz.dictionary.pkl"), "{text}");
}

#[test]
fn every_truncated_or_exchanged_file_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let original = copy(scratch.path());
    for part in Part::ALL {
        if matches!(part, Part::Captions | Part::Words) {
            continue;
        }
        let file = original.find(part).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&file).unwrap();
        // the words of a decoder end before the middle: a second pickle follows them
        for damaged in [&bytes[..bytes.len() / 4], b"", b"something else"] {
            fs::write(&file, damaged).unwrap();
            let text = refusal(&original, scratch.path());
            assert!(
                text.contains(&name) && !text.contains('\n'),
                "{part:?}: {text}"
            );
        }
        fs::write(&file, bytes).unwrap();
    }
}

#[test]
fn files_that_do_not_fit_each_other_are_refused_with_file_array_and_shape() {
    let exchanges = [
        (
            "uni_skip.npz",
            "vse.npz",
            vec!["uni_skip.npz", "utable.npy", "romance.npz"],
        ),
        (
            "bi_skip.npz",
            "uni_skip.npz",
            vec!["bi_skip.npz", "encoder_r"],
        ),
        ("romance.npz", "vse.npz", vec!["romance.npz", "ff_state_W"]),
        ("vse.npz", "romance.npz", vec!["vse.npz", "has no array"]),
        (
            "caption_style.npy",
            "utable.npy",
            vec!["_style.npy", "`caption`", "is needed"],
        ),
        (
            "utable.npy",
            "caption_style.npy",
            vec!["utable.npy", "(words, numbers) is expected"],
        ),
    ];
    for (broken, by, parts) in exchanges {
        let scratch = tempfile::tempdir().unwrap();
        let original = copy(scratch.path());
        // the exchanged file would lack its network's arrays before anything else is looked at
        fs::copy(sets()[0].join(by), scratch.path().join(broken)).unwrap();
        let text = refusal(&original, scratch.path());
        assert!(
            parts.iter().any(|part| text.contains(part)),
            "{broken}: {text}"
        );
        assert!(
            text.contains(parts[0]) || parts.len() > 2,
            "{broken}: {text}"
        );
    }
    let scratch = tempfile::tempdir().unwrap();
    let original = copy(scratch.path());
    let words = scratch.path().join("dictionary.txt");
    let fewer: String = fs::read_to_string(&words)
        .unwrap()
        .lines()
        .skip(1)
        .map(|w| format!("{w}\n"))
        .collect();
    fs::write(&words, fewer).unwrap();
    let text = refusal(&original, scratch.path());
    assert!(
        text.contains("utable.npy") && text.contains("dictionary.txt"),
        "{text}"
    );
}

#[test]
fn a_style_that_nobody_could_ask_for_is_refused_with_a_better_name() {
    let scratch = tempfile::tempdir().unwrap();
    let original = copy(scratch.path());
    let style = scratch.path().join("romance_style.npy");
    for (name, better) in [
        ("Sci Fi", "sci_fi"),
        ("café", "caf_"),
        ("a:b", "a_b"),
        ("", "own"),
    ] {
        let file = scratch.path().join(format!("{name}_style.npy"));
        fs::copy(&style, &file).unwrap();
        let text = refusal(&original, scratch.path());
        assert!(text.contains(&format!("{better}_style.npy")), "{text}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_word_or_caption() {
    let scratch = tempfile::tempdir().unwrap();
    let original = copy(scratch.path());
    let read = |original: &Original| (original.words().unwrap(), original.captions().unwrap());
    let wanted = read(&original);
    for part in [Part::Words, Part::Captions] {
        let file = original.find(part).unwrap();
        let marked = [b"\xef\xbb\xbf".as_slice(), &fs::read(&file).unwrap()].concat();
        fs::write(&file, marked).unwrap();
    }
    assert_eq!(read(&original), wanted);
}
