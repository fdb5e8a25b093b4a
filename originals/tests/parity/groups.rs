//! Every group of every set agrees with the original, and none is missing.

use std::path::{Path, PathBuf};

use super::sets::{groups, tiny};

#[test]
fn every_number_of_the_original_is_ours() {
    let found = groups(&tiny());
    for group in &found {
        assert!(group.passed(), "{}: {:?}", group.name, group.problems);
    }
    let names: Vec<&str> = found.iter().map(|group| group.name.as_str()).collect();
    let of_a_set = [
        "artefacts",
        "raw encoder graphs",
        "sentence encoders",
        "texts to encode",
        "joint space",
        "retrieval order",
        "style shift",
        "decoder steps",
        "greedy chains",
        "beam search",
        "drawn texts",
        "sampler texts",
        "stories",
        "stories from pictures",
    ];
    for set in ["s0", "s1"] {
        for kind in of_a_set {
            let name = format!("tiny/{set} {kind}");
            assert!(names.contains(&name.as_str()), "{name} is missing");
        }
    }
    for name in [
        "tiny/images preprocessing",
        "tiny/images image network",
        "tiny/misc preprocess_nltk_3.1.json",
        "tiny/misc build_dictionary.json",
        "tiny/misc vocab_expansion_under.json",
        "tiny/train skip-thoughts training: gradients",
        "tiny/train joint space training: costs and parameters",
        "tiny/train decoder training: costs and parameters",
        "tiny all entries covered",
    ] {
        assert!(names.contains(&name), "{name} is missing");
    }
}

#[test]
fn a_relative_folder_is_found_from_where_one_stands() {
    // tests run in the folder of their package
    for group in groups(Path::new("../models/tests/golden/tiny/s0")) {
        assert!(group.passed(), "{}: {:?}", group.name, group.problems);
    }
}

#[test]
#[ignore = "needs golden sets of your own: STORYTELLER_GOLDEN=DIR cargo test -p originals -- --ignored"]
fn every_number_of_the_sets_elsewhere_is_ours() {
    let folder = std::env::var_os("STORYTELLER_GOLDEN")
        .expect("STORYTELLER_GOLDEN names the folder of the golden sets");
    for group in groups(&PathBuf::from(folder)) {
        assert!(group.passed(), "{}: {:?}", group.name, group.problems);
    }
}
