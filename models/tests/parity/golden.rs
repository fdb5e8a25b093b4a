//! The sets of numbers that the original code printed, and our networks loaded from the same files.
//!
//! Two small sets lie beside the tests. `STORYTELLER_GOLDEN` may name a folder with more sets of the
//! same layout (`tiny/s0`, `mid/s0`, …): then every test runs over those instead.

use models::artifact::{self, read_npy, read_pickle};
use models::beam::{BeamOptions, Hypothesis};
use models::decoder::Decoder;
use models::gallery::Gallery;
use models::rules::Rules;
use models::skip_thoughts::{SkipThoughtParts, SkipThoughts};
use models::vse::SentenceEncoder;
use models::writing::{Draft, write};
use models::{Beam, Styles, Vocabulary, Vse, Weights};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tch::Tensor;

/// One folder of artefacts and golden numbers.
pub(super) struct Golden {
    folder: PathBuf,
    numbers: Weights,
    pub(super) json: Value,
}

/// All sets there are.
pub(super) fn sets() -> Vec<Golden> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let root = std::env::var_os("STORYTELLER_GOLDEN").map_or(beside, PathBuf::from);
    let mut folders = Vec::new();
    for size in ["tiny", "mid"] {
        for seed in 0..9 {
            let folder = root.join(size).join(format!("s{seed}"));
            if folder.join("golden.json").exists() {
                folders.push(folder);
            }
        }
    }
    assert!(!folders.is_empty(), "no golden sets in {}", root.display());
    folders.into_iter().map(Golden::open).collect()
}

impl Golden {
    fn open(folder: PathBuf) -> Self {
        let text = std::fs::read_to_string(folder.join("golden.json")).unwrap();
        let numbers = Weights::from_npz(&folder.join("golden.npz")).unwrap();
        Self {
            json: serde_json::from_str(&text).unwrap(),
            folder,
            numbers,
        }
    }

    /// The set's name for messages.
    pub(super) fn name(&self) -> String {
        self.folder.display().to_string()
    }

    /// A golden array of any shape; whole numbers come as floats.
    pub(super) fn array(&self, name: &str) -> Tensor {
        let found = self.numbers.iter().find(|(n, _)| *n == name);
        found
            .unwrap_or_else(|| panic!("{} has no {name}", self.name()))
            .1
            .shallow_clone()
    }

    /// Whether there is such an array.
    pub(super) fn has(&self, name: &str) -> bool {
        self.numbers.contains(name)
    }

    pub(super) fn weights(&self, file: &str) -> Weights {
        Weights::from_npz(&self.folder.join(file)).unwrap()
    }

    pub(super) fn vector(&self, file: &str) -> Tensor {
        read_npy(&self.path(file)).unwrap().to_tensor()
    }

    pub(super) fn lines(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        text.split_terminator('\n')
            .map(|line| line.trim().to_owned())
            .collect()
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub(super) fn bytes(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path(file)).unwrap()
    }

    pub(super) fn vocabulary(&self, file: &str) -> Vocabulary {
        Vocabulary::from_words(words_of(&self.bytes(file)))
    }

    pub(super) fn option(&self, model: &str, name: &str) -> usize {
        self.json["meta"][model][name].as_u64().unwrap() as usize
    }

    pub(super) fn vse(&self) -> Vse {
        let words = self.option("vse_options", "n_words");
        let vocabulary = self.vocabulary("vse.npz.dictionary.pkl");
        Vse::new(
            &self.weights("vse.npz"),
            vocabulary,
            words,
            SentenceEncoder::Gru,
        )
        .unwrap()
    }

    pub(super) fn gallery(&self, vse: &Vse) -> Gallery {
        let captions = self.lines("coco_train_caps.txt");
        let refs: Vec<&str> = captions.iter().map(String::as_str).collect();
        let embeddings = vse.embed_sentences(&refs, &mut |_| {});
        Gallery::new(captions, embeddings).unwrap()
    }

    pub(super) fn skip_thoughts(&self) -> SkipThoughts {
        let tables = [("utable", "utable.npy"), ("btable", "btable.npy")];
        let tables = tables.map(|(name, file)| (name.to_owned(), self.vector(file)));
        SkipThoughts::new(&SkipThoughtParts {
            uni: &self.weights("uni_skip.npz"),
            bi: &self.weights("bi_skip.npz"),
            tables: &Weights::from_tensors("tables", tables),
            words: &self.lines("dictionary.txt"),
        })
        .unwrap()
    }

    pub(super) fn styles(&self) -> Styles {
        let caption = self.vector("caption_style.npy");
        let size = caption.size()[0];
        let arrays = [
            ("caption", caption),
            ("romance", self.vector("romance_style.npy")),
        ];
        let weights = Weights::from_tensors("styles", arrays.map(|(n, t)| (n.to_owned(), t)));
        Styles::new(&weights, "caption", size).unwrap()
    }

    /// `romance` has a deep output, `romance_nodout` has not.
    pub(super) fn decoder(&self, name: &str) -> Decoder {
        Decoder::new(&self.weights(&format!("{name}.npz")), name == "romance").unwrap()
    }

    /// Ids as the original prints them.
    pub(super) fn text(&self, ids: &[i64]) -> String {
        let vocabulary = self.vocabulary("romance_dictionary.pkl");
        ids.iter()
            .map(|&id| vocabulary.word(id))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Runs one beam search with the original's rules.
pub(super) fn search(decoder: &Decoder, thought: &Tensor, options: BeamOptions) -> Vec<Hypothesis> {
    let drafts = vec![Draft::Beam(Beam::new(options))];
    let written = write(decoder, &thought.view([1, -1]), drafts, &mut |_, _| true);
    written
        .into_iter()
        .next()
        .flatten()
        .unwrap()
        .into_hypotheses()
}

/// The original's search with this width and length.
pub(super) fn original(width: usize, max_len: usize) -> BeamOptions {
    BeamOptions {
        width,
        rules: Rules::original(max_len),
        exhaustive: true,
    }
}

/// Fails unless all numbers agree to `relative` of the largest.
pub(super) fn assert_close(found: &Tensor, wanted: &Tensor, relative: f64, what: &str) {
    assert_eq!(found.size(), wanted.size(), "{what}");
    let scale = wanted.abs().max().double_value(&[]).max(1e-3);
    let error = (found - wanted).abs().max().double_value(&[]) / scale;
    assert!(error <= relative, "{what}: off by {error:e} of the largest");
}

/// The words of a dictionary, in the order of their ids.
fn words_of(pickle: &[u8]) -> Vec<String> {
    let (value, _) = read_pickle(pickle).unwrap();
    let artifact::Value::Dict(entries) = value else {
        panic!("{value:?}")
    };
    let entry = |(word, id): &(artifact::Value, artifact::Value)| {
        (id.as_int().unwrap(), word.as_text().unwrap().to_owned())
    };
    let mut pairs: Vec<(i64, String)> = entries.iter().map(entry).collect();
    pairs.sort();
    assert!(pairs.iter().zip(2..).all(|(pair, id)| pair.0 == id));
    pairs.into_iter().map(|(_, word)| word).collect()
}
