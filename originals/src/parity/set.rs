//! One set: artefacts under their original names beside `golden.json`, `golden.npz` and perhaps `golden_e2e.*`.
//!
//! The networks are opened once from the artefacts, exactly as an import opens them; the modules beside this one
//! compare a kind of number each.

use std::path::{Path, PathBuf};

use tch::{Device, Tensor};

use super::facts::{Fact, Facts, Numbers};
use super::leftovers::Files;
use super::{CLOSE, Report, encoders, retrieval, stories, writing};
use crate::formats::{Value, read_npy};
use crate::reader::{Original, Part, options};
use models::{Decoder, Gallery, Result, SkipThoughts, Styles, Vocabulary, Vse};

/// A set with its networks.
pub(super) struct Set {
    pub(super) folder: PathBuf,
    pub(super) original: Original,
    pub(super) numbers: Numbers,
    pub(super) facts: Facts,
    pub(super) skip_thoughts: SkipThoughts,
    pub(super) vse: Vse,
    pub(super) gallery: Gallery,
    pub(super) styles: Styles,
    pub(super) decoders: Vec<(String, Decoder, Vocabulary)>,
}

impl Set {
    fn open(folder: &Path, device: Device) -> Result<Self> {
        let original = Original::open(folder)?;
        let vse = original.vse(device)?;
        let captions = original.captions()?;
        let texts: Vec<&str> = captions.iter().map(String::as_str).collect();
        let embeddings = vse.embed_sentences(&texts, &mut |_| {});
        let decoders = original.decoders().into_iter().map(|name| {
            let (decoder, words) = original.decoder(&name, device)?;
            Ok((name, decoder, words))
        });
        Ok(Self {
            folder: folder.to_owned(),
            numbers: Numbers::open(&folder.join("golden.npz"), device)?,
            facts: Facts::open(&folder.join("golden.json"))?,
            skip_thoughts: original.skip_thoughts(device)?,
            gallery: Gallery::new(captions, embeddings)?,
            styles: original.styles()?.to_device(device),
            decoders: decoders.collect::<Result<_>>()?,
            vse,
            original,
        })
    }

    /// The decoder of this name with its words.
    pub(super) fn decoder(&self, name: &str) -> Result<(&Decoder, &Vocabulary)> {
        let found = self.decoders.iter().find(|(known, ..)| known == name);
        let (_, decoder, words) = found.ok_or_else(|| {
            let reason = format!("it holds no decoder {name}.npz");
            models::Error::format(self.folder.display().to_string(), reason)
        })?;
        Ok((decoder, words))
    }

    /// The style with which stories are told here.
    pub(super) fn romance(&self) -> Vec<(String, f32)> {
        vec![("romance".to_owned(), 1.0)]
    }
}

/// Checks the folder if it is a set.
pub(super) fn check(folder: &Path, name: &str, files: &mut Files, report: &mut Report) {
    if !folder.join("golden.json").exists() {
        return;
    }
    let (mut opened, device) = (None, report.device);
    report.group(format!("{name} artefacts"), CLOSE, |group| {
        let set = opened.insert(Set::open(folder, device)?);
        artefacts(set, files, group)
    });
    let Some(set) = opened else { return };
    encoders::check(&set, name, report);
    retrieval::check(&set, name, report);
    writing::check(&set, name, report);
    stories::check(&set, name, report);
    stories::check_from_pictures(&set, name, files, report);
    files.facts(&folder.join("golden.json"), &set.facts);
    files.numbers(&folder.join("golden.npz"), &set.numbers);
}

