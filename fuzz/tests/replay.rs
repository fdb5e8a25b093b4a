//! Every promise is held to the files in `corpus/`: what a fuzzer started from, what it found, and what broke a promise once.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

type Promise = fn(&[u8]);

const PROMISES: [(&str, Promise); 15] = [
    ("address", fuzz::address::holds),
    ("caffe", fuzz::caffe::holds),
    ("form", fuzz::form::holds),
    ("gguf", fuzz::gguf::holds),
    ("headers", fuzz::headers::holds),
    ("npy", fuzz::npy::holds),
    ("npz", fuzz::npz::holds),
    ("pickle", fuzz::pickle::holds),
    ("picture", fuzz::picture::holds),
    ("request", fuzz::request::holds),
    ("safetensors", fuzz::safetensors::holds),
    ("style", fuzz::style::holds),
    ("table", fuzz::table::holds),
    ("torch", fuzz::torch::holds),
    ("webhook", fuzz::webhook::holds),
];

#[test]
fn every_promise_holds_for_what_was_found() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut broken = Vec::new();
    for (name, holds) in PROMISES {
        let mut files = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            files += 1;
            if std::panic::catch_unwind(|| holds(&bytes)).is_err() {
                broken.push(format!("{name}: {}", path.display()));
            }
        }
        assert!(files > 0, "{name} has no corpus");
    }
    assert!(broken.is_empty(), "broken by\n  {}", broken.join("\n  "));
}

#[test]
fn every_corpus_and_every_target_has_its_promise() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["corpus", "targets"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let known = PROMISES.iter().any(|(known, _)| *known == name);
            assert!(
                known || name == "memory",
                "{name} of {folder} is not replayed"
            );
        }
    }
}