/// Options, words, tables and styles, as read from their files.
fn artefacts(set: &Set, files: &mut Files, group: &mut super::Group) -> Result<()> {
    let (folder, facts) = (&set.folder, set.facts.root());
    let models = [
        ("uoptions", "uni_skip.npz"),
        ("boptions", "bi_skip.npz"),
        ("vse_options", "vse.npz"),
        ("dec_options", "romance.npz"),
    ];
    let meta = facts.get("meta")?;
    for (entry, model) in models {
        let read = options(&folder.join(format!("{model}.pkl")))?;
        for (key, wanted) in meta.get(entry)?.entries() {
            option(
                &format!("{model} option {key}"),
                read.get(key),
                &wanted,
                group,
            );
        }
    }
    // dimensions, versions and what the original printed or refused: for people
    for entry in ["meta", "load_all_stdout", "encode_errors", "float64_ctx"] {
        facts.find(entry).iter().for_each(Fact::seen);
    }
    for (id, word) in facts.get("word_idict_first")?.entries() {
        let (_, words) = set.decoder("romance")?;
        let id: i64 = id.parse().unwrap_or(-1);
        group.same(
            &format!("word {id} of the decoder"),
            words.word(id),
            word.text()?,
        );
    }
    let vectors = set.original.style_vectors()?;
    for (entry, style) in [("bpos", "romance"), ("bneg", "caption")] {
        let found = vectors.tensor(style, &[-1])?;
        group.close(entry, &found, &set.numbers.get(entry)?.view([-1]));
    }
    tables(folder, group)?;
    trained_words(set, group)?;
    for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let stem = name
            .trim_end_matches(".dictionary.pkl")
            .trim_end_matches(".pkl");
        if ARTEFACTS.contains(&name.as_str()) || stem.ends_with(".npz") && ARTEFACTS.contains(&stem)
        {
            files.read(file.path());
        }
    }
    Ok(())
}

/// An option as its pickle says it; one that is not there is told.
fn option(what: &str, found: Option<&Value>, wanted: &Fact, group: &mut super::Group) {
    let number = |value: &Value| match value {
        Value::Float(number) => Some(*number),
        other => other.as_int().map(|number| number as f64),
    };
    match (found, wanted.number(), wanted.text()) {
        // published files lack some, and the reader knows what that means
        (None, ..) => group.note(format!("{what} is not in the file: not compared")),
        (Some(found), Ok(wanted), _) => {
            group.near(what, number(found).unwrap_or(f64::NAN), wanted);
        }
        // paths of the author's machine are shortened in the golden files
        (Some(_), _, Ok(wanted)) if wanted.contains('/') => {}
        (Some(found), _, Ok(wanted)) => group.same(what, found.as_text(), Some(wanted)),
        (Some(found), ..) => group.same(what, found.as_int() == Some(1), wanted.holds()),
    }
}

/// The artefacts that a set is opened from; options and words lie beside them.
const ARTEFACTS: [&str; 14] = [
    "uni_skip.npz",
    "bi_skip.npz",
    "utable.npy",
    "btable.npy",
    "utable_object.npy",
    "btable_object.npy",
    "dictionary.txt",
    "vse.npz",
    "romance.npz",
    "romance_nodout.npz",
    "romance_dictionary.pkl",
    "caption_style.npy",
    "romance_style.npy",
    "coco_train_caps.txt",
];

/// Word tables with rows of mixed shape hold what the plain ones hold.
fn tables(folder: &Path, group: &mut super::Group) -> Result<()> {
    for name in ["utable", "btable"] {
        let file = folder.join(format!("{name}_object.npy"));
        if file.exists() {
            let table = |file: &Path| -> Result<Tensor> { Ok(read_npy(file)?.to_tensor()) };
            let plain = table(&folder.join(format!("{name}.npy")))?;
            group.close(&format!("{name}_object.npy"), &table(&file)?, &plain);
        }
    }
    Ok(())
}

/// Words that the encoders were trained on keep their vectors in the word tables.
fn trained_words(set: &Set, group: &mut super::Group) -> Result<()> {
    for (part, name) in [(Part::UniSkip, "utable"), (Part::BiSkip, "btable")] {
        let table = read_npy(&set.folder.join(format!("{name}.npy")))?.to_tensor();
        let trained = set
            .original
            .weights(part)?
            .tensor("Wemb", &[-1, table.size()[1]])?;
        for row in 0..trained.size()[0] {
            let gaps = (&table - trained.get(row))
                .abs()
                .amax([1i64].as_slice(), false);
            let nearest = gaps.min().double_value(&[]);
            group.holds(&format!("{name} lacks trained word {row}"), nearest <= 1e-6);
        }
    }
    Ok(())
}
